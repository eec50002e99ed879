#include "jobs/score_standard.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/classifier_file.h"
#include "io/npz.h"
#include "io/npz_read.h"
#include "io/progress.h"
#include "io/utf8.h"
#include "jobs/image_files.h"
#include "jobs/setup.h"
#include "jobs/standard.h"
#include "jobs/trained.h"
#include "mpi/agree.h"
#include "src/base/status.h"

enum { D = INCEPTION_FEATURES, HASH = 64 };

struct row { struct sweep_point point; struct standard_score score; };
struct job {
  const struct world *w;
  const struct score_words *words;
  struct trained t;
  struct sampler sampler;
  struct generate generate;
  struct image_files files;
  struct dataset data;
  enum split split;
  char data_path[TEXT_MAX], statistics[TEXT_MAX];   /* "": without */
  char identity[HASH];                              /* of the reference images, their crop and number */
  int known;                                        /* rank 0: the statistics are those of the split, as they say */
  size_t n, reference;
  struct standard standard;
  struct progress progress;
  struct row rows[SWEEP_POINTS];
  int n_rows;
};

static int from_net(const struct job *j) { return *j->words->run || *j->words->checkpoint; }
static const char *split_name(const struct job *j) { return j->split == SPLIT_TRAIN ? "training" : "held-out"; }

/* ---- what is asked for ---- */

static int open_images(struct job *j) {
  const struct score_words *words = j->words;
  if (from_net(j)) {
    const struct settings *s = &j->t.s;
    int status = sweep_sampler(words->sweep, &j->t, words->t_min, words->t_max, &j->sampler);
    if (!status) status = trained_head(&j->t, *words->head ? words->head : NULL, *words->solver ? words->solver : NULL, &j->sampler);
    j->generate = (struct generate){ .net = &j->t.net, .sampler = j->sampler, .n_labels = (size_t)s->dataset.num_classes,
                                     .seed = sweep_seed(words->sweep, s) };
    j->n = (size_t)(words->n ? words->n : s->fid.num_samples);
    return status ? status : generate_init(&j->generate);
  }
  if (!*words->images) return STATUS_OK;   /* statistics alone */
  const int status = image_files_open(&j->files, words->images);
  if (status) return status;
  if (words->n && (size_t)words->n > j->files.n)
    return because(STATUS_BAD, "n=%ld: %s has %zu images", words->n, words->images, j->files.n);
  j->n = words->n ? (size_t)words->n : j->files.n;
  if (j->n < 2) return because(STATUS_BAD, "%s has %zu image: a score needs 2 or more", words->images, j->n);
  return STATUS_OK;
}

/* Of the images of a split: checksums, crop and number. */
static int identify(const struct job *j, enum split split, char identity[HASH]) {
  const struct dataset *d = &j->data;
  char hash[CLASSIFIER_HASH];
  const size_t side = d->image_size;
  const int status = classifier_file_split(j->data_path, split, hash);
  if (!status) snprintf(identity, HASH, "%s %zu x %zu x %zu, %zu", hash, side, side, d->channels, d->count[split]);
  return status;
}

/* Images to hold statistics against that say what they are of: a run's own, where data= names no others and they are at hand. */
static int own_images(const struct job *j) {
  return npz_has(j->statistics, "pmf_images") && !access(j->t.s.dataset.root, R_OK);
}

/* Where the reference is: an .npz, or images of a packed file. */
static int choose_reference(struct job *j) {
  const struct score_words *words = j->words;
  const struct settings *s = from_net(j) ? &j->t.s : NULL;
  snprintf(j->statistics, sizeof j->statistics, "%s", *words->reference ? words->reference
                                                      : s && !*words->data ? s->fid.cache_ref : "");
  if (*j->statistics && *words->save_reference)
    return because(STATUS_BAD, "save_reference=%s: the reference is a file of statistics already", words->save_reference);
  const char *own = s && (!*j->statistics || own_images(j)) ? s->dataset.root : "";
  snprintf(j->data_path, sizeof j->data_path, "%s", *words->data ? words->data : own);
  if (!*j->statistics && !*j->data_path)
    return because(STATUS_BAD, "expected data=FILE.h5 or reference=FILE.npz: what the images are compared with");
  j->split = !strcmp(words->split, "train") ? SPLIT_TRAIN : SPLIT_HELDOUT;
  const int status = *j->data_path ? dataset_open(&j->data, j->data_path) : STATUS_OK;
  if (status || *j->statistics) return status;
  j->reference = j->data.count[j->split];
  if (j->reference < 2)
    return because(STATUS_BAD, "%s has %zu %s images: expected at least 2 to compare with", j->data_path, j->reference,
                   split_name(j));
  return identify(j, j->split, j->identity);
}

