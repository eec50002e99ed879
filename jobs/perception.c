#include "jobs/perception.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/network_file.h"
#include "jobs/evaluator.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "mpi/reduce.h"
#include "src/base/status.h"
#include "src/vision/convnext.h"
#include "src/vision/lpips.h"

static const char *const kinds[PERCEPTUAL_TERMS] = { "lpips", "convnext" };

static int wanted(const struct settings *s, int k) {
  return k == PERCEPTUAL_LPIPS ? s->model.lpips && s->model.lpips_lambda > 0
                               : s->model.convnext && s->model.convnext_lambda > 0;
}
static const char *file_of(const struct settings *s, int k) {
  return k == PERCEPTUAL_LPIPS ? s->model.lpips_weights : s->model.convnext_weights;
}
static int any(const struct settings *s) { return wanted(s, PERCEPTUAL_LPIPS) || wanted(s, PERCEPTUAL_CONVNEXT); }
int perception_by_classifier(const struct settings *s) {
  int needs = 0;
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) needs |= wanted(s, k) && !*file_of(s, k);
  return needs;
}

static struct perceptual terms_of(const struct settings *s) {
  const size_t side = (size_t)s->dataset.image_size;
  return (struct perceptual){ .H = side, .W = side, .C = (size_t)s->dataset.image_channels, .max_t = s->model.perceptual_max_t,
                              .term = { { .lambda = s->model.lpips_lambda }, { .lambda = s->model.convnext_lambda } } };
}

/* ---- networks ---- */

static void make_named(struct contrast *c, int k, const struct network_facts *f) {
  struct convnext_sizes sizes = convnext_base;
  if (f && f->depths[0]) {
    memcpy(sizes.depths, f->depths, sizeof sizes.depths);
    memcpy(sizes.dims, f->dims, sizeof sizes.dims);
  }
  if (k == PERCEPTUAL_LPIPS) lpips_init(c, PERCEPTION_SIDE, PERCEPTION_SIDE);
  else convnext_init(c, &sizes, PERCEPTION_SIDE, PERCEPTION_SIDE);
}

static int make_classifier(struct classifier *c, const struct settings *s) {
  return classifier_init_kind(c, CLASSIFIER_5X5, (size_t)s->dataset.image_size, (size_t)s->dataset.image_channels,
                              s->dataset.num_classes > 1 ? (size_t)s->dataset.num_classes : 2);
}

/* The graphs of all terms that are wanted, without weights. */
static int make_graphs(struct contrast *contrast, const struct settings *s, const struct network_facts *facts,
                       const struct classifier *classifier) {
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) {
    if (!wanted(s, k)) continue;
    if (*file_of(s, k)) make_named(&contrast[k], k, facts ? &facts[k] : NULL);
    else classifier_contrast(&contrast[k], classifier, k == PERCEPTUAL_CONVNEXT);
  }
  return STATUS_OK;
}

/* Numbers of a term's weights. */
static size_t weights_of(const struct contrast *c, const struct classifier *classifier) {
  return c->table.count ? c->table.size : classifier->table.size;
}

static void lay_out(struct perceptual *p, struct contrast *contrast, const struct settings *s, size_t micro, struct arena *work) {
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) p->term[k].contrast = wanted(s, k) ? &contrast[k] : NULL;
  perceptual_layout(work, micro, omp_get_max_threads(), p);
}

/* ---- before any of it is there ---- */

/* Facts of the files that can be read; the others are as published. */
static void guess(const struct settings *s, struct network_facts facts[PERCEPTUAL_TERMS]) {
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) {
    facts[k] = (struct network_facts){ 0 };
    if (wanted(s, k) && *file_of(s, k) && network_file_facts(file_of(s, k), kinds[k], &facts[k]))
      facts[k] = (struct network_facts){ 0 };
  }
}

struct counts { size_t numbers; double flops; };
static struct counts count(const struct settings *s, size_t micro) {
  struct counts all = { 0 };
  struct contrast contrast[PERCEPTUAL_TERMS] = { 0 };
  struct network_facts facts[PERCEPTUAL_TERMS];
  struct classifier classifier = { 0 };
  struct perceptual p = terms_of(s);
  struct arena weights = { 0 }, work = { 0 };
  if (!any(s) || (perception_by_classifier(s) && make_classifier(&classifier, s))) return all;
  guess(s, facts);
  make_graphs(contrast, s, facts, &classifier);
  lay_out(&p, contrast, s, micro, &work);
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) {
    if (!wanted(s, k)) continue;
    arena_take(&weights, weights_of(&contrast[k], &classifier));
    all.flops += contrast_flops(&contrast[k]);
    contrast_free(&contrast[k]);
  }
  classifier_free(&classifier);
  all.numbers = weights.used + work.used;
  return all;
}

size_t perception_count(const struct settings *s, size_t micro) { return count(s, micro).numbers; }
double perception_flops(const struct settings *s) { return count(s, 1).flops; }

double perception_share(const struct settings *s) {
  enum { DRAWS = 1 << 15 };
  const struct times times = setup_times(s);
  size_t below = 0;
  for (uint32_t i = 0; i < DRAWS; i++) {
    real t, r;
    int fm;
    times_draw(&times, 1, 0, i, &t, &r, &fm);
    below += (double)t < s->model.perceptual_max_t;
  }
  return any(s) ? (double)below / DRAWS : 0;
}

/* ---- opening ---- */

struct opening {
  const struct world *w;
  const struct settings *s;
  const struct dataset *d;
  int drawn;
  struct network_facts facts[PERCEPTUAL_TERMS];
  struct classifier classifier;
  struct evaluator evaluator;
};

