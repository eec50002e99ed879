/* The net, the objective for both predictions, and the sampler. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/flow/guidance.h"
#include "src/flow/objective.h"
#include "src/flow/sampler.h"
#include "tests/reference.h"

struct model {
  struct net net;
  float *weights;
};

static size_t size_of(struct reference *r, const char *name, int dimension) {
  const struct array *a = reference_read(r, name);
  return a && a->rank > dimension ? a->dims[dimension] : 0;
}

/* Sizes from the file's attributes and its parameters' shapes. Nonzero if they make no net. */
static int read_config(struct reference *r, struct net_config *c) {
  const char *names[] = { "image", "patch", "channels", "classes", "width", "depth", "head_depth", "heads", "inner" };
  size_t *const values[] = { &c->image, &c->patch, &c->channels, &c->classes, &c->width, &c->depth, &c->head_depth,
                             &c->heads, &c->inner };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const double value = reference_attribute(r, "/", names[i], -1);
    if (!(value >= (i == 6 ? 0 : 1) && value < 1e6)) return reference_fail(r, names[i], "is not a sensible size"), 1;
    *values[i] = (size_t)value;
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

static int read_model(struct reference *r, struct model *m) {
  struct net_config c = { 0 };
  if (read_config(r, &c)) return 1;
  if (net_init(&m->net, &c, 0)) return 1;
  const struct table *t = &m->net.table;
  m->weights = calloc(t->size, sizeof *m->weights);
  int bad = 0;
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    char name[400];
    snprintf(name, sizeof name, "params/%s", n->name);
    const struct array *a = reference_read(r, name);
    int same = a && a->rank == n->rank;
    for (int d = 0; same && d < n->rank; d++) same = a->dims[d] == n->shape[d];
    if (a && !same) reference_fail(r, name, "has another shape than the net");
    if (!same) bad = 1;
    else memcpy(m->weights + n->offset, a->single, n->size * sizeof *m->weights);
  }
  return bad;
}

/* The inputs of a group by name; count must be B times per. */
static const float *input(struct reference *r, const char *group, const char *name, size_t count, int *bad) {
  char full[400];
  snprintf(full, sizeof full, "%s/%s", group, name);
  const struct array *a = reference_read(r, full);
  if (a && a->count != count) reference_fail(r, full, "has another size than the batch"), a = NULL;
  if (!a) *bad = 1;
  return a ? a->single : NULL;
}

static int32_t *labels(struct reference *r, const char *group, size_t B, size_t classes, int *bad) {
  const float *y = input(r, group, "y", B, bad);
  int32_t *label = calloc(B + 1, sizeof *label);
  for (size_t b = 0; y && b < B; b++) {
    label[b] = (int32_t)y[b];
    if (y[b] < 0 || label[b] > (int32_t)classes) reference_fail(r, group, "has a label out of range"), *bad = 1;
  }
  return label;
}

static void compare(struct reference *r, const char *group, const char *name, const float *mine, size_t count, double limit) {
  char full[400];
  snprintf(full, sizeof full, "%s/%s", group, name);
  reference_compare(r, full, mine, count, 1, limit);
}

/* u, v and their tangents along (z_dot, 1, r_dot = 0) from one evaluation of B samples, all with tangents. */
struct outputs { float *u, *v, *u_dot, *v_dot; };
static struct outputs evaluate(const struct model *m, enum prediction p, const struct condition_input *in, const float *t) {
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
static void outputs_free(struct outputs *e) { free(e->u), free(e->v), free(e->u_dot), free(e->v_dot); }

static void check_net(struct reference *r, const struct model *m) {
  int bad = 0;
  const size_t P = m->net.pixels, B = size_of(r, "net/z", 0);
  const float *z = input(r, "net", "z", B * P, &bad), *z_dot = input(r, "net", "z_dot", B * P, &bad);
  const float *t = input(r, "net", "t", B, &bad), *tr = input(r, "net", "r", B, &bad), *w = input(r, "net", "w", B, &bad);
  const float *t_min = input(r, "net", "t_min", B, &bad), *t_max = input(r, "net", "t_max", B, &bad);
  int32_t *y = labels(r, "net", B, m->net.config.classes, &bad);
  if (!bad) {
    float *h = calloc(B, sizeof *h);
    for (size_t b = 0; b < B; b++) h[b] = t[b] - tr[b];
    const struct condition_input in = { B, B, z, z_dot, h, w, t_min, t_max, y };
    struct outputs e = evaluate(m, PREDICT_X, &in, t);
    compare(r, "net", "u", e.u, B * P, limit_value);
    compare(r, "net", "v", e.v, B * P, limit_value);
    compare(r, "net", "u_dot", e.u_dot, B * P, limit_tangent);
    compare(r, "net", "v_dot", e.v_dot, B * P, limit_tangent);
    outputs_free(&e);
    free(h);
  }
  free(y);
}

static void compare_gradients(struct reference *r, const char *group, const struct table *t, const float *grads, size_t B) {
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    float *mean = calloc(n->size, sizeof *mean);
    for (size_t j = 0; j < n->size; j++) mean[j] = grads[n->offset + j] / (float)B;
    char name[400];
    snprintf(name, sizeof name, "%s/grad/%s", group, n->name);
    reference_compare(r, name, mean, n->size, 0, limit_gradient);
    free(mean);
  }
}