static int prepare(struct job *j) {
  const int status = open_images(j);
  return status ? status : choose_reference(j);
}

/* ---- statistics in a file ---- */

/* Where the images are not at hand, their size must do. */
static int check_size(const struct job *j, const char *text) {
  const struct settings *s = &j->t.s;
  char size[HASH];
  snprintf(size, sizeof size, " %ld x %ld x %ld, ", s->dataset.image_size, s->dataset.image_size, s->dataset.image_channels);
  if (strstr(text, size)) return STATUS_OK;
  return because(STATUS_BAD, "%s: statistics of images of another size (%s) than%.*s, which %s makes", j->statistics, text,
                 (int)strlen(size) - 2, size, j->t.path);
}

/* The part of the data that split= names; of a run's own, where it is not given, either, and then it is told which. */
static int check_images(struct job *j) {
  const int either = !*j->words->data && !*j->words->split;
  char text[HASH], identity[HASH];
  int status = npz_text(j->statistics, "pmf_images", text, sizeof text);
  if (status) return status;
  if (!*j->data_path) return from_net(j) ? check_size(j, text) : STATUS_OK;
  for (enum split split = SPLIT_TRAIN; split <= SPLIT_HELDOUT; split++) {
    if (split != j->split && !either) continue;
    if ((status = identify(j, split, identity))) return status;
    if (strcmp(text, identity)) continue;
    j->split = split;
    j->known = 1;
    return STATUS_OK;
  }
  return because(STATUS_BAD, "%s: statistics of other images (%s) than those of %s (%s%s)", j->statistics, text, j->data_path,
                 either ? "of either split; held out: " : "", identity);
}

/* What it says of itself must be so; what others publish says nothing. */
static int check_origin(struct job *j) {
  char text[HASH];
  if (npz_has(j->statistics, "pmf_network")) {
    const int status = npz_text(j->statistics, "pmf_network", text, sizeof text);
    if (status) return status;
    if (strcmp(text, j->standard.facts.hash))
      return because(STATUS_BAD, "%s: statistics by a network with hash %s, %s has %s", j->statistics, text, j->words->inception,
                     j->standard.facts.hash);
  }
  return npz_has(j->statistics, "pmf_images") ? check_images(j) : STATUS_OK;
}

static int read_statistics(struct job *j) {
  const char *path = j->statistics;
  const int other = !npz_has(path, "mu") && npz_has(path, "ref_mu");
  struct moments *m = &j->standard.statistics;
  int status = check_origin(j);
  if (status) return status;
  m->mean = malloc((D + (size_t)D * D) * sizeof *m->mean);
  if (!m->mean) return because(STATUS_NOMEM, "no memory for the statistics of %d features", D);
  m->S = m->mean + D;
  m->n = 2;   /* S/(n-1) is the covariance */
  m->D = D;
  status = npz_doubles(path, other ? "ref_mu" : "mu", D, m->mean);
  return status ? status : npz_doubles(path, other ? "ref_sigma" : "sigma", (size_t)D * D, m->S);
}

static int all_at_once(void *context, const void **data, size_t *bytes) {
  const struct { const void *data; size_t bytes; } *all = context;
  *data = all->data;
  *bytes = all->bytes;
  return STATUS_OK;
}

static int write_statistics(struct job *j) {
  double *mean, n = (double)j->reference;
  const int status = standard_statistics(&j->standard, &mean);
  if (status) return status;
  const char *hash = j->standard.facts.hash;
  struct { const void *data; size_t bytes; } all[] = {
    { mean, D * sizeof *mean }, { mean + D, (size_t)D * D * sizeof *mean }, { &n, sizeof n }, { hash, strlen(hash) },
    { j->identity, strlen(j->identity) },
  };
  const struct npz_array arrays[] = {
    { "mu", "<f8", 1, { D }, all_at_once, &all[0] }, { "sigma", "<f8", 2, { D, D }, all_at_once, &all[1] },
    { "n", "<f8", 1, { 1 }, all_at_once, &all[2] }, { "pmf_network", "|u1", 1, { all[3].bytes }, all_at_once, &all[3] },
    { "pmf_images", "|u1", 1, { all[4].bytes }, all_at_once, &all[4] },
  };
  const int written = npz_write(j->words->save_reference, sizeof arrays / sizeof *arrays, arrays);
  free(mean);
  if (!written) progress_say(&j->progress, "pmf: statistics of %zu images in %s", j->reference, j->words->save_reference);
  return written;
}

