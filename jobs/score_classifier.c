#include "jobs/score_classifier.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/folder.h"
#include "io/memory.h"
#include "jobs/judge.h"
#include "jobs/over_seeds.h"
#include "jobs/recall.h"
#include "mpi/agree.h"
#include "src/base/status.h"

/* ---- what is asked for ---- */

/* The images must be of the kind that the net makes, and some held out. */
static int check_data(const struct classifier_scores *c) {
  const struct dataset *d = &c->data;
  const struct settings *s = &c->t.s;
  if (d->image_size != (size_t)s->dataset.image_size || d->channels != (size_t)s->dataset.image_channels)
    return because(STATUS_BAD, "%s has images of %zu x %zu with %zu channels, %s makes %ld x %ld with %ld", d->path,
                   d->image_size, d->image_size, d->channels, c->t.path, s->dataset.image_size, s->dataset.image_size,
                   s->dataset.image_channels);
  if (s->dataset.num_classes && d->classes != (size_t)s->dataset.num_classes)
    return because(STATUS_BAD, "%s has %zu classes, %s makes %ld", d->path, d->classes, c->t.path, s->dataset.num_classes);
  if (d->count[SPLIT_HELDOUT] < 2)
    return because(STATUS_BAD, "%s has %zu held-out images: expected at least 2 to compare with; pack it with some", d->path,
                   d->count[SPLIT_HELDOUT]);
  if (c->words->both && d->count[SPLIT_TRAIN] < 2)
    return because(STATUS_BAD, "%s has %zu training images: split=both compares with at least 2", d->path, d->count[SPLIT_TRAIN]);
  return STATUS_OK;
}

/* The run's own images. */
static int open_seen(struct classifier_scores *c) {
  const int status = dataset_open(&c->seen, c->t.s.dataset.root);
  if (status) return status;
  if (c->seen.image_size == c->data.image_size && c->seen.channels == c->data.channels) return STATUS_OK;
  return because(STATUS_BAD, "%s, which %s was trained on, has images of another size than %s", c->seen.path, c->t.path,
                 c->data.path);
}

/* Local. Before anything is scored: class means are taken at the end, and looked at like all others. */
static int check_memory(const struct classifier_scores *c) {
  const int here = c->w->node_ranks > 0 ? c->w->node_ranks : 1;
  const size_t have = memory_available() / (size_t)here;
  const size_t means = c->words->context ? source_means_bytes(&c->data) : 0;
  const size_t held_out = c->data.count[SPLIT_HELDOUT], images = c->n > held_out ? c->n : held_out;
  const size_t near = c->words->diversity ? nearest_bytes(&c->data, images, c->w->ranks) : 0;
  if (have && means > have)
    return because(STATUS_NOMEM, "the means of %zu classes take %.1f GB on each of %d ranks of this node, which has %.1f GB left"
                   " for each; context=no goes without", c->data.classes, (double)means / 1e9, here, (double)have / 1e9);
  if (have && means + near > have)
    return because(STATUS_NOMEM, "to look for training images takes %.1f GB on each of %d ranks of this node, which has %.1f GB"
                   " left for each; diversity=no goes without", (double)near / 1e9, here, (double)(have - means) / 1e9);
  return STATUS_OK;
}

/* Local: the words that go with the run, and the data. */
static int prepare(struct classifier_scores *c) {
  const struct score_words *words = c->words;
  const struct settings *s = &c->t.s;
  int status = sweep_sampler(words->sweep, &c->t, words->t_min, words->t_max, &c->sampler);
  if (!status) status = trained_head(&c->t, words->head, words->solver, &c->sampler);
  if (!status) status = judge_choose(s, words->judge, &c->role);
  if (status) return status;
  c->n = words->n ? words->n : (size_t)(s->fid.num_samples > SCORE_FEW ? s->fid.num_samples : SCORE_FEW);
  snprintf(c->data_path, sizeof c->data_path, "%s", words->data ? words->data : s->dataset.root);
  if (words->classifier) snprintf(c->judge_path, sizeof c->judge_path, "%s", words->classifier);
  else evaluator_path(c->data_path, c->role, c->judge_path, sizeof c->judge_path);
  status = dataset_open(&c->data, c->data_path);
  if (!status) status = check_data(c);
  if (!status && words->both) status = score_splits_training(&c->data, &c->training);
  if (!status) status = check_memory(c);
  return status || !words->diversity ? status : open_seen(c);
}