/* COLLECTIVE. What rank 0 finds in the files. */
static int read_facts(struct opening *o) {
  int status = STATUS_OK;
  for (int k = 0; k < PERCEPTUAL_TERMS && !o->w->rank && !status; k++)
    if (wanted(o->s, k) && *file_of(o->s, k)) status = network_file_facts(file_of(o->s, k), kinds[k], &o->facts[k]);
  status = agree(o->w->comm, status);
  if (!status) spread(o->w->comm, 0, sizeof o->facts, o->facts);
  return status;
}

/* COLLECTIVE. The classifier for the loss, where one serves. */
static int read_classifier(struct opening *o) {
  char path[TEXT_MAX + 64];
  if (!perception_by_classifier(o->s)) return STATUS_OK;
  int status = agree(o->w->comm, make_classifier(&o->classifier, o->s));
  if (status || o->drawn) return status;
  if (o->s->dataset.num_classes < 2)
    return because(STATUS_BAD, "model.lpips and model.convnext without files: the loss looks through a classifier, which needs two"
                   " classes or more: expected model.lpips_weights= and model.convnext_weights=, or false");
  evaluator_path(o->s->dataset.root, EVALUATOR_LOSS, path, sizeof path);
  return evaluator_open(&o->evaluator, EVALUATOR_LOSS, o->w, o->d, path, 0);
}

/* COLLECTIVE. weights of term k, as its file or the classifier has them. */
static int read_weights(struct opening *o, int k, const struct contrast *c, real *weights) {
  const size_t n = weights_of(c, &o->classifier);
  if (!c->table.count && o->drawn) table_init_weights(&o->classifier.table, 1, weights);
  else if (!c->table.count) memcpy(weights, o->evaluator.weights, n * sizeof *weights);
  else {
    const int status = agree(o->w->comm, o->w->rank ? STATUS_OK : network_file_read(file_of(o->s, k), n, weights));
    if (status) return status;
    spread(o->w->comm, 0, n * sizeof *weights, weights);
  }
  return agree(o->w->comm, contrast_prepare(c, weights));
}

static void name_term(struct perception *p, const struct opening *o, int k) {
  const struct network_facts *f = &o->facts[k];
  if (*file_of(o->s, k))
    snprintf(p->name[k], sizeof p->name[k], "%s of %.100s (hash %s)", k ? "ConvNeXt-V2 features" : "LPIPS on VGG-16",
             file_of(o->s, k), f->hash);
  else
    snprintf(p->name[k], sizeof p->name[k], "%s of a classifier of the first half of the training images%s%s",
             k ? "the features" : "LPIPS' distance on the feature maps, unit weights,", o->drawn ? ", random weights" : ", hash ",
             o->evaluator.hash);
}

/* COLLECTIVE. */
static int open_all(struct perception *p, struct opening *o, size_t micro) {
  real *weights[PERCEPTUAL_TERMS] = { NULL };
  int status = read_facts(o);
  if (!status) status = read_classifier(o);
  if (status) return status;
  make_graphs(p->contrast, o->s, o->facts, &o->classifier);
  for (int pass = 0; pass < 2; pass++) {
    if (pass && (status = agree(o->w->comm, arena_init(&p->weights)))) return status;
    for (int k = 0; k < PERCEPTUAL_TERMS; k++)
      if (wanted(o->s, k)) weights[k] = arena_take(&p->weights, weights_of(&p->contrast[k], &o->classifier));
  }
  for (int k = 0; k < PERCEPTUAL_TERMS && !status; k++) {
    if (!wanted(o->s, k)) continue;
    status = read_weights(o, k, &p->contrast[k], weights[k]);
    p->perceptual.term[k].weights = weights[k];
    name_term(p, o, k);
  }
  if (status) return status;
  lay_out(&p->perceptual, p->contrast, o->s, micro, &p->work);
  status = agree(o->w->comm, arena_init(&p->work));
  if (!status) lay_out(&p->perceptual, p->contrast, o->s, micro, &p->work);
  return status;
}

int perception_open(struct perception *p, const struct world *w, const struct settings *s, const struct dataset *d, size_t micro,
                    int drawn) {
  *p = (struct perception){ .perceptual = terms_of(s), .on = any(s) };
  if (!p->on) return STATUS_OK;
  struct opening *o = calloc(1, sizeof *o);
  int status = agree(w->comm, o ? STATUS_OK : because(STATUS_NOMEM, "no memory for the perceptual terms"));
  if (!status) {
    *o = (struct opening){ .w = w, .s = s, .d = d, .drawn = drawn };
    status = open_all(p, o, micro);
    classifier_free(&o->classifier);
    evaluator_close(&o->evaluator);
  }
  free(o);
  return status;
}

void perception_close(struct perception *p) {
  for (int k = 0; k < PERCEPTUAL_TERMS; k++) contrast_free(&p->contrast[k]);
  arena_free(&p->weights);
  arena_free(&p->work);
  *p = (struct perception){ .on = 0 };
}

void perception_describe(const struct perception *p, char text[600]) {
  *text = 0;
  if (!p->on) return;
  snprintf(text, 600, "perceptual terms where t is below %g", p->perceptual.max_t);
  for (int k = 0; k < PERCEPTUAL_TERMS; k++)
    if (*p->name[k])
      snprintf(text + strlen(text), 600 - strlen(text), "; %g x %s", p->perceptual.term[k].lambda, p->name[k]);
}