/* ---- scores ---- */

/* COLLECTIVE. */
static int look_at_reference(struct job *j) {
  if (*j->statistics) return agree(j->w->comm, j->w->rank ? STATUS_OK : read_statistics(j));
  const struct packed_images packed = { &j->data, j->split, j->reference };
  const struct source source = source_packed(&packed);
  snprintf(j->standard.scorer.things, sizeof j->standard.scorer.things, "images of the reference");
  int status = standard_reference(&j->standard, &source, j->reference);
  if (!status && *j->words->save_reference) status = agree(j->w->comm, j->w->rank ? STATUS_OK : write_statistics(j));
  return status;
}

static int rank_deficient(const struct standard_score *r) { return r->n <= D || (r->reference && r->reference <= D); }

/* COLLECTIVE. */
static int add_row(struct job *j, const struct sweep_point *point, const struct source *source) {
  struct row *row = &j->rows[j->n_rows++];
  const double began = progress_clock();
  row->point = *point;
  snprintf(j->standard.scorer.things, sizeof j->standard.scorer.things, "images, %s", point->name);
  const int status = standard_score(&j->standard, source, j->n, &row->score);
  row->point.score = row->score.fid;
  row->point.n = j->n;
  row->point.rank_deficient = rank_deficient(&row->score);
  if (!status && j->w->rank == 0) progress_say(&j->progress, "%s: %zu images in %.1f s", point->name, j->n, progress_clock() - began);
  return status;
}

/* COLLECTIVE. */
static int score_net(void *job, const struct sweep_point *point) {
  struct job *j = job;
  const struct generated_images generated = { &j->generate, j->t.weights };
  const struct source source = source_generated(&generated);
  j->generate.seed = point->seed;
  return add_row(j, point, &source);
}

/* COLLECTIVE. */
static int score_images(struct job *j) {
  if (from_net(j)) return sweep_run(j->words->sweep, &j->t, j->w, &j->generate.sampler, score_net, j);
  struct image_files *files = &j->files;
  const struct source source = image_files_source(&files);
  return j->n ? add_row(j, &(struct sweep_point){ .name = "images" }, &source) : STATUS_OK;
}

/* ---- telling ---- */

/* Plain FID is the name of one network's alone. */
static void name_fid(const struct job *j, char text[64]) {
  if (j->standard.standard_weights) snprintf(text, 64, "FID");
  else snprintf(text, 64, "FID[%s]", j->standard.facts.hash);
}

static void put(cJSON *o, const char *name, double value) {
  if (isfinite(value)) cJSON_AddNumberToObject(o, name, value);
  else cJSON_AddNullToObject(o, name);
}

static void number(char text[32], const char *format, double value) {
  if (isfinite(value)) snprintf(text, 32, format, value);
  else snprintf(text, 32, "-");
}

static double fid_of(const struct standard_score *r) { return r->fid; }
static double is_of(const struct standard_score *r) { return r->is; }
static double kid_of(const struct standard_score *r) { return r->kid_subsets ? r->kid : NAN; }

/* Of the rows from number `from`, which are one setting's with each seed. */
static struct spread over_seeds(const struct job *j, size_t from, double (*of)(const struct standard_score *)) {
  double x[SWEEP_EACH];
  for (size_t i = 0; i < j->words->sweep->seeds; i++) x[i] = of(&j->rows[from + i].score);
  return sweep_spread(j->words->sweep->seeds, x);
}

