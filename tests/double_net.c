/* The whole net in double, on small shapes with every count of tokens different and random weights everywhere:
 *   tangents of both heads along (z_dot, h_dot = 1), and gradients of <x_u_bar, x_u> + <x_v_bar, x_v> by every tensor,
 *   against central differences (fourth order, step 1e-3) to 1e-7; what must not change the numbers does not. */
#include "tests/laws.h"

static const double step = 1e-3, limit_difference = 1e-7, limit_same = 1e-12;
static const struct net_config shapes[] = {
  { .image = 12, .patch = 4, .channels = 3, .classes = 4, .width = 24, .depth = 3, .head_depth = 1, .heads = 2,
    .bottleneck = 10, .class_tokens = 3, .omega_tokens = 2, .interval_tokens = 1, .time_tokens = 4 },
  { .image = 12, .patch = 4, .channels = 1, .classes = 3, .width = 24, .depth = 3, .head_depth = 2, .heads = 3,
    .inner = 18, .bottleneck = 7, .class_tokens = 1, .omega_tokens = 4, .interval_tokens = 3, .time_tokens = 2 },
  { .image = 4, .patch = 4, .channels = 1, .classes = 2, .width = 8, .depth = 2, .head_depth = 2, .heads = 1,
    .bottleneck = 5, .class_tokens = 2, .omega_tokens = 1, .interval_tokens = 4, .time_tokens = 3 },   /* no trunk */
};
enum { SHAPES = sizeof shapes / sizeof *shapes, B = 3, HEADS = 2 };

/* Conditions: inside and outside of what training draws; label 0, a label, no label. */
static const real h[B] = { 0.3, 0, 0.9 }, w[B] = { 2.5, 1, 7 }, t_min[B] = { 0.1, 0, 0.4 }, t_max[B] = { 0.8, 1, 0.6 };

struct bench {
  struct net net;
  struct net_work work;
  struct arena arena;
  struct condition_input in;
  int32_t y[B];
  real h[B], *z, *z_dot, *weights, *x[HEADS], *x_dot[HEADS], *x_bar[HEADS];
  size_t size;              /* numbers of a batch of images */
  const real *direction;    /* in which weights move */
};
static void set_up(struct bench *m, const struct net_config *c, size_t B_dot, int backward) {
  *m = (struct bench){ 0 };
  ck_assert_int_eq(net_init(&m->net, c, 0), 0);
  new_net_work(&m->net, B, B, backward, &m->arena, &m->work);
  m->size = B * m->net.pixels;
  m->z = new_normal(1, m->size), m->z_dot = new_normal(2, m->size);
  for (int i = 0; i < HEADS; i++) {
    m->x[i] = new_zeros(m->size), m->x_dot[i] = new_zeros(m->size);
    m->x_bar[i] = new_normal(3 + (uint32_t)i, m->size);
  }
  m->weights = new_zeros(m->net.table.size);
  fill_weights(10, &m->net.table, m->weights);
  memcpy(m->h, h, sizeof h);
  memcpy(m->y, (int32_t[]){ 0, (int32_t)c->classes - 1, (int32_t)c->classes }, sizeof m->y);
  m->in = (struct condition_input){ B, B_dot, m->z, m->z_dot, m->h, w, t_min, t_max, m->y };
}
static void tear_down(struct bench *m) {
  free(m->z), free(m->z_dot), free(m->weights);
  for (int i = 0; i < HEADS; i++) free(m->x[i]), free(m->x_dot[i]), free(m->x_bar[i]);
  arena_free(&m->arena);
  net_free(&m->net);
}
static void forward(struct bench *m, int keep) {
  net_forward(&m->net, m->weights, &m->work, &m->in, keep, m->x[0], m->x_dot[0], m->x[1], m->x_dot[1], NULL);
}
static real *new_gradient(struct bench *m, const struct net_hooks *hooks) {
  real *grads = new_zeros(m->net.table.size);
  forward(m, 1);
  net_backward(&m->net, m->weights, &m->work, &m->in, m->x_bar[0], m->x_bar[1], grads, hooks);
  return grads;
}

