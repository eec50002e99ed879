/* simulate.c - a step on more ranks than there are: the program's own schedule of gradients and weights (mpi/reduction.c,
 * mpi/owners.c, over the buckets and owners of the real table) on a described network, under SimGrid's SMPI. What the ranks compute
 * is replaced by the seconds that `pmf bench step layers=FILE` measured (simulate_mpi.h).
 * A program of its own, for smpirun; slurm/scaling/simulate.sh calls it. Prints one run of a study (scaling.h), of the second of
 * two steps, as what is left on its way by one hides behind the next.
 *
 * Simplified: every rank computes equally long, the measured mean; threads beyond the measured ones help in proportion; a
 * message travels without the processor, but for copy_gib; crews' collectives and other messages have the links each for
 * themselves (fair=1: together); the network is as its description says and empty. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/words.h"
#include "jobs/layers.h"
#include "jobs/simulate_mpi.h"
#include "jobs/simulate_wire.h"
#include "mpi/crew.h"
#include "mpi/owners.h"
#include "mpi/reduce.h"
#include "mpi/reduction.h"
#include "src/base/status.h"
#include "src/optim/muon.h"
#include "src/optim/newton_schulz.h"
#include "src/optim/share.h"

/* Words and tables of all ranks: under SMPI they are threads of one process, which take turns only at calls of MPI. */
static char file[TEXT_MAX], way[TEXT_MAX] = "overlap", study[TEXT_MAX] = "simulated", label[TEXT_MAX];
static long threads = 8, node_ranks = 1, later = 1, crew = 1, fair;
static double images = 1, bucket_mib = 25, add_gib = 10, copy_gib;
static struct word words[] = {
  { .name = "layers", .type = WORD_TEXT, .value = file, .help = "what a step costs, as pmf bench step layers=FILE wrote it" },
  { .name = "threads", .type = WORD_INTEGER, .value = &threads, .min = 1, .max = 4096, .help = "of a rank; 8" },
  { .name = "images", .type = WORD_REAL, .value = &images, .min = 1e-3, .max = 1e6, .help = "of a rank in a step; 1" },
  { .name = "reduce", .type = WORD_TEXT, .value = way, .help = "overlap, twolevel or none (nothing travels); overlap" },
  { .name = "bucket_mib", .type = WORD_REAL, .value = &bucket_mib, .min = 1e-3, .max = 1024, .help = "25" },
  { .name = "node_ranks", .type = WORD_INTEGER, .value = &node_ranks, .min = 1, .max = 4096, .help = "of a node, for twolevel; 1" },
  { .name = "add_gib", .type = WORD_REAL, .value = &add_gib, .min = 1e-3, .max = 1e6,
    .help = "GiB/s that a rank adds to others, as pmf bench comm measures; 10" },
  { .name = "copy_gib", .type = WORD_REAL, .value = &copy_gib, .min = 0, .max = 1e6,
    .help = "GiB/s at which each end's processor copies a message, as between ranks of one node; 0, a network card does; 0" },
  { .name = "later", .type = WORD_INTEGER, .value = &later, .min = 0, .max = 1,
    .help = "new weights arrive during the next step; 0: it waits for all of them; 1" },
  { .name = "crew", .type = WORD_INTEGER, .value = &crew, .min = 0, .max = 1,
    .help = "ranks without a matrix help those with one; 0: they wait; 1" },
  { .name = "fair", .type = WORD_INTEGER, .value = &fair, .min = 0, .max = 1,
    .help = "messages share links fairly, as SimGrid solves it, slowly; 0: evenly (simulate_wire.h); 0" },
  { .name = "study", .type = WORD_TEXT, .value = study, .help = "its name in what is printed; simulated" },
  { .name = "net", .type = WORD_TEXT, .value = label, .help = "the net's name there; the file's" },
  { .name = "--alone", .type = WORD_TEXT, .help = "nothing is computed: what pmf bench comm measures for the net" },
};
enum { ALONE = sizeof words / sizeof *words - 1, WORDS };
static struct layers layers;
static double scale, optimizer_scale;   /* seconds here for a measured one */
static int status = -1;

