/* The net of a file of reference values, and its groups' inputs. */
#include "tests/reference_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t size_of(struct reference *r, const char *name, int dimension) {
  const struct array *a = reference_read(r, name);
  return a && a->shape.rank > dimension ? a->shape.dims[dimension] : 0;
}

static int read_config(struct reference *r, struct net_config *c) {
  const struct { const char *name; size_t *value, least; } sizes[] = {
    { "image", &c->image, 1 }, { "patch", &c->patch, 1 }, { "channels", &c->channels, 1 }, { "classes", &c->classes, 0 },
    { "width", &c->width, 1 }, { "depth", &c->depth, 1 }, { "head_depth", &c->head_depth, 0 }, { "heads", &c->heads, 1 },
    { "inner", &c->inner, 1 },
  };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const double value = reference_number(r, "/", sizes[i].name);
    if (isnan(value)) return 1;
    if (!(value >= (double)sizes[i].least && value < 1e6)) return reference_fail(r, sizes[i].name, "is not a sensible size"), 1;
    *sizes[i].value = (size_t)value;
  }
  c->bottleneck = size_of(r, "params/x_embedder.proj1.weight", 0);
  c->class_tokens = size_of(r, "params/class_tokens", 1);
  c->omega_tokens = size_of(r, "params/omega_tokens", 1);
  c->interval_tokens = size_of(r, "params/t_min_tokens", 1);
  c->time_tokens = size_of(r, "params/time_tokens", 1);
  if (c->image % c->patch || c->width % (4 * c->heads) || c->head_depth > c->depth || !c->bottleneck)
    return reference_fail(r, "the file's sizes", "do not make a net"), 1;
  return 0;
}

/* Real files may hold tensors that no one asked for. */
static void use_parameters(struct reference *r) {
  for (size_t i = 0; i < r->n_items; i++)
    if (!strncmp(r->items[i].name, "params/", 7)) r->items[i].used = 1;
}

int model_read(struct reference *r, struct model *m) {
  struct net_config c = { 0 };
  *m = (struct model){ 0 };
  if (read_config(r, &c)) return 1;
  if (net_init(&m->net, &c, 0)) return reference_fail(r, "params", "make a net that is too large"), 1;
  const struct table *t = &m->net.table;
  m->weights = calloc(t->size, sizeof *m->weights);
  if (!m->weights) return reference_fail(r, "params", "make a net that is too large"), 1;
  int bad = 0;
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    struct shape shape = { .rank = n->rank };
    memcpy(shape.dims, n->shape, sizeof n->shape);
    const struct array *a = reference_read_as(r, reference_path(r, "params/%s", n->name), shape);
    if (a) memcpy(m->weights + n->offset, a->single, n->size * sizeof *m->weights);
    else bad = 1;
  }
  use_parameters(r);
  return bad;
}

void model_free(struct model *m) {
  free(m->weights);
  net_free(&m->net);
}

struct shape images_shape(const struct model *m, size_t B) {
  const struct net_config *c = &m->net.config;
  return SHAPE(B, c->image, c->image, c->channels);
}

const float *inputs_images(struct inputs *in, const char *name) {
  const char *full = reference_path(in->r, "%s/%s", in->group, name);
  const struct array *a = reference_read(in->r, full);
  if (a && !in->B && a->shape.rank) in->B = a->shape.dims[0];
  const struct shape shape = images_shape(in->m, in->B);
  if (a && in->B && shape_same(&a->shape, &shape)) return a->single;
  if (a) reference_fail(in->r, full, "is not a batch of the net's images, as many as elsewhere");
  in->bad = 1;
  return NULL;
}

const float *inputs_numbers(struct inputs *in, const char *name) {
  if (!in->B) return in->bad = 1, NULL;
  const struct array *a = reference_read_as(in->r, reference_path(in->r, "%s/%s", in->group, name), SHAPE(in->B));
  if (!a) in->bad = 1;
  return a ? a->single : NULL;
}

int32_t *inputs_labels(struct inputs *in) {
  const float *y = inputs_numbers(in, "y");
  int32_t *label = calloc(in->B + 1, sizeof *label);
  for (size_t b = 0; y && b < in->B; b++) {
    const int good = y[b] >= 0 && y[b] <= (float)in->m->net.config.classes && y[b] == (float)(int32_t)y[b];
    if (good) label[b] = (int32_t)y[b];
    else if (!in->bad) reference_fail(in->r, in->group, "has a label out of range"), in->bad = 1;
  }
  return label;
}

struct outputs model_evaluate(const struct model *m, enum prediction p, const struct condition_input *in, const float *t) {
  const size_t P = m->net.pixels, B = in->B;
  struct net_work w;
  struct arena arena = { 0 };
  net_layout(&arena, &m->net, B, B, 0, &w);
  if (arena_init(&arena)) abort();
  net_layout(&arena, &m->net, B, B, 0, &w);
  struct outputs out = { calloc(B * P, 4), calloc(B * P, 4), calloc(B * P, 4), calloc(B * P, 4) };
  float *x[2] = { calloc(B * P, 4), calloc(B * P, 4) }, *x_dot[2] = { calloc(B * P, 4), calloc(B * P, 4) };
  net_forward(&m->net, m->weights, &w, in, 0, x[0], x_dot[0], x[1], x_dot[1], NULL);
  for (size_t b = 0; b < B; b++)
    for (int head = 0; head < 2; head++) {
      const size_t at = b * P;
      velocity_forward(p, P, t[b], in->z + at, x[head] + at, (head ? out.v : out.u) + at);
      velocity_tangent(p, P, t[b], in->z + at, x[head] + at, in->z_dot + at, x_dot[head] + at,
                       (head ? out.v_dot : out.u_dot) + at);
    }
  for (int head = 0; head < 2; head++) free(x[head]), free(x_dot[head]);
  arena_free(&arena);
  return out;
}

void outputs_free(struct outputs *e) { free(e->u), free(e->v), free(e->u_dot), free(e->v_dot); }
