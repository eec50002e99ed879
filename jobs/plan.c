/* plan.c - pmf plan: what a training will take, before it is started: parameters, memory, flops, seconds. The memory comes from
 * the code that allocates; the seconds from the rate of products measured here. */
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "io/json.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/needs.h"
#include "jobs/predict.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static long ranks, threads;
static struct word words[] = {
  { .name = "ranks", .type = WORD_INTEGER, .value = &ranks, .min = 1, .max = 1e6,
    .help = "to plan for; those that run now" },
  { .name = "threads", .type = WORD_INTEGER, .value = &threads, .min = 1, .max = 1024,
    .help = "of a rank; those that run now" },
  { .name = "--json", .type = WORD_TEXT, .help = "one line of JSON" },
};
enum { RANKS, THREADS, JSON, WORDS };

void plan_help(void) {
  puts("usage: pmf plan preset=NAME | config=FILE.yml  [ranks=R threads=T key=value ...]\n\n"
       "Prints parameters, bytes of a rank by part, checkpoint size, flops by part, and seconds of a step\n"
       "from the rate of products measured here. Trains nothing.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexample:\n  pmf plan preset=pMF_B_16 ranks=64 threads=8 training.recompute=block");
}

struct plan {
  struct settings s;
  struct net net;
  struct needs needs;
  struct predicted work;
  size_t sampling;                /* parameters without the v head */
};

static size_t sampling_parameters(const struct table *t) {
  size_t sum = 0;
  for (size_t i = 0; i < t->count; i++)
    if (strncmp(t->tensors[i].name, "v_", 2)) sum += t->tensors[i].size;
  return sum;
}

static int make(struct plan *p) {
  const struct net_config config = setup_net(&p->s);
  const int status = net_init(&p->net, &config, p->s.training.optimizer == OPTIMIZER_ADAMW);
  if (status) return status;
  p->needs = needs_of(&p->net, &p->s, (int)ranks, 0);
  p->sampling = sampling_parameters(&p->net.table);
  return predict(&p->net, &p->s, (int)ranks, p->needs.micro, &p->work);
}

static void print_json(const struct plan *p) {
  const struct needs *k = &p->needs;
  const struct { const char *name; double value; } all[] = {
    { "parameters", (double)table_parameters(&p->net.table) }, { "parameters_sampling", (double)p->sampling },
    { "ranks", (double)ranks }, { "threads", (double)threads }, { "micro_batch", (double)k->micro },
    { "weights_bytes", (double)k->weights }, { "moments_bytes", (double)k->moments }, { "emas_bytes", (double)k->emas },
    { "gradients_bytes", (double)k->gradients }, { "activations_bytes", (double)k->activations },
    { "tangents_bytes", (double)k->tangents }, { "buffers_bytes", (double)k->buffers },
    { "rounded_bytes", (double)k->rounded }, { "optimizer_bytes", (double)k->optimizer }, { "loader_bytes", (double)k->loader },
    { "evaluation_bytes", (double)k->evaluation }, { "grids_bytes", (double)k->grids }, { "copy_bytes", (double)k->copy },
    { "messages_bytes", (double)k->messages }, { "perceptual_bytes", (double)k->perceptual },
    { "perceptual_flops_per_sample", p->work.perceptual }, { "perceptual_share", p->work.below }, { "total_bytes", (double)k->total },
    { "checkpoint_bytes", (double)k->checkpoint }, { "gradient_flops_per_image", p->work.gradient },
    { "newton_schulz_flops", p->work.newton_schulz }, { "sgemm_gflops", p->work.rate / 1e9 }, { "gradient_seconds", p->work.seconds[0] },
    { "newton_schulz_seconds", p->work.seconds[1] }, { "step_seconds", p->work.seconds[2] },
  };
  cJSON *o = cJSON_CreateObject();
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cJSON_AddNumberToObject(o, all[i].name, all[i].value);
  json_print(o);
}

static void print_table(const struct plan *p) {
  const struct needs *k = &p->needs;
  const struct flops *f = &p->work.flops;
  const double MiB = 1 << 20, G = 1e9;
  printf("parameters %.1f M in training, %.1f M in sampling\n", (double)table_parameters(&p->net.table) / 1e6,
         (double)p->sampling / 1e6);
  printf("ranks %ld of %ld thread%s; batch %ld, micro-batches of %zu image%s\n\nMiB of a rank\n", ranks, threads,
         threads > 1 ? "s" : "", p->s.training.batch_size, k->micro, k->micro > 1 ? "s" : "");
  struct needs_part parts[NEEDS_PARTS];
  needs_parts(k, parts);
  for (int i = 0; i < NEEDS_PARTS; i++) printf("  %-14s %10.1f\n", parts[i].name, (double)parts[i].bytes / MiB);
  printf("  %-14s %10.1f\n", "total", (double)k->total / MiB);
  printf("checkpoint %.1f MiB on disk; %ld are kept, and one more is there while it is written\n\n", (double)k->checkpoint / MiB,
         p->s.checkpoint.keep);
  printf("GF an image: forward %.2f, guidance %.2f (%.2f evaluations), tangent %.2f (%.2f), backward %.2f%s;"
         " together %.2f\n",
         f->forward / G, p->work.guidance * f->guidance / G, p->work.guidance, p->work.tangents * f->tangent / G, p->work.tangents, f->backward / G,
         p->s.training.recompute ? " with the blocks again" : "", p->work.gradient / G);
  if (p->work.perceptual > 0)
    printf("of them %.2f by the perceptual terms: %.2f for each sample below the threshold, %.2f of all; the classifier that serves"
           " without files is for this size of image\n", p->work.below * p->work.perceptual / G, p->work.perceptual / G, p->work.below);
  printf("GF of Newton-Schulz a step: %.1f, shared by the ranks\n", p->work.newton_schulz / G);
  printf("at the %.1f GF/s of this machine's products, were all else free: gradient %.3f s, Newton-Schulz %.3f s a step\n",
         p->work.rate / G, p->work.seconds[0], p->work.seconds[1]);
}

int plan_run(const struct world *w, int argc, char **argv) {
  struct plan p = { .net = { .blocks = NULL } };
  ranks = w->ranks;
  threads = omp_get_max_threads();
  int status = settings_load(&p.s, argc, argv, words, WORDS, NULL, 0);
  if (!status) status = settings_check(&p.s);
  if (!status) {
    omp_set_num_threads((int)threads);
    status = make(&p);
  }
  status = agree(w->comm, status);
  if (!status && w->rank == 0) settings_tell_unused();
  if (!status && w->rank == 0) (words[JSON].given ? print_json : print_table)(&p);
  net_free(&p.net);
  return status;
}
