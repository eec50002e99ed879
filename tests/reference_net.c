/* The net and the sampler; and which groups are what. A file may hold several cases: net, net_2, ... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/flow/sampler.h"
#include "tests/reference_model.h"

static void check_net(struct reference *r, const char *group, const struct model *m) {
  struct inputs in = { .r = r, .m = m, .group = group };
  const float *z = inputs_images(&in, "z"), *z_dot = inputs_images(&in, "z_dot");
  const float *t = inputs_numbers(&in, "t"), *from = inputs_numbers(&in, "r"), *w = inputs_numbers(&in, "w");
  const float *t_min = inputs_numbers(&in, "t_min"), *t_max = inputs_numbers(&in, "t_max");
  int32_t *y = inputs_labels(&in);
  const size_t B = in.B;
  if (!in.bad) {
    float *h = calloc(B, sizeof *h);
    for (size_t b = 0; b < B; b++) h[b] = t[b] - from[b];
    struct outputs e = model_evaluate(m, PREDICT_X, &(struct condition_input){ B, B, z, z_dot, h, w, t_min, t_max, y }, t);
    const struct shape images = images_shape(m, B);
    reference_compare(r, reference_path(r, "%s/u", group), e.u, images, B, limit_value);
    reference_compare(r, reference_path(r, "%s/v", group), e.v, images, B, limit_value);
    reference_compare(r, reference_path(r, "%s/u_dot", group), e.u_dot, images, B, limit_tangent);
    reference_compare(r, reference_path(r, "%s/v_dot", group), e.v_dot, images, B, limit_tangent);
    outputs_free(&e);
    free(h);
  }
  free(y);
}

/* images_N: after N steps. */
static void sample_all(struct inputs *in, struct sampler *c, struct sampler_work *w, const float *noise, const int32_t *y) {
  struct reference *r = in->r;
  const size_t count = in->B * in->m->net.pixels;
  float *z = calloc(count, sizeof *z);
  const char *prefix = reference_path(r, "%s/images_", in->group);
  const size_t length = strlen(prefix);
  for (size_t i = 0; z && i < r->n_items; i++) {
    char *end;
    if (strncmp(r->items[i].name, prefix, length)) continue;
    const long steps = strtol(r->items[i].name + length, &end, 10);
    if (*end || steps < 1) continue;
    c->steps = (size_t)steps;
    memcpy(z, noise, count * sizeof *z);
    sampler_images(c, &in->m->net, in->m->weights, w, in->B, y, z);
    reference_compare(r, r->items[i].name, z, images_shape(in->m, in->B), in->B, limit_value);
  }
  free(z);
}

static void check_sample(struct reference *r, const char *group, const struct model *m) {
  struct inputs in = { .r = r, .m = m, .group = group };
  const float *noise = inputs_images(&in, "noise");
  int32_t *y = inputs_labels(&in);
  struct sampler c = { PREDICT_X, 1, reference_number(r, group, "w"), reference_number(r, group, "t_min"),
                       reference_number(r, group, "t_max"), reference_number(r, "/", "noise_scale"), HEAD_U, SOLVER_EULER };
  if (!in.bad) {
    struct sampler_work w;
    struct arena arena = { 0 };
    sampler_layout(&arena, &m->net, in.B, &w);
    if (arena_init(&arena)) abort();
    sampler_layout(&arena, &m->net, in.B, &w);
    sample_all(&in, &c, &w, noise, y);
    arena_free(&arena);
  }
  free(y);
}

/* objective_u takes its inputs from objective, objective_u_2 from objective_2 or, if there is none, objective too. */
static void check_objective_u(struct reference *r, const char *group, const struct model *m) {
  char from[400];
  snprintf(from, sizeof from, "%s", group);
  if (!reference_has(r, reference_path(r, "%s/x", from))) snprintf(from, sizeof from, "objective%s", group + strlen("objective_u"));
  if (!reference_has(r, reference_path(r, "%s/x", from))) snprintf(from, sizeof from, "objective");
  reference_objective(r, group, from, m, PREDICT_U);
}

static void check_group(struct reference *r, const char *group, const struct model *m) {
  if (reference_kind(r, group, "net")) check_net(r, group, m);
  else if (reference_kind(r, group, "sample")) check_sample(r, group, m);
  else if (reference_kind(r, group, "objective_u")) check_objective_u(r, group, m);
  else if (reference_kind(r, group, "objective")) reference_objective(r, group, group, m, PREDICT_X);
}

void reference_net(struct reference *r) {
  static const char *const kinds[] = { "net", "sample", "objective" };
  struct model m;
  int asked = 0;
  for (size_t i = 0; i < r->n_groups; i++)
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) asked |= reference_kind(r, r->groups[i], kinds[k]);
  if (!asked) return;
  if (!model_read(r, &m))
    for (size_t i = 0; i < r->n_groups; i++) check_group(r, r->groups[i], &m);
  model_free(&m);
}
