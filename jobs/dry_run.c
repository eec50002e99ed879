#include "jobs/dry_run.h"

#include <math.h>
#include <stdio.h>

#include "jobs/predict.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static void tell_sizes(const struct trainer *t) {
  const struct needs *k = &t->needs;
  const double MiB = 1 << 20;
  fputs(t->text, stdout);
  printf("# %zu parameters, %llu steps of %ld images from %zu; ranks: %d; micro-batches of %zu\n",
         table_parameters(&t->net.table), (unsigned long long)t->steps, t->s.training.batch_size, t->data.count[SPLIT_TRAIN],
         t->w->ranks, k->micro);
  struct needs_part parts[NEEDS_PARTS];
  needs_parts(k, parts);
  printf("# MiB a rank: %.1f =", (double)k->total / MiB);
  for (int i = 0; i < NEEDS_PARTS; i++) printf("%s %s %.1f", i ? "," : "", parts[i].name, (double)parts[i].bytes / MiB);
  puts("");
  printf("# checkpoint %.1f MiB, %ld files are kept\n", (double)k->checkpoint / MiB, t->s.checkpoint.keep);
}

static void tell_time(const struct trainer *t, const struct predicted *p) {
  const double all = (double)t->steps * p->seconds[2];
  printf("# predicted: %.3g s a step of products alone, %.0f:%02.0f:%02.0f in all, at the %.1f GF/s of a rank's products here; measure"
         " with pmf bench step\n", p->seconds[2], floor(all / 3600), floor(fmod(all, 3600) / 60), floor(fmod(all, 60)), p->rate / 1e9);
}

int dry_run_tell(struct trainer *t) {
  struct predicted p;
  if (t->w->rank == 0) tell_sizes(t);
  const int status = agree(t->w->comm, predict(&t->net, &t->s, t->w->ranks, t->needs.micro, &p));   /* all at once, as they will compute */
  if (!status && t->w->rank == 0) tell_time(t, &p);
  return status;
}