/* v_c and du/dt of all samples, also of those that the objective need not evaluate. */
static void compare_all(struct reference *r, const char *group, const struct model *m, enum prediction p,
                        const struct objective_batch *b) {
  const size_t P = m->net.pixels, B = b->B;
  float *z = calloc(B * P, sizeof *z), *zero = calloc(B, sizeof *zero), *one = calloc(B, sizeof *one);
  float *w = calloc(B, sizeof *w), *h = calloc(B, sizeof *h);
  int32_t *y = calloc(B, sizeof *y);
  for (size_t i = 0; i < B; i++) {
    for (size_t j = i * P; j < (i + 1) * P; j++) z[j] = (1 - b->t[i]) * b->x[j] + b->t[i] * b->e[j];
    one[i] = 1;
    w[i] = guidance_gated(b->fm[i], b->t[i], b->w[i], b->t_min[i], b->t_max[i]);
    h[i] = b->t[i] - b->r[i];
    y[i] = b->drop[i] ? (int32_t)m->net.config.classes : b->y[i];
  }
  const struct condition_input guided = { B, B, z, z, zero, w, zero, one, b->y };
  struct outputs c = evaluate(m, p, &guided, b->t);
  compare(r, group, "v_c", c.v, B * P, limit_value);
  const struct condition_input own = { B, B, z, c.v, h, b->w, b->t_min, b->t_max, y };
  struct outputs e = evaluate(m, p, &own, b->t);
  compare(r, group, "du_dt", e.u_dot, B * P, limit_tangent);
  outputs_free(&c);
  outputs_free(&e);
  free(z), free(zero), free(one), free(w), free(h), free(y);
}

static void compare_objective(struct reference *r, const char *group, const struct model *m, enum prediction p,
                              const struct objective_batch *b) {
  const struct net *n = &m->net;
  const size_t P = n->pixels, B = b->B;
  struct objective_work w;
  struct arena arena = { 0 };
  objective_layout(&arena, n, B, B, &w);
  if (arena_init(&arena)) abort();
  objective_layout(&arena, n, B, B, &w);
  float *grads = calloc(n->table.size, sizeof *grads);
  const struct objective_values values = { calloc(B * P, 4), calloc(B * P, 4), calloc(B * P, 4), calloc(B * P, 4),
                                           calloc(B * P, 4), calloc(B, 4), calloc(B, 4) };
  struct objective_sums sums = { 0 };
  const struct objective_config config = { .prediction = p, .norm_p = 1, .norm_eps = 0.01 };
  objective_gradient(&config, n, m->weights, &w, b, grads, &sums, &values, NULL);

  float *const all[] = { values.v_t, values.v_g, values.u, values.v, values.V };
  const char *const names[] = { "v_t", "v_g", "u", "v", "V" };
  for (int i = 0; i < 5; i++) compare(r, group, names[i], all[i], B * P, limit_value);
  compare(r, group, "L_u", values.L_u, B, limit_value);
  compare(r, group, "L_v", values.L_v, B, limit_value);
  compare(r, group, "loss", (float[]){ (float)(sums.loss / (double)B) }, 1, limit_value);
  compare(r, group, "mse_u", (float[]){ (float)(sums.mse_u / (double)B) }, 1, limit_value);
  compare(r, group, "mse_v", (float[]){ (float)(sums.mse_v / (double)B) }, 1, limit_value);
  reference_compare_attribute(r, group, "guidance_evaluations", (double)sums.guidance, 0);
  reference_compare_attribute(r, group, "tangents", (double)sums.tangents, 0);
  compare_gradients(r, group, &n->table, grads, B);
  compare_all(r, group, m, p, b);

  for (int i = 0; i < 5; i++) free(all[i]);
  free(values.L_u), free(values.L_v), free(grads);
  arena_free(&arena);
}