/* Both heads' images, one behind the other, as the inputs move. */
static void along_inputs(void *context, double s, real *y) {
  struct bench *m = context;
  real *z = new_zeros(m->size);
  move(m->size, m->z, s, m->z_dot, z);
  for (size_t b = 0; b < B; b++) m->h[b] = h[b] + s;
  struct condition_input in = m->in;
  in.z = z, in.B_dot = 0;
  net_forward(&m->net, m->weights, &m->work, &in, 0, y, NULL, y + m->size, NULL, NULL);
  memcpy(m->h, h, sizeof h);
  free(z);
}
START_TEST(tangents_are_derivatives) {
  for (size_t i = 0; i < SHAPES; i++) {
    struct bench m;
    set_up(&m, &shapes[i], B, 0);
    real *numeric = new_zeros(2 * m.size);
    differentiate(along_inputs, &m, step, 2 * m.size, numeric);
    forward(&m, 0);
    for (int head = 0; head < HEADS; head++) {
      ck_assert_double_gt(max_abs(m.size, m.x_dot[head]), 0.1);
      ck_assert_double_lt(relative_error_samples(B, m.net.pixels, m.x_dot[head], numeric + (size_t)head * m.size),
                          limit_difference);
    }
    free(numeric);
    tear_down(&m);
  }
} END_TEST

static void along_weights(void *context, double s, real *y) {
  struct bench *m = context;
  const size_t n = m->net.table.size;
  real *moved = new_zeros(n);
  struct condition_input in = m->in;
  in.B_dot = 0;
  move(n, m->weights, s, m->direction, moved);
  net_forward(&m->net, moved, &m->work, &in, 0, m->x[0], NULL, m->x[1], NULL, NULL);
  *y = dot(m->size, m->x[0], m->x_bar[0]) + dot(m->size, m->x[1], m->x_bar[1]);
  free(moved);
}
/* <gradient, direction> in a random direction inside each tensor, so that every element counts, and three elements. */
START_TEST(gradients_of_every_tensor_are_derivatives) {
  for (size_t i = 0; i < SHAPES; i++) {
    struct bench m;
    set_up(&m, &shapes[i], 2, 1);
    real *grads = new_gradient(&m, NULL), *direction = new_zeros(m.net.table.size), numeric;
    m.direction = direction;
    for (size_t k = 0; k < m.net.table.count; k++) {
      const struct tensor *t = &m.net.table.tensors[k];
      const real *g = grads + t->offset;
      real *d = direction + t->offset;
      const double scale = sqrt(dot(t->size, g, g));
      ck_assert_msg(scale > 0, "%s has no gradient", t->name);
      for (size_t j = 0; j < 4; j++) {
        if (j == 3) {   /* of length 1 */
          fill_normal((uint32_t)k, t->size, d);
          const double length = sqrt(dot(t->size, d, d));
          for (size_t e = 0; e < t->size; e++) d[e] /= length;
        } else {
          d[place(j, 3, t->size)] = 1;
        }
        differentiate(along_weights, &m, step, 1, &numeric);
        const double error = fabs(dot(t->size, g, d) - numeric) / scale;
        ck_assert_msg(error < limit_difference, "%s: relative error %g of its gradient", t->name, error);
        memset(d, 0, t->size * sizeof *d);
      }
    }
    free(grads), free(direction);
    tear_down(&m);
  }
} END_TEST

START_TEST(gradients_add_to_what_is_there) {
  struct bench m;
  set_up(&m, &shapes[0], 0, 1);
  const size_t n = m.net.table.size;
  real *once = new_gradient(&m, NULL), *twice = new_gradient(&m, NULL);
  forward(&m, 1);
  net_backward(&m.net, m.weights, &m.work, &m.in, m.x_bar[0], m.x_bar[1], twice, NULL);
  for (size_t i = 0; i < n; i++) once[i] *= 2;
  ck_assert_double_lt(relative_error(n, twice, once), limit_same);
  free(once), free(twice);
  tear_down(&m);
} END_TEST