static void put_over_seeds(const struct job *j, cJSON *o) {
  static const struct { const char *name, *deviation; double (*of)(const struct standard_score *); } numbers[] = {
    { "fid", "fid_deviation", fid_of }, { "inception_score", "inception_score_deviation", is_of },
    { "kid", "kid_deviation", kid_of } };
  const size_t seeds = j->words->sweep->seeds;
  if (seeds < 2) return;
  cJSON *list = cJSON_AddArrayToObject(o, "over_seeds");
  for (size_t i = 0; i < (size_t)j->n_rows; i += seeds) {
    cJSON *item = cJSON_CreateObject();
    char name[sizeof j->rows->point.name];
    snprintf(name, sizeof name, "%.*s", j->rows[i].point.stem, j->rows[i].point.name);
    cJSON_AddStringToObject(item, "images", name);
    put(item, "seeds", (double)seeds);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
      const struct spread s = over_seeds(j, i, numbers[k].of);
      put(item, numbers[k].name, s.mean), put(item, numbers[k].deviation, s.deviation);
    }
    cJSON_AddItemToArray(list, item);
  }
}

static void print_over_seeds(const struct job *j) {
  const size_t seeds = j->words->sweep->seeds;
  for (size_t i = 0; seeds > 1 && i < (size_t)j->n_rows; i += seeds) {
    const struct spread fid = over_seeds(j, i, fid_of), is = over_seeds(j, i, is_of), kid = over_seeds(j, i, kid_of);
    char t[4][32];
    number(t[0], "%.2f", is.mean), number(t[1], "%.2f", is.deviation);
    number(t[2], "%.5f", kid.mean), number(t[3], "%.5f", kid.deviation);
    printf("over %zu seeds, %.*s: %.3f +- %.3f, Inception Score %s +- %s, KID %s +- %s\n", seeds, j->rows[i].point.stem,
           j->rows[i].point.name, fid.mean, fid.deviation, t[0], t[1], t[2], t[3]);
  }
}

static int print_json(const struct job *j) {
  cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "scores");
  char fid[64];
  name_fid(j, fid);
  cJSON_AddStringToObject(o, "of", from_net(j) ? j->t.path : j->words->images);
  if (from_net(j) && !sweep_is(j->words->sweep)) cJSON_AddStringToObject(o, "ema", j->t.ema);
  put(o, "seed", from_net(j) && j->words->sweep->seeds < 2 ? (double)j->generate.seed : NAN);
  cJSON_AddStringToObject(o, "reference", *j->statistics ? j->statistics : j->data_path);
  cJSON_AddStringToObject(o, "split", *j->statistics && !j->known ? "statistics" : j->split == SPLIT_TRAIN ? "train" : "held-out");
  cJSON_AddStringToObject(o, "network", j->standard.facts.hash);
  cJSON_AddStringToObject(o, "network_sha256", j->standard.facts.sha256[0]);
  cJSON_AddStringToObject(o, "fid_name", fid);
  for (int i = 0; i < j->n_rows; i++) {
    const struct standard_score *r = &j->rows[i].score;
    cJSON *item = cJSON_CreateObject();
    const struct sweep_point *point = &j->rows[i].point;
    cJSON_AddStringToObject(item, "images", point->name);
    if (from_net(j)) {
      cJSON_AddStringToObject(item, "ema", point->ema);
      put(item, "omega", point->omega), put(item, "t_min", point->t_min), put(item, "t_max", point->t_max);
      put(item, "seed", (double)point->seed);
    }
    put(item, "n", (double)r->n), put(item, "reference_n", r->reference ? (double)r->reference : NAN);
    put(item, "fid", r->fid), put(item, "clipped", r->clipped), put(item, "fid_infinite", r->fid_infinite);
    put(item, "inception_score", r->is), put(item, "inception_score_deviation", r->is_deviation);
    put(item, "kid", r->kid_subsets ? r->kid : NAN), put(item, "kid_deviation", r->kid_subsets ? r->kid_deviation : NAN);
    put(item, "kid_subsets", (double)r->kid_subsets), put(item, "precision", r->precision), put(item, "recall", r->recall);
    cJSON_AddBoolToObject(item, "rank_deficient", rank_deficient(r));
    cJSON_AddItemToArray(list, item);
  }
  put_over_seeds(j, o);
  char *text = cJSON_PrintUnformatted(o);
  if (text) utf8_mend(text), puts(text);
  cJSON_free(text);
  cJSON_Delete(o);
  return text ? STATUS_OK : because(STATUS_NOMEM, "no memory for a line of JSON");
}

