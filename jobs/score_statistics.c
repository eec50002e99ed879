#include "jobs/score_statistics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/classifier_file.h"
#include "io/npz.h"
#include "io/npz_read.h"
#include "src/base/status.h"

enum { D = INCEPTION_FEATURES };

int score_statistics_identify(const struct standard_scores *j, enum split split, char identity[SCORE_IDENTITY]) {
  const struct dataset *d = &j->data;
  char hash[CLASSIFIER_HASH];
  const size_t side = d->image_size;
  const int status = classifier_file_split(j->data_path, split, hash);
  if (!status) snprintf(identity, SCORE_IDENTITY, "%s %zu x %zu x %zu, %zu", hash, side, side, d->channels, d->count[split]);
  return status;
}

/* Where the images are not at hand, their size must do. */
static int check_size(const struct standard_scores *j, const char *text) {
  const struct settings *s = &j->t.s;
  char size[SCORE_IDENTITY];
  snprintf(size, sizeof size, " %ld x %ld x %ld, ", s->dataset.image_size, s->dataset.image_size, s->dataset.image_channels);
  if (strstr(text, size)) return STATUS_OK;
  return because(STATUS_BAD, "%s: statistics of images of another size (%s) than%.*s, which %s makes", j->statistics, text,
                 (int)strlen(size) - 2, size, j->t.path);
}

/* The part of the data that split= names; of a run's own, where it is not given, either, and then it is told which. */
static int check_images(struct standard_scores *j) {
  const int either = !j->words->data && !j->words->split;
  char text[SCORE_IDENTITY], identity[SCORE_IDENTITY];
  int status = npz_text(j->statistics, "pmf_images", text, sizeof text);
  if (status) return status;
  if (!*j->data_path) return j->from_net ? check_size(j, text) : STATUS_OK;
  for (enum split split = SPLIT_TRAIN; split <= SPLIT_HELDOUT; split++) {
    if (split != j->split && !either) continue;
    if ((status = score_statistics_identify(j, split, identity))) return status;
    if (strcmp(text, identity)) continue;
    j->split = split;
    j->known = 1;
    return STATUS_OK;
  }
  return because(STATUS_BAD, "%s: statistics of other images (%s) than those of %s (%s%s)", j->statistics, text, j->data_path,
                 either ? "of either split; held out: " : "", identity);
}

static int check_origin(struct standard_scores *j) {
  char text[SCORE_IDENTITY];
  if (npz_has(j->statistics, "pmf_network")) {
    const int status = npz_text(j->statistics, "pmf_network", text, sizeof text);
    if (status) return status;
    if (strcmp(text, j->standard.facts.hash))
      return because(STATUS_BAD, "%s: statistics by a network with hash %s, %s has %s", j->statistics, text, j->words->inception,
                     j->standard.facts.hash);
  }
  return npz_has(j->statistics, "pmf_images") ? check_images(j) : STATUS_OK;
}

int score_statistics_read(struct standard_scores *j) {
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

int score_statistics_write(struct standard_scores *j) {
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