/* Local. */
static int allocate(struct classifier_scores *c) {
  c->generate = (struct generate){ .net = &c->t.net, .sampler = c->sampler, .seed = sweep_seed(c->words->sweep, &c->t.s),
                                   .n_labels = (size_t)c->t.s.dataset.num_classes };
  c->scorer = (struct scorer){ .w = c->w, .judge = &c->judge, .pixels = c->t.net.pixels, .progress = &c->progress,
                               .most = { c->data.count[SPLIT_HELDOUT], c->n, c->training } };
  const int status = generate_init(&c->generate);
  return status ? status : scorer_init(&c->scorer);
}

/* ---- scores ---- */

/* COLLECTIVE. A row of the table. */
static int add_row(struct classifier_scores *c, const char *name, size_t evaluations, struct source source, size_t images) {
  struct classifier_row *row = &c->rows[c->n_rows++];
  const double began = progress_clock();
  snprintf(row->point.name, sizeof row->point.name, "%s", name);
  row->evaluations = evaluations;
  snprintf(c->scorer.things, sizeof c->scorer.things, "images, %s", name);
  int status = scorer_score(&c->scorer, &source, images, &row->score);
  if (!status && c->training) status = scorer_score_second(&c->scorer, &row->train);
  if (!status && c->words->diversity) status = recall_of(&c->scorer, &row->precision, &row->recall);
  if (!status && c->words->diversity) status = nearest_training(c->w, &c->seen, &source, images, &row->nearest);
  if (!status && c->w->rank == 0) progress_say(&c->progress, "%s: %zu images in %.1f s", name, images, progress_clock() - began);
  return status;
}

/* COLLECTIVE. As near as one can come. */
static int score_training(struct classifier_scores *c) {
  const size_t all = c->data.count[SPLIT_TRAIN], images = c->n < all ? c->n : all;
  const struct packed_images training = { &c->data, SPLIT_TRAIN, images };
  return images < 2 ? STATUS_OK : add_row(c, "training images", 0, source_packed(&training), images);
}

/* COLLECTIVE. */
static int score_point(void *scores, const struct sweep_point *point) {
  struct classifier_scores *c = scores;
  const struct generated_images generated = { &c->generate, c->t.weights };
  c->generate.seed = point->seed;
  const int status = add_row(c, point->name, sampler_evaluations(&c->generate.sampler), source_generated(&generated), c->n);
  struct classifier_row *row = &c->rows[c->n_rows - 1];
  row->point = *point;
  row->point.score = row->score.frechet;
  row->point.n = c->n;
  row->point.rank_deficient = score_rank_deficient(&row->score);
  return status;
}

/* COLLECTIVE. As far as one should be, and farther. */
static int score_ceilings(struct classifier_scores *c) {
  int status = source_class_means(c->w, &c->data, &c->means);
  if (status) return status;
  const struct mean_images means = { &c->data, c->means };
  const struct noise_images noise = { sweep_seed(c->words->sweep, &c->t.s), c->t.net.pixels };
  status = add_row(c, "class means", 0, source_means(&means), c->n);
  c->class_means = c->rows[c->n_rows - 1].score.frechet;
  return status ? status : add_row(c, "uniform noise", 0, source_noise(&noise), c->n);
}

/* COLLECTIVE. With split=both. */
static int look_at_training(struct classifier_scores *c) {
  const struct packed_images training = { &c->data, SPLIT_TRAIN, c->training };
  const struct source second = source_packed(&training);
  snprintf(c->scorer.things, sizeof c->scorer.things, "training images");
  return scorer_second(&c->scorer, &second, c->training);
}