/* Kept or not, in a workspace for backward or for forward alone. */
START_TEST(keeping_activations_changes_no_bit) {
  for (size_t i = 0; i < SHAPES; i++) {
    struct bench a, b;
    set_up(&a, &shapes[i], 2, 1);
    set_up(&b, &shapes[i], 2, 0);
    forward(&a, 1);
    forward(&b, 0);
    for (int again = 0; again < 2; again++, forward(&a, 0))
      for (int head = 0; head < HEADS; head++) {
        ck_assert_double_eq(max_abs_difference(a.size, a.x[head], b.x[head]), 0);
        ck_assert_double_eq(max_abs_difference(2 * a.net.pixels, a.x_dot[head], b.x_dot[head]), 0);
      }
    tear_down(&a), tear_down(&b);
  }
} END_TEST

static const real *weight_of(const struct bench *m, const char *prefix, const char *name) {
  char full[96];
  snprintf(full, sizeof full, "%s%s", prefix, name);
  const struct tensor *t = table_find(&m->net.table, full);
  ck_assert_msg(t != NULL, "no tensor %s", full);
  return m->weights + t->offset;
}
/* e[D] = W2 silu(W1 f + b1) + b2 of the condition c, f its 128 cosines and 128 sines */
static void embed(const struct bench *m, const char *prefix, double c, real *e) {
  const size_t D = m->net.config.width;
  const real *W1 = weight_of(m, prefix, "mlp.0._flax_linear.weight");
  const real *b1 = weight_of(m, prefix, "mlp.0._flax_linear.bias");
  const real *W2 = weight_of(m, prefix, "mlp.2._flax_linear.weight");
  const real *b2 = weight_of(m, prefix, "mlp.2._flax_linear.bias");
  real f[256];
  for (size_t i = 0; i < 128; i++) {
    f[i] = cos(c * pow(10000, -(double)i / 128));
    f[128 + i] = sin(c * pow(10000, -(double)i / 128));
  }
  memcpy(e, b2, D * sizeof *e);
  for (size_t i = 0; i < D; i++) {
    const double a = dot(256, W1 + i * 256, f) + b1[i];
    for (size_t o = 0; o < D; o++) e[o] += W2[o * D + i] * a / (1 + exp(-a));
  }
}
/* What enters the first block: class, guidance (1 - 1/w), t_min, t_max, time tokens (h) in this order, each a learned
 * token + its condition's embedding + its position. */
START_TEST(conditions_enter_as_the_spec_says) {
  static const char *const tokens[] = { "class_tokens", "omega_tokens", "t_min_tokens", "t_max_tokens", "time_tokens" };
  static const char *const embedders[] = { "", "omega_embedder.", "cfg_t_start_embedder.", "cfg_t_end_embedder.",
                                           "h_embedder." };
  for (size_t i = 0; i < SHAPES; i++) {
    struct bench m;
    set_up(&m, &shapes[i], 0, 1);
    forward(&m, 1);
    const struct net_config *c = &m.net.config;
    const size_t D = c->width, T = m.net.shape.T;
    const size_t counts[] = { c->class_tokens, c->omega_tokens, c->interval_tokens, c->interval_tokens,
                              c->time_tokens };
    const real *table = weight_of(&m, "", "y_embedder.embedding_table._flax_embedding.weight");
    const real *position = weight_of(&m, "", "pos_embed");
    real *e = new_zeros(D), *expected = new_zeros(D);
    for (size_t b = 0; b < B; b++)
      for (size_t kind = 0, row = 0; kind < 5; kind++) {
        const double values[] = { 0, 1 - 1 / w[b], t_min[b], t_max[b], h[b] };
        if (kind) embed(&m, embedders[kind], values[kind], e);
        else memcpy(e, table + (size_t)m.y[b] * D, D * sizeof *e);
        for (size_t j = 0; j < counts[kind]; j++, row++) {
          const real *token = weight_of(&m, "", tokens[kind]) + j * D;
          for (size_t k = 0; k < D; k++) expected[k] = token[k] + e[k] + position[row * D + k];
          const double error = relative_error(D, m.work.x + (b * T + row) * D, expected);
          ck_assert_msg(error < limit_same, "%s %zu: relative error %g", tokens[kind], j, error);
        }
      }
    free(e), free(expected);
    tear_down(&m);
  }
} END_TEST

