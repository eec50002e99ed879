#include "jobs/score_splits.h"

#include <math.h>
#include <stdio.h>

#include "io/json.h"
#include "src/base/status.h"

int score_splits_training(const struct dataset *d, size_t *images) {
  *images = d->count[SPLIT_HELDOUT];
  if (*images <= d->count[SPLIT_TRAIN]) return STATUS_OK;
  return because(STATUS_BAD, "%s has %zu training images, fewer than its %zu held-out ones: split=both takes as many of both",
                 d->path, d->count[SPLIT_TRAIN], *images);
}

void score_splits_head(const char *fid, const char *kid) {
  printf("\n%-28s %38s %38s\n%-28s", "", fid, kid, "");
  for (int i = 0; i < 2; i++) printf(" %12s %12s %12s", "held out", "training", "difference");
  puts("");
}

static void print_cells(const char *format, const double of[2]) {
  const double x[3] = { of[0], of[1], of[0] - of[1] };
  for (int i = 0; i < 3; i++) {
    char cell[32] = "-";
    if (isfinite(x[i])) snprintf(cell, sizeof cell, format, x[i]);
    printf(" %12s", cell);
  }
}

void score_splits_row(const char *images, const struct score_splits *s, int deficient) {
  printf("%-28s", images);
  print_cells("%.3f", s->fid);
  print_cells("%.4g", s->kid);
  puts(deficient ? "  N < D" : "");
}

void score_splits_seeds(const struct over_seeds *o) {
  printf("over %zu seeds, %s: difference %.3f +- %.3f\n", o->seeds, o->images, o->number[o->count - 1].mean,
         o->number[o->count - 1].deviation);
}

void score_splits_foot(size_t held_out, size_t training) {
  printf("against %zu held-out and %zu training images; difference: how much nearer to the training images. A large part of the\n"
         "distance itself is the sign of images learned by heart; a few hundredths of it, of either sign, are how both sets differ\n",
         held_out, training);
}

static void put(cJSON *row, const char *name, const double of[2]) {
  char member[64];
  snprintf(member, sizeof member, "%s_train", name);
  json_put(row, member, of[1]);
  snprintf(member, sizeof member, "%s_difference", name);
  json_put(row, member, of[0] - of[1]);
}

void score_splits_json(cJSON *row, const char *fid, const char *kid, const struct score_splits *s) {
  put(row, fid, s->fid);
  put(row, kid, s->kid);
}
