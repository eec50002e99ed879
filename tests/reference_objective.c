/* The objective: its values, gradients and counts, for both predictions. */
#include <stdlib.h>

#include "src/flow/guidance.h"
#include "src/flow/objective.h"
#include "tests/reference_model.h"

static void compare_gradients(struct reference *r, const char *group, const struct table *t, const float *grads, size_t B) {
  for (size_t i = 0; i < t->count; i++) {
    const struct tensor *n = &t->tensors[i];
    float *mean = calloc(n->size, sizeof *mean);
    for (size_t j = 0; j < n->size; j++) mean[j] = grads[n->offset + j] / (float)B;
    struct shape shape = { .rank = n->rank };
    for (int d = 0; d < n->rank; d++) shape.dims[d] = n->shape[d];
    reference_compare(r, reference_path(r, "%s/grad/%s", group, n->name), mean, shape, 0, limit_gradient);
    free(mean);
  }
}

/* v_c and du/dt of all samples, also of those that the objective need not evaluate. */
static void compare_all(struct reference *r, const char *group, const struct model *m, enum prediction p,
                        const struct objective_batch *b) {
  const size_t P = m->net.pixels, B = b->B;
  const struct shape images = images_shape(m, B);
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
  struct outputs c = model_evaluate(m, p, &guided, b->t);
  reference_compare(r, reference_path(r, "%s/v_c", group), c.v, images, B, limit_value);
  const struct condition_input own = { B, B, z, c.v, h, b->w, b->t_min, b->t_max, y };
  struct outputs e = model_evaluate(m, p, &own, b->t);
  reference_compare(r, reference_path(r, "%s/du_dt", group), e.u_dot, images, B, limit_tangent);
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
  for (int i = 0; i < 5; i++)
    reference_compare(r, reference_path(r, "%s/%s", group, names[i]), all[i], images_shape(m, B), B, limit_value);
  reference_compare(r, reference_path(r, "%s/L_u", group), values.L_u, SHAPE(B), B, limit_value);
  reference_compare(r, reference_path(r, "%s/L_v", group), values.L_v, SHAPE(B), B, limit_value);
  reference_compare_number(r, group, "loss", sums.loss / (double)B, limit_value);
  reference_compare_number(r, group, "mse_u", sums.mse_u / (double)B, limit_value);
  reference_compare_number(r, group, "mse_v", sums.mse_v / (double)B, limit_value);
  reference_compare_number(r, group, "guidance_evaluations", (double)sums.guidance, 0);
  reference_compare_number(r, group, "tangents", (double)sums.tangents, 0);
  compare_gradients(r, group, &n->table, grads, B);
  compare_all(r, group, m, p, b);

  for (int i = 0; i < 5; i++) free(all[i]);
  free(values.L_u), free(values.L_v), free(grads);
  arena_free(&arena);
}

void reference_objective(struct reference *r, const char *group, const char *from, const struct model *m, enum prediction p) {
  struct inputs in = { .r = r, .m = m, .group = from };
  struct objective_batch b = { .x = inputs_images(&in, "x"), .e = inputs_images(&in, "e") };
  b.t = inputs_numbers(&in, "t"), b.r = inputs_numbers(&in, "r"), b.w = inputs_numbers(&in, "w");
  b.t_min = inputs_numbers(&in, "t_min"), b.t_max = inputs_numbers(&in, "t_max");
  const float *flag = inputs_numbers(&in, "fm");
  int32_t *y = inputs_labels(&in);
  const double drop = reference_number(r, from, "drop");
  const size_t B = b.B = in.B;
  int *fm = calloc(B + 1, sizeof *fm), *dropped = calloc(B + 1, sizeof *dropped);
  for (size_t i = 0; !in.bad && i < B; i++) {
    fm[i] = flag[i] != 0;
    dropped[i] = (double)i < drop;
    if (fm[i] && (b.r[i] != b.t[i] || b.t_min[i] != 0 || b.t_max[i] != 1))
      reference_fail(r, from, "fm marks a sample whose r, t_min or t_max is not that of flow matching"), in.bad = 1;
  }
  b.y = y, b.fm = fm, b.drop = dropped;
  if (!in.bad) compare_objective(r, group, m, p, &b);
  free(y), free(fm), free(dropped);
}
