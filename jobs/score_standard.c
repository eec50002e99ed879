#include "jobs/score_standard.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/disk.h"
#include "io/npz_read.h"
#include "jobs/over_seeds.h"
#include "jobs/score_statistics.h"
#include "mpi/agree.h"
#include "src/base/status.h"

enum { D = INCEPTION_FEATURES };

const char *score_standard_split(const struct standard_scores *j) { return j->split == SPLIT_TRAIN ? "training" : "held-out"; }

/* ---- what is asked for ---- */

static int open_images(struct standard_scores *j) {
  const struct score_words *words = j->words;
  if (j->from_net) {
    const struct settings *s = &j->t.s;
    int status = sweep_sampler(words->sweep, &j->t, words->t_min, words->t_max, &j->sampler);
    if (!status) status = trained_head(&j->t, words->head, words->solver, &j->sampler);
    j->generate = (struct generate){ .net = &j->t.net, .sampler = j->sampler, .n_labels = (size_t)s->dataset.num_classes,
                                     .seed = sweep_seed(words->sweep, s) };
    j->n = words->n ? words->n : (size_t)s->fid.num_samples;
    return status ? status : generate_init(&j->generate);
  }
  if (!words->images) return STATUS_OK;   /* statistics alone */
  const int status = image_files_open(&j->files, words->images);
  if (status) return status;
  if (words->n > j->files.n)
    return because(STATUS_BAD, "n=%zu: %s has %zu images", words->n, words->images, j->files.n);
  j->n = words->n ? words->n : j->files.n;
  if (j->n < 2) return because(STATUS_BAD, "%s has %zu image: a score needs 2 or more", words->images, j->n);
  return STATUS_OK;
}

/* Images to hold statistics against that say what they are of: a run's own, where data= names no others and they are at hand. */
static int own_images(const struct standard_scores *j) {
  return npz_has(j->statistics, "pmf_images") && !access(j->t.s.dataset.root, R_OK);
}

/* Where the reference is: an .npz, or images of a packed file. */
static int choose_reference(struct standard_scores *j) {
  const struct score_words *words = j->words;
  const struct settings *s = j->from_net ? &j->t.s : NULL;
  snprintf(j->statistics, sizeof j->statistics, "%s", words->reference ? words->reference
                                                      : s && !words->data && !words->both ? s->fid.cache_ref : "");
  if (*j->statistics && words->save_reference)
    return because(STATUS_BAD, "save_reference=%s: the reference is a file of statistics already", words->save_reference);
  const char *own = s && (!*j->statistics || own_images(j)) ? s->dataset.root : "";
  snprintf(j->data_path, sizeof j->data_path, "%s", words->data ? words->data : own);
  if (!*j->statistics && !*j->data_path)
    return because(STATUS_BAD, "expected data=FILE.h5 or reference=FILE.npz: what the images are compared with");
  j->split = words->split && !strcmp(words->split, "train") ? SPLIT_TRAIN : SPLIT_HELDOUT;
  const int status = *j->data_path ? dataset_open(&j->data, j->data_path) : STATUS_OK;
  if (status || *j->statistics) return status;
  j->reference = j->data.count[j->split];
  if (j->reference < 2)
    return because(STATUS_BAD, "%s has %zu %s images: expected at least 2 to compare with", j->data_path, j->reference,
                   score_standard_split(j));
  const int training = words->both ? score_splits_training(&j->data, &j->training) : STATUS_OK;
  return training ? training : score_statistics_identify(j, j->split, j->identity);
}

static int prepare(struct standard_scores *j) {
  const char *save = j->words->save_reference;
  if (save && j->w->rank == 0 && disk_may_write(save))   /* known now, not when all images have been looked at */
    return because(STATUS_IO, "%s: the statistics cannot be written there: %s", save, strerror(errno));
  const int status = open_images(j);
  return status ? status : choose_reference(j);
}

/* ---- scores ---- */

/* COLLECTIVE. */
static int look_at_training(struct standard_scores *j) {
  const struct packed_images packed = { &j->data, SPLIT_TRAIN, j->training };
  const struct source source = source_packed(&packed);
  snprintf(j->standard.scorer.things, sizeof j->standard.scorer.things, "training images");
  return standard_second(&j->standard, &source, j->training);
}

/* COLLECTIVE. */
static int look_at_reference(struct standard_scores *j) {
  if (*j->statistics) return agree(j->w->comm, j->w->rank ? STATUS_OK : score_statistics_read(j));
  const struct packed_images packed = { &j->data, j->split, j->reference };
  const struct source source = source_packed(&packed);
  snprintf(j->standard.scorer.things, sizeof j->standard.scorer.things, "images of the reference");
  int status = standard_reference(&j->standard, &source, j->reference);
  if (!status && j->training) status = look_at_training(j);
  if (!status && j->words->save_reference) status = agree(j->w->comm, j->w->rank ? STATUS_OK : score_statistics_write(j));
  return status;
}