static void check_objective(struct reference *r, const struct model *m) {
  int bad = 0;
  const char *g = "objective";
  const size_t P = m->net.pixels, B = size_of(r, "objective/x", 0);
  struct objective_batch b = { .B = B };
  b.x = input(r, g, "x", B * P, &bad), b.e = input(r, g, "e", B * P, &bad);
  b.t = input(r, g, "t", B, &bad), b.r = input(r, g, "r", B, &bad), b.w = input(r, g, "w", B, &bad);
  b.t_min = input(r, g, "t_min", B, &bad), b.t_max = input(r, g, "t_max", B, &bad);
  const float *flag = input(r, g, "fm", B, &bad);
  int32_t *y = labels(r, g, B, m->net.config.classes, &bad);
  const double drop = reference_attribute(r, g, "drop", 0);
  int *fm = calloc(B + 1, sizeof *fm), *dropped = calloc(B + 1, sizeof *dropped);
  for (size_t i = 0; !bad && i < B; i++) {
    fm[i] = flag[i] != 0;
    dropped[i] = (double)i < drop;
    if (fm[i] && (b.r[i] != b.t[i] || b.t_min[i] != 0 || b.t_max[i] != 1))
      reference_fail(r, "objective/fm", "marks a sample whose r, t_min or t_max is not that of flow matching"), bad = 1;
  }
  b.y = y, b.fm = fm, b.drop = dropped;
  if (!bad && H5Lexists(r->file, "objective/V", H5P_DEFAULT) > 0) compare_objective(r, g, m, PREDICT_X, &b);
  if (!bad && H5Lexists(r->file, "objective_u", H5P_DEFAULT) > 0) compare_objective(r, "objective_u", m, PREDICT_U, &b);
  free(y), free(fm), free(dropped);
}

static void check_sample(struct reference *r, const struct model *m) {
  int bad = 0;
  const struct net *n = &m->net;
  const size_t P = n->pixels, B = size_of(r, "sample/noise", 0);
  const float *noise = input(r, "sample", "noise", B * P, &bad);
  int32_t *y = labels(r, "sample", B, n->config.classes, &bad);
  struct sampler c = { PREDICT_X, 1, reference_attribute(r, "sample", "w", 1), reference_attribute(r, "sample", "t_min", 0),
                       reference_attribute(r, "sample", "t_max", 1), reference_attribute(r, "/", "noise_scale", 1),
                       HEAD_U, SOLVER_EULER };
  struct sampler_work w;
  struct arena arena = { 0 };
  sampler_layout(&arena, n, B, &w);
  if (arena_init(&arena)) abort();
  sampler_layout(&arena, n, B, &w);
  float *z = calloc(B * P + 1, sizeof *z);
  for (size_t i = 0; !bad && i < r->n_items; i++) {
    char *end, name[400];
    snprintf(name, sizeof name, "%s", r->items[i].name);
    if (strncmp(name, "sample/images_", 14)) continue;
    const long steps = strtol(name + 14, &end, 10);
    if (*end || steps < 1) continue;
    c.steps = (size_t)steps;
    memcpy(z, noise, B * P * sizeof *z);
    sampler_images(&c, n, m->weights, &w, B, y, z);
    reference_compare(r, name, z, B * P, 1, limit_value);
  }
  free(z), free(y);
  arena_free(&arena);
}

void reference_net(struct reference *r) {
  struct model m = { 0 };
  if (!read_model(r, &m)) {
    if (H5Lexists(r->file, "net", H5P_DEFAULT) > 0) check_net(r, &m);
    if (H5Lexists(r->file, "objective", H5P_DEFAULT) > 0) check_objective(r, &m);
    if (H5Lexists(r->file, "sample", H5P_DEFAULT) > 0) check_sample(r, &m);
  }
  free(m.weights);
  net_free(&m.net);
}