/* COLLECTIVE. */
static int score_all(struct classifier_scores *c) {
  const struct packed_images held_out = { &c->data, SPLIT_HELDOUT, c->data.count[SPLIT_HELDOUT] };
  const struct source reference = source_packed(&held_out);
  snprintf(c->scorer.things, sizeof c->scorer.things, "images, held out");
  int status = scorer_reference(&c->scorer, &reference, held_out.n);
  if (!status && c->training) status = look_at_training(c);
  if (!status && c->words->diversity) status = nearest_training(c->w, &c->seen, &reference, held_out.n, &c->held_out);
  if (!status && c->words->context) status = score_training(c);
  if (!status) status = sweep_run(c->words->sweep, &c->t, c->w, &c->generate.sampler, score_point, c);
  if (!status && c->words->context) status = score_ceilings(c);
  return status;
}

struct score_splits score_classifier_splits(const struct classifier_row *row) {
  return (struct score_splits){ { row->score.frechet, row->train.frechet }, { row->score.kernel, row->train.kernel } };
}

int score_classifier_deficient(const struct classifier_scores *c) {
  const size_t m = c->data.count[SPLIT_HELDOUT];
  return (c->n < m ? c->n : m) <= CLASSIFIER_FEATURES;
}

size_t score_classifier_setting(const struct classifier_scores *c, size_t from) {
  while (from < c->n_rows && (c->words->sweep->seeds < 2 || !c->rows[from].evaluations)) from++;
  return from;
}

struct over_seeds score_classifier_seeds(const struct classifier_scores *c, size_t from) {
  struct over_seeds o = over_seeds(&c->rows[from].point, c->words->sweep->seeds);
  double fid[SWEEP_EACH], kid[SWEEP_EACH], agreement[SWEEP_EACH], difference[SWEEP_EACH];
  for (size_t i = 0; i < o.seeds; i++) {
    const struct score *s = &c->rows[from + i].score;
    fid[i] = s->frechet, kid[i] = s->kernel, agreement[i] = s->agreement;
    difference[i] = s->frechet - c->rows[from + i].train.frechet;
  }
  over_seeds_add(&o, "fid_classifier", fid);
  over_seeds_add(&o, "kid_classifier", kid);
  over_seeds_add(&o, "agreement", agreement);
  if (c->training) over_seeds_add(&o, "fid_classifier_difference", difference);
  return o;
}

/* ---- telling ---- */

static int tell_sweep(const struct classifier_scores *c) {
  struct sweep_point points[SWEEP_POINTS];
  size_t count = 0;
  for (size_t i = 0; i < c->n_rows; i++)
    if (c->rows[i].evaluations) points[count++] = c->rows[i].point;
  return sweep_tell(points, count, "FID[classifier]", c->words->out);
}

/* The table or the line, and the line in the run's folder too, for pmf plot. */
static int tell(const struct classifier_scores *c) {
  const struct score_words *words = c->words;
  char *text = score_classifier_json(c);
  if (!text) return because(STATUS_NOMEM, "no memory for a line of JSON");
  if (words->json) puts(text);
  else score_classifier_table(c);
  const int sweep = sweep_is(words->sweep);
  const int status = words->run && !sweep ? folder_write(words->run, "score.json", text) : STATUS_OK;
  cJSON_free(text);
  return status || !sweep || !words->out ? status : tell_sweep(c);
}

/* ---- the job ---- */

int score_classifier(const struct world *w, const struct score_words *words) {
  struct classifier_scores *c = calloc(1, sizeof *c);
  int status = agree(w->comm, c ? STATUS_OK : because(STATUS_NOMEM, "no memory for a score"));
  if (status) return free(c), status;
  *c = (struct classifier_scores){ .w = w, .words = words, .data.fd = -1, .seen.fd = -1, .class_means = NAN };
  status = trained_open(&c->t, w, words->run, words->checkpoint, sweep_ema(words->sweep, 0));
  if (!status) status = agree(w->comm, prepare(c));
  if (!status) status = trained_load(&c->t, w);
  if (!status) status = evaluator_open(&c->judge, c->role, w, &c->data, c->judge_path, 0);
  if (!status) status = agree(w->comm, allocate(c));
  if (!status) status = score_all(c);
  if (c->progress.live) fputc('\n', stderr);
  if (!status) status = agree(w->comm, w->rank ? STATUS_OK : tell(c));
  free(c->means);
  scorer_free(&c->scorer);
  generate_free(&c->generate);
  evaluator_close(&c->judge);
  dataset_close(&c->data);
  dataset_close(&c->seen);
  trained_close(&c->t);
  free(c);
  return status;
}