int score_standard_deficient(const struct standard_score *r) { return r->n <= D || (r->reference && r->reference <= D); }

/* COLLECTIVE. */
static int add_row(struct standard_scores *j, const struct sweep_point *point, const struct source *source) {
  struct standard_row *row = &j->rows[j->n_rows++];
  const double began = progress_clock();
  row->point = *point;
  snprintf(j->standard.scorer.things, sizeof j->standard.scorer.things, "images, %s", point->name);
  int status = standard_score(&j->standard, source, j->n, &row->score);
  if (!status && j->training) status = standard_score_second(&j->standard, &row->train);
  row->point.score = row->score.fid;
  row->point.n = j->n;
  row->point.rank_deficient = score_standard_deficient(&row->score);
  if (!status && j->w->rank == 0)
    progress_say(&j->progress, "%s: %zu images in %.1f s", point->name, j->n, progress_clock() - began);
  return status;
}

/* COLLECTIVE. */
static int score_net(void *scores, const struct sweep_point *point) {
  struct standard_scores *j = scores;
  const struct generated_images generated = { &j->generate, j->t.weights };
  const struct source source = source_generated(&generated);
  j->generate.seed = point->seed;
  return add_row(j, point, &source);
}

/* COLLECTIVE. */
static int score_images(struct standard_scores *j) {
  if (j->from_net) return sweep_run(j->words->sweep, &j->t, j->w, &j->generate.sampler, score_net, j);
  struct image_files *files = &j->files;
  const struct source source = image_files_source(&files);
  return j->n ? add_row(j, &(struct sweep_point){ .name = "images" }, &source) : STATUS_OK;
}

struct score_splits score_standard_splits(const struct standard_row *row) {
  return (struct score_splits){ { row->score.fid, row->train.fid }, { row->score.kid, row->train.kid } };
}

struct over_seeds score_standard_seeds(const struct standard_scores *j, size_t from) {
  struct over_seeds o = over_seeds(&j->rows[from].point, j->words->sweep->seeds);
  double fid[SWEEP_EACH], is[SWEEP_EACH], kid[SWEEP_EACH], difference[SWEEP_EACH];
  for (size_t i = 0; i < o.seeds; i++) {
    const struct standard_score *s = &j->rows[from + i].score;
    fid[i] = s->fid, is[i] = s->is, kid[i] = s->kid;
    difference[i] = s->fid - j->rows[from + i].train.fid;
  }
  over_seeds_add(&o, "fid", fid);
  over_seeds_add(&o, "inception_score", is);
  over_seeds_add(&o, "kid", kid);
  if (j->training) over_seeds_add(&o, "fid_difference", difference);
  return o;
}

/* ---- telling ---- */

void score_standard_name(const struct standard_scores *j, char text[64]) {
  if (j->standard.standard_weights) snprintf(text, 64, "FID");
  else snprintf(text, 64, "FID[%s]", j->standard.facts.hash);
}

/* The table or the line, and of a sweep a picture and its numbers. */
static int tell(const struct standard_scores *j) {
  struct sweep_point points[SWEEP_POINTS];
  char fid[64];
  if (!j->words->json) score_standard_table(j);
  const int status = j->words->json ? score_standard_json(j) : STATUS_OK;
  if (status || !j->words->out) return status;
  for (size_t i = 0; i < j->n_rows; i++) points[i] = j->rows[i].point;
  score_standard_name(j, fid);
  return sweep_tell(points, j->n_rows, fid, j->words->out);
}

/* ---- the job ---- */

int score_standard(const struct world *w, const struct score_words *words) {
  struct standard_scores *j = calloc(1, sizeof *j);
  int status = agree(w->comm, j ? STATUS_OK : because(STATUS_NOMEM, "no memory for a score"));
  if (status) return free(j), status;
  *j = (struct standard_scores){ .w = w, .words = words, .from_net = words->run || words->checkpoint, .data.fd = -1 };
  if (j->from_net) status = trained_open(&j->t, w, words->run, words->checkpoint, sweep_ema(words->sweep, 0));
  if (!status) status = agree(w->comm, prepare(j));
  if (!status && j->from_net) status = trained_load(&j->t, w);
  if (!status) {
    const size_t side = j->from_net ? j->t.net.config.image : 0, of = j->reference ? j->data.image_size : 0;
    const size_t image[3] = { j->from_net ? side : j->files.H, j->from_net ? side : j->files.W,
                              j->from_net ? j->t.net.config.channels : j->files.C };
    status = standard_open(&j->standard, w, words->inception, image, (size_t[]){ of, of, j->data.channels },
                           (size_t[]){ j->n, j->reference, j->training });
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