/* Ends of the parts of a step; the clock begins with it, on all ranks within an agreement of each other. */
enum part { GRADIENT, OWN_SUMS, AGREEMENT, NEWTON_SCHULZ, AVERAGES, STEP, PARTS };
static const char *const part_name[PARTS] = { "gradient", "own_sums", "agreement", "newton_schulz", "averages", "step" };

struct rank {
  struct world w;
  struct reduction reduction;
  struct owners owners;
  struct crew crew;
  float *work;                          /* of the crew */
  struct share mine;
  double began, exposed, ends[PARTS];   /* of the step that is made */
};

static void ends(struct rank *r, enum part part) { r->ends[part] = MPI_Wtime() - r->began; }

static int travels(const struct rank *r) { return r->w.ranks > 1 && strcmp(way, "none"); }

static void load(int argc, char **argv) {
  if (status >= 0) return;   /* another rank did */
  status = words_parse(argc - 1, argv + 1, words, WORDS, NULL, 0);
  if (!status && strcmp(way, "overlap") && strcmp(way, "twolevel") && strcmp(way, "none"))
    status = because(STATUS_BAD, "reduce=%s: expected overlap, twolevel or none", way);
  if (!status && !*file) status = because(STATUS_BAD, "layers=FILE: what pmf bench step layers=FILE wrote");
  if (!status) status = layers_read(&layers, file);
  if (!status && !(share_flops(&layers.table) > 0))
    status = because(STATUS_BAD, "%s: no matrix of Muon's: expected a net that it trains", file);
  if (status) return;
  if (!*label) snprintf(label, sizeof label, "%s", layers.net);
  optimizer_scale = (double)layers.threads / (double)threads;
  if (words[ALONE].given) optimizer_scale = 0;
  scale = optimizer_scale * images / layers.images;
  simulate_seconds_per_byte = 1 / (add_gib * (1 << 30));
  simulate_fair = (int)fair;
  simulate_seconds_per_copy = copy_gib > 0 ? 1 / (copy_gib * (1 << 30)) : 0;
  simulate_seconds_per_flop = optimizer_scale * layers.optimizer / share_flops(&layers.table);
}

/* A matrix and its scratch. */
static size_t largest_work(const struct table *t) {
  size_t most = 1;
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    const size_t work = n->rule == RULE_MUON ? muon_work(n->shape[0], n->shape[1]) : 0;
    if (work > most) most = work;
  }
  return most;
}

static int begin(struct rank *r) {
  MPI_Comm_dup(MPI_COMM_WORLD, &r->w.comm);
  MPI_Comm_rank(r->w.comm, &r->w.rank);
  MPI_Comm_size(r->w.comm, &r->w.ranks);
  r->w.node_ranks = (int)node_ranks;
  (crew ? share_crews : share_matrices)(&layers.table, r->w.ranks);   /* the same for all */
  r->mine = share_flat(&layers.table, r->w.rank);
  const size_t bytes = (size_t)(bucket_mib * (1 << 20));
  const enum reduction_way chosen = strcmp(way, "twolevel") ? REDUCTION_OVERLAP : REDUCTION_TWOLEVEL;
  const struct reduction_config c = { chosen, bytes, 1, 0, (int)node_ranks };
  int s = reduction_init(&r->reduction, &r->w, &layers.table, &c);
  if (!s) s = owners_init(&r->owners, &r->w, &layers.table, bytes);
  if (!s && crew && travels(r)) crew_init(&r->crew, &r->w, &layers.table);
  r->work = simulate_work(largest_work(&layers.table));
  return s;
}

static void end(struct rank *r) {
  simulate_no_work(r->work);
  crew_free(&r->crew);
  owners_free(&r->owners);
  reduction_free(&r->reduction);
  MPI_Comm_free(&r->w.comm);
}