static void print_row(const struct row *row) {
  const struct standard_score *r = &row->score;
  char t[8][32];
  number(t[0], "%.3f", r->fid), number(t[1], "%.3f", r->fid_infinite);
  number(t[2], "%.2f", r->is), number(t[3], "%.2f", r->is_deviation);
  number(t[4], "%.5f", r->kid_subsets ? r->kid : NAN), number(t[5], "%.5f", r->kid_subsets ? r->kid_deviation : NAN);
  number(t[6], "%.3f", r->precision), number(t[7], "%.3f", r->recall);
  printf("%-28s %12s %12s %10s +-%8s %10s +-%9s %9s %9s%s\n", row->point.name, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7],
         rank_deficient(r) ? "  N < D" : "");
}

static int print_table(const struct job *j) {
  char fid[64];
  name_fid(j, fid);
  printf("%s%s%s: N %zu against ", from_net(j) ? j->t.path : j->words->images, from_net(j) ? ", " : "",
         !from_net(j) ? "" : sweep_is(j->words->sweep) ? "a sweep" : j->t.ema, j->n);
  if (*j->statistics) printf("the statistics of %s", j->statistics);
  if (*j->statistics && j->known) printf(", which are those of ");
  if (!*j->statistics || j->known) printf("the %s images of %s", split_name(j), j->data_path);
  puts("");
  printf("network %s (hash %s, SHA-256 of its source %s)\n", j->words->inception, j->standard.facts.hash,
         *j->standard.facts.sha256[0] ? j->standard.facts.sha256[0] : "unknown");
  if (!j->standard.standard_weights)
    printf("these are not the weights that FID is defined by: compare nothing with published numbers\n");
  printf("\n%-28s %12s %12s %20s %21s %9s %9s\n", "", fid, "N -> inf", "Inception Score", "KID", "precision", "recall");
  for (int i = 0; i < j->n_rows; i++) print_row(&j->rows[i]);
  print_over_seeds(j);
  for (int i = 0; i < j->n_rows; i++)
    if (rank_deficient(&j->rows[i].score)) {
      printf("N < D: no more images than the %d features, the covariance is rank-deficient: compare with nothing of another N\n", D);
      break;
    }
  double clipped = 0;
  for (int i = 0; i < j->n_rows; i++) clipped = fmax(clipped, j->rows[i].score.clipped);
  printf("%s", score_clipped(clipped, (char[SCORE_CLIPPED]){ "" }));
  return STATUS_OK;
}

/* The table or the line, and of a sweep a picture and its numbers. */
static int tell(const struct job *j) {
  struct sweep_point points[SWEEP_POINTS];
  char fid[64];
  const int status = j->words->json ? print_json(j) : print_table(j);
  if (status || !*j->words->out) return status;
  for (int i = 0; i < j->n_rows; i++) points[i] = j->rows[i].point;
  name_fid(j, fid);
  return sweep_tell(points, (size_t)j->n_rows, fid, j->words->out);
}

int score_standard(const struct world *w, const struct score_words *words) {
  struct job *j = calloc(1, sizeof *j);
  int status = agree(w->comm, j ? STATUS_OK : because(STATUS_NOMEM, "no memory for a score"));
  if (status) return free(j), status;
  *j = (struct job){ .w = w, .words = words, .data.fd = -1 };
  if (from_net(j))
    status = trained_open(&j->t, w, *words->run ? words->run : NULL, *words->checkpoint ? words->checkpoint : NULL,
                          sweep_ema(words->sweep, 0));
  if (!status) status = agree(w->comm, prepare(j));
  if (!status && from_net(j)) status = trained_load(&j->t, w);
  if (!status) {
    const size_t side = from_net(j) ? j->t.net.config.image : 0, of = j->reference ? j->data.image_size : 0;
    const size_t image[3] = { from_net(j) ? side : j->files.H, from_net(j) ? side : j->files.W,
                              from_net(j) ? j->t.net.config.channels : j->files.C };
    status = standard_open(&j->standard, w, words->inception, image, (size_t[]){ of, of, j->data.channels },
                           (size_t[]){ j->n, j->reference });
  }
  j->standard.scorer.progress = &j->progress;
  if (!status) status = look_at_reference(j);
  if (!status) status = score_images(j);
  if (j->progress.live) fputc('\n', stderr);
  if (!status && j->n_rows) status = agree(w->comm, w->rank ? STATUS_OK : tell(j));
  standard_close(&j->standard);
  image_files_close(&j->files);
  generate_free(&j->generate);
  dataset_close(&j->data);
  trained_close(&j->t);
  free(j);
  return status;
}