/* Blocks computed again on the way back, instead of kept: less memory, the same gradient and tangents but for
 * rounding: a row of OpenBLAS's products depends by a last bit on its place and on the rows beside it, with some kernels. */
START_TEST(recomputing_changes_nothing) {
  for (size_t i = 0; i < SHAPES; i++) {
    struct net_config again = shapes[i];
    struct bench a, b;
    again.recompute = 1;
    set_up(&a, &shapes[i], 2, 1);
    set_up(&b, &again, 2, 1);
    ck_assert_uint_lt(b.arena.size, a.arena.size);
    real *kept = new_gradient(&a, NULL), *recomputed = new_gradient(&b, NULL);
    ck_assert_double_lt(relative_error(a.net.table.size, recomputed, kept), limit_same);
    for (int head = 0; head < HEADS; head++) {
      ck_assert_double_lt(relative_error(a.size, b.x[head], a.x[head]), limit_same);
      ck_assert_double_lt(relative_error(2 * a.net.pixels, b.x_dot[head], a.x_dot[head]), limit_same);
    }
    free(kept), free(recomputed);
    tear_down(&a), tear_down(&b);
  }
} END_TEST

START_TEST(samples_do_not_see_each_other) {
  for (size_t i = 0; i < SHAPES; i++) {
    struct bench all, one;
    set_up(&all, &shapes[i], 2, 1);
    set_up(&one, &shapes[i], 1, 1);
    const size_t P = all.net.pixels, n = all.net.table.size;
    real *sum = new_gradient(&all, NULL), *grads = new_zeros(n);
    for (size_t b = 0; b < B; b++) {
      one.in = (struct condition_input){ 1, 1, all.z + b * P, all.z_dot + b * P, all.h + b, w + b, t_min + b, t_max + b,
                                         all.y + b };
      forward(&one, 1);
      for (int head = 0; head < HEADS; head++) {
        ck_assert_double_lt(relative_error(P, all.x[head] + b * P, one.x[head]), limit_same);
        if (b < 2) ck_assert_double_lt(relative_error(P, all.x_dot[head] + b * P, one.x_dot[head]), limit_same);
      }
      net_backward(&one.net, one.weights, &one.work, &one.in, all.x_bar[0] + b * P, all.x_bar[1] + b * P, grads, NULL);
    }
    ck_assert_double_lt(relative_error(n, sum, grads), limit_same);
    free(sum), free(grads);
    tear_down(&all), tear_down(&one);
  }
} END_TEST

/* Any of the four outputs may be left out (a tangent goes with its image); the others stay as they are. */
START_TEST(outputs_may_be_left_out) {
  struct bench m, all;
  set_up(&m, &shapes[1], 2, 0);
  set_up(&all, &shapes[1], 2, 0);
  forward(&all, 0);
  const size_t tangents = 2 * m.net.pixels;
  for (int u = 0; u < 3; u++)      /* 0: nothing of this head, 1: its image, 2: its tangent too */
    for (int v = 0; v < 3; v++) {
      const int wanted[HEADS] = { u, v };
      for (int head = 0; head < HEADS; head++) {
        memset(m.x[head], 0, m.size * sizeof(real));
        memset(m.x_dot[head], 0, m.size * sizeof(real));
      }
      net_forward(&m.net, m.weights, &m.work, &m.in, 0, u ? m.x[0] : NULL, u == 2 ? m.x_dot[0] : NULL,
                  v ? m.x[1] : NULL, v == 2 ? m.x_dot[1] : NULL, NULL);
      for (int head = 0; head < HEADS; head++) {
        if (wanted[head]) ck_assert_double_lt(relative_error(m.size, m.x[head], all.x[head]), limit_same);
        else ck_assert_double_eq(max_abs(m.size, m.x[head]), 0);
        if (wanted[head] == 2) ck_assert_double_lt(relative_error(tangents, m.x_dot[head], all.x_dot[head]), limit_same);
        else ck_assert_double_eq(max_abs(m.size, m.x_dot[head]), 0);
      }
    }
  tear_down(&m), tear_down(&all);
} END_TEST