/* --- a step, as jobs/step.c and jobs/state.c make it ------------------------------------------------------------------- */

/* One micro-batch. Weights of the step before may still be on their way. */
static void way_there(struct rank *r) {
  double at = 0, calls = 0;
  for (size_t i = 0; i < layers.there.count; i++) {
    const struct way_there_event *e = &layers.there.list[i];
    const int pieces = (int)(e->calls - calls + 0.5) + 1;
    for (int k = 0; k < pieces; k++) {
      simulate_seconds(scale * (e->at - at) / pieces);
      if (k + 1 < pieces && travels(r)) owners_progress(&r->owners);
    }
    if (travels(r) && e->first < e->end) r->exposed += owners_need(&r->owners, e->first, e->end);
    at = e->at, calls = e->calls;
  }
  simulate_seconds(scale * (layers.gradient - at - way_back_seconds(&layers.way)));
  if (travels(r)) r->exposed += owners_finish(&r->owners);
}

static void gradient(struct rank *r) {
  static char nothing[1];   /* where the gradient would lie; nobody looks */
  way_there(r);
  if (travels(r)) reduction_begin(&r->reduction, nothing);
  for (size_t i = 0; i < layers.way.count; i++) {
    const struct way_back_event *e = &layers.way.list[i];
    const int pieces = (int)(e->calls + 0.5) + 1;
    for (int k = 0; k < pieces; k++) {
      simulate_seconds(scale * e->seconds / pieces);
      if (k + 1 < pieces && travels(r)) reduction_progress(&r->reduction);
    }
    if (travels(r)) reduction_final(&r->reduction, e->offset);
  }
  ends(r, GRADIENT);
  if (!travels(r)) return;
  double sums[14] = { 0 }, most[7] = { 0 };
  reduction_wait(&r->reduction);
  ends(r, OWN_SUMS);
  reduce_sum_double(r->w.comm, 14, sums);
  reduce_max_double(r->w.comm, 7, most);
  ends(r, AGREEMENT);
}

static void move_on(struct rank *r) {
  reduction_progress(&r->reduction);
  owners_progress(&r->owners);
}

static void breathe(void *rank) { move_on(rank); }

static int helped(const struct rank *r, const struct tensor *t) {
  return r->crew.size > 1 && t->crew > 1;
}

/* Matrices that this rank does at the same time, a thread each (src/optim/optimizer.c): MPI is called between such rounds. */
static int at_once(const struct rank *r) {
  int mine = 0;
  for (size_t i = 0; i < layers.table.count; i++)
    mine += layers.table.tensors[i].rule == RULE_MUON && layers.table.tensors[i].owner == r->w.rank;
  return r->crew.size < 2 && mine >= threads ? (int)threads : 1;
}

/* Of a step of Newton-Schulz, the seconds of its three products; those of matrices at the same time add up. */
struct products { double seconds[3]; };

static void add_products(struct products *p, const struct tensor *t, double share) {
  const size_t a = t->shape[0], b = t->shape[1];
  const double n = (double)(a < b ? a : b), m = (double)(a < b ? b : a), flops[3] = { n * n * m, n * n * n, 2 * n * n * m };
  for (int i = 0; i < 3; i++) p->seconds[i] += share * flops[i] * simulate_seconds_per_flop;
}

static void by_itself(struct rank *r, struct products *p) {
  for (int i = 0; i < 3 * NEWTON_SCHULZ_STEPS && p->seconds[0] > 0; i++) {
    if (i && travels(r)) move_on(r);
    simulate_seconds(p->seconds[i % 3]);
  }
  *p = (struct products){ { 0 } };
}

static void update(struct rank *r) {
  static float nothing[1];
  const int round = at_once(r);
  int in_round = 0;
  struct products alone = { { 0 } };
  if (travels(r)) owners_begin(&r->owners, nothing);
  for (size_t i = 0; i < layers.table.count; i++) {
    const struct tensor *t = &layers.table.tensors[i];
    if (t->rule != RULE_MUON || (travels(r) && t->owner != r->w.rank)) continue;
    if (in_round == 0 && travels(r)) {
      by_itself(r, &alone);
      owners_ready(&r->owners, t->offset);
      move_on(r);
    }
    in_round = (in_round + 1) % round;
    if (helped(r, t)) crew_newton_schulz(&r->crew, t->shape[0], t->shape[1], r->work, r->work + t->size, breathe, r);
    else add_products(&alone, t, travels(r) ? 1 : 1.0 / r->w.ranks);
  }
  by_itself(r, &alone);
  crew_help(&r->crew, &layers.table, r->work, breathe, r);
  ends(r, NEWTON_SCHULZ);
  if (travels(r)) owners_done(&r->owners);
  const double part = travels(r) ? (double)r->mine.count / (double)layers.table.size : 1.0 / r->w.ranks;
  simulate_seconds(optimizer_scale * layers.ema * part);
  ends(r, AVERAGES);
  if (travels(r) && !later) r->exposed += owners_finish(&r->owners);
  if (travels(r)) reduction_finish(&r->reduction);
  ends(r, STEP);
}

/* --- what is told ------------------------------------------------------------------------------------------------------ */

/* latest: the ends of the parts on the rank that came last there. */
static void print(const struct rank *r, const double latest[PARTS], double exposed) {
  const double seconds = latest[STEP];
  const double best = scale * layers.gradient + optimizer_scale * layers.optimizer / r->w.ranks;
  cJSON *o = cJSON_CreateObject(), *b = cJSON_CreateObject();
  const struct { const char *name; double value; } all[] = {
    { "ranks", r->w.ranks }, { "threads", (double)threads }, { "batch_size", images * r->w.ranks },
    { "images_per_s", images * r->w.ranks / seconds }, { "step_seconds", seconds }, { "reduce_exposed", exposed },
    { "efficiency", best / seconds }, { "gradient_seconds", scale * layers.gradient },
    { "optimizer_seconds", optimizer_scale * layers.optimizer / r->w.ranks }, { "reduce_seconds", r->reduction.figures.total },
    { "reduce_bytes", (double)layers.table.size * sizeof(float) }, { "buckets", (double)r->reduction.buckets.count },
    { "messages", simulate_messages / 2 },   /* of two steps */
  };
  cJSON_AddStringToObject(o, "study", study);
  cJSON_AddStringToObject(o, "net", label);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cJSON_AddNumberToObject(b, all[i].name, all[i].value);
  cJSON *list = cJSON_AddObjectToObject(b, "latest");
  for (int i = 0; i < PARTS; i++) cJSON_AddNumberToObject(list, part_name[i], latest[i]);
  cJSON_AddItemToObject(o, "bench", b);
  char *text = cJSON_PrintUnformatted(o);
  if (text) puts(text);
  cJSON_free(text);
  cJSON_Delete(o);
}

int main(int argc, char **argv) {
  struct rank r = { .exposed = 0 };
  MPI_Init(&argc, &argv);
  load(argc, argv);
  const int bad = status ? status : begin(&r);
  if (!bad) {
    MPI_Barrier(r.w.comm);
    for (int step = 0; step < 2; step++) {
      r.began = MPI_Wtime();
      r.exposed = r.reduction.figures.exposed = r.reduction.figures.total = 0;
      gradient(&r);
      update(&r);
    }
    double exposed = r.reduction.figures.exposed + r.exposed;
    if (travels(&r)) owners_finish(&r.owners);
    reduce_max_double(r.w.comm, PARTS, r.ends);
    reduce_sum_double(r.w.comm, 1, &exposed);
    if (r.w.rank == 0) print(&r, r.ends, exposed / r.w.ranks);
    end(&r);
  } else {
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) fprintf(stderr, "pmf-simulate: %s\n", status_reason());
  }
  MPI_Finalize();
  return 0;   /* SMPI calls anything else a crash */
}