/* What the hooks saw: gradients as they were when they were called final. */
struct witness {
  const real *grads;
  real *seen;
  size_t from;       /* where the final part begins */
  int calls, breaths, descending;
};
static void see(void *context, size_t offset) {
  struct witness *v = context;
  v->descending &= offset <= v->from;
  if (offset < v->from) memcpy(v->seen + offset, v->grads + offset, (v->from - offset) * sizeof *v->seen);
  v->from = offset;
  v->calls++;
}
static void breathe(void *context) { ((struct witness *)context)->breaths++; }

START_TEST(gradients_are_final_once_announced) {
  for (size_t i = 0; i < SHAPES; i++) {
    struct bench m;
    set_up(&m, &shapes[i], 2, 1);
    const size_t n = m.net.table.size;
    real *plain = new_gradient(&m, NULL), *grads = new_normal(7, n), *start = new_normal(7, n);
    struct witness v = { grads, new_zeros(n), n, 0, 0, 1 };
    const struct net_hooks hooks = { .final = see, .breathe = breathe, .context = &v };
    forward(&m, 1);
    net_backward(&m.net, m.weights, &m.work, &m.in, m.x_bar[0], m.x_bar[1], grads, &hooks);
    ck_assert_int_eq(v.descending, 1);
    ck_assert_uint_eq(v.from, 0);
    ck_assert_int_gt(v.calls, (int)shapes[i].depth);     /* in pieces, not all at the end */
    ck_assert_int_ge(v.breaths, (int)shapes[i].depth);
    ck_assert_double_eq(max_abs_difference(n, v.seen, grads), 0);
    for (size_t k = 0; k < n; k++) grads[k] -= start[k];
    ck_assert_double_lt(relative_error(n, grads, plain), limit_same);   /* watching changes nothing */
    free(plain), free(grads), free(start), free(v.seen);
    tear_down(&m);
  }
} END_TEST

/* Weights that arrive only when they are said to be wanted; all others are no numbers. */
struct arriving { const real *weights; real *here; };
static void arrive(void *context, size_t first, size_t end) {
  struct arriving *a = context;
  memcpy(a->here + first, a->weights + first, (end - first) * sizeof *a->here);
}

START_TEST(weights_are_read_once_announced) {
  for (size_t i = 0; i < SHAPES; i++)
    for (int u = 0; u < 2; u++) {   /* as guidance goes through the net, and both heads */
      struct bench m, all;
      set_up(&m, &shapes[i], 2, 0);
      set_up(&all, &shapes[i], 2, 0);
      forward(&all, 0);
      struct arriving a = { all.weights, m.weights };
      const struct net_hooks hooks = { .use = arrive, .context = &a };
      for (size_t k = 0; k < m.net.table.size; k++) m.weights[k] = NAN;
      net_forward(&m.net, m.weights, &m.work, &m.in, 0, u ? m.x[0] : NULL, u ? m.x_dot[0] : NULL, m.x[1], m.x_dot[1], &hooks);
      for (int head = !u; head < HEADS; head++) {
        ck_assert_double_lt(relative_error(m.size, m.x[head], all.x[head]), limit_same);
        ck_assert_double_lt(relative_error(2 * m.net.pixels, m.x_dot[head], all.x_dot[head]), limit_same);
      }
      tear_down(&m), tear_down(&all);
    }
} END_TEST

int main(void) {
  return run_tests("net in double", (const TTest *[]){
    conditions_enter_as_the_spec_says, tangents_are_derivatives, gradients_of_every_tensor_are_derivatives,
    gradients_add_to_what_is_there, keeping_activations_changes_no_bit, recomputing_changes_nothing,
    samples_do_not_see_each_other, outputs_may_be_left_out, gradients_are_final_once_announced,
    weights_are_read_once_announced, NULL });
}
