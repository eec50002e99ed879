/* The perceptual terms of the objective in double against their definition: each sample by itself, and the gradient by central
 * differences with the adaptive weights frozen (objective.h). */
#include "src/vision/classifier.h"
#include "src/vision/convnext.h"
#include "tests/objective.h"

/* Two networks: a classifier's maps at the images' own size, and a small ConvNeXt at 32 x 32, which wants three channels. */
struct seeing {
  struct perceptual p;
  struct classifier classifier;
  struct contrast contrast[2];
  real *weights[2];
  struct arena arena;
  struct contrast_work one[2];   /* for distances by hand, with room for their images */
  struct resample resample[2];
  real *small[2], *pair[2][2];
  struct arena by_hand;
};
static void lay_out_seeing(struct seeing *s) {
  perceptual_layout(&s->arena, CASES, 2, &s->p);
  for (int k = 0; k < 2; k++) {
    const size_t n = s->contrast[k].graph.maps[0].H, wide = s->contrast[k].graph.maps[0].C;
    contrast_layout(&s->by_hand, &s->contrast[k], 1, &s->one[k]);
    resample_layout(&s->by_hand, s->p.H, s->p.W, s->p.C, n, &s->resample[k]);
    s->small[k] = arena_take(&s->by_hand, n * n * s->p.C);
    for (int which = 0; which < 2; which++) s->pair[k][which] = arena_take(&s->by_hand, n * n * wide);
  }
}
static void open_eyes(struct seeing *s, const struct net_config *config, double max_t) {
  static const struct convnext_sizes small = { { 1, 1, 1, 1 }, { 4, 6, 6, 8 } };
  const size_t size = config->image;
  *s = (struct seeing){ .p = { .H = size, .W = size, .C = config->channels, .max_t = max_t } };
  ck_assert_int_eq(classifier_init_kind(&s->classifier, CLASSIFIER_5X5, size, config->channels, 3), 0);
  classifier_contrast(&s->contrast[0], &s->classifier, 0);
  convnext_init(&s->contrast[1], &small, 32, 32);
  for (uint32_t k = 0; k < 2; k++) {
    const struct table *t = k ? &s->contrast[1].table : &s->classifier.table;
    s->weights[k] = new_zeros(t->size);
    fill_weights(70 + 100 * k, t, s->weights[k]);
    ck_assert_int_eq(contrast_prepare(&s->contrast[k], s->weights[k]), 0);
    s->p.term[k] = (struct perceptual_term){ &s->contrast[k], s->weights[k], k ? 300 : 0.7 };
  }
  lay_out_seeing(s);
  if (arena_init(&s->arena) || arena_init(&s->by_hand)) abort();
  lay_out_seeing(s);
}
static void shut_eyes(struct seeing *s) {
  for (int k = 0; k < 2; k++) contrast_free(&s->contrast[k]), free(s->weights[k]);
  classifier_free(&s->classifier);
  arena_free(&s->arena), arena_free(&s->by_hand);
}

/* d_k(x_p, x) of a sample by its definition: crop, three channels, the network. */
static double seen_distance(struct seeing *s, int k, const struct objective_batch *b, size_t i, const real *x_p) {
  const size_t n = s->contrast[k].graph.maps[0].H, C = s->p.C, wide = s->contrast[k].graph.maps[0].C;
  real *small = s->small[k], *const *pair = s->pair[k], d;
  struct resample *r = &s->resample[k];
  resample_cubic(r, perceptual_crop(&s->p, b->seed, b->step, b->first + (uint32_t)i));
  for (int which = 0; which < 2; which++) {
    resample_forward(r, which ? b->x + i * net.pixels : x_p, small);
    for (size_t j = 0; j < n * n * wide; j++) pair[which][j] = small[j / wide * C + (C == wide ? j % wide : 0)];
  }
  contrast_distance(&s->contrast[k], s->weights[k], &s->one[k], 1, pair[0], pair[1], &d, NULL);
  return d;
}

/* sum over samples and terms of lambda a d, the adaptive weights a frozen (NULL: written there), as weights move. */
struct seen_loss {
  struct seeing *s;
  const struct objective_config *c;
  const struct objective_batch *b;
  const struct frozen *f;
  const real *direction;
  double a[CASES][2], distance[2];
  size_t seen;
  int freeze;
};
static void along_seen(void *context, double step, real *loss) {
  struct seen_loss *l = context;
  const size_t P = net.pixels;
  real *moved = new_zeros(net.table.size), *u = new_zeros(P), *v = new_zeros(P);
  move(net.table.size, weights, step, l->direction, moved);
  *loss = 0;
  for (size_t i = 0; i < CASES; i++) {
    const struct frozen *f = &l->f[i];
    if (f->t >= l->s->p.max_t) continue;
    velocities(l->c->prediction, moved, f->z, f->t, f->own, u, v);
    for (size_t j = 0; j < P; j++) u[j] = f->z[j] - f->t * u[j];
    l->seen += (size_t)l->freeze;
    for (int k = 0; k < 2; k++) {
      const double d = seen_distance(l->s, k, l->b, i, u);
      if (l->freeze) l->a[i][k] = l->s->p.term[k].lambda / pow(d + l->c->norm_eps, l->c->norm_p), l->distance[k] += d;
      *loss += l->a[i][k] * d;
    }
  }
  free(moved), free(u), free(v);
}

static void check_seen(const struct net_config *config, const struct objective_config *plain, double max_t) {
  set_up(config);
  struct seeing s;
  open_eyes(&s, config, max_t);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  k.b.first = 3;
  struct objective_config c = *plain;
  struct frozen f[CASES];
  for (size_t i = 0; i < CASES; i++) f[i] = freeze(&c, &k.b, i);
  struct result without = new_result(&net), with = new_result(&net), parts = new_result(&net);
  run(&c, &net, weights, CASES, &k.b, &without, 0, NULL);
  c.perceptual = &s.p;
  run(&c, &net, weights, CASES, &k.b, &with, 0, NULL);
  real *direction = new_zeros(net.table.size), numeric, loss;
  struct seen_loss l = { .s = &s, .c = &c, .b = &k.b, .f = f, .direction = direction, .freeze = 1 };
  along_seen(&l, 0, &loss);
  l.freeze = 0;
  ck_assert_uint_eq(with.sums.seen, l.seen);
  for (int t = 0; t < 2; t++) ck_assert_double_eq_tol(with.sums.distance[t], l.distance[t], limit_same * (1 + l.distance[t]));
  ck_assert_double_eq_tol(with.sums.loss - without.sums.loss, loss, limit_same * (1 + loss));
  for (size_t i = 0; i < net.table.size; i++) with.grads[i] -= without.grads[i];
  if (!l.seen) ck_assert_double_eq(max_abs(net.table.size, with.grads), 0);
  for (size_t i = 0; l.seen && i < net.table.count; i += 2) {   /* a random direction in every other tensor */
    const struct tensor *t = &net.table.tensors[i];
    real *d = direction + t->offset;
    const double scale = sqrt(dot(t->size, with.grads + t->offset, with.grads + t->offset));
    fill_normal((uint32_t)i, t->size, d);
    const double length = sqrt(dot(t->size, d, d));
    for (size_t e = 0; e < t->size; e++) d[e] /= length;
    if (net_in_v_head(t)) ck_assert_double_lt(scale, 1e-12);
    else {
      differentiate(along_seen, &l, 1e-7, 1, &numeric);
      const double error = fabs(dot(t->size, with.grads + t->offset, d) - numeric) / scale;
      ck_assert_msg(error < 1e-5, "%s: relative error %g of the perceptual terms' gradient", t->name, error);
    }
    memset(d, 0, t->size * sizeof *d);
  }
  for (size_t i = 0; i < CASES; i += 3) {   /* in micro-batches crops stay with their samples */
    const struct objective_batch b = part(&k.b, net.pixels, i, CASES - i < 3 ? CASES - i : 3);
    run(&c, &net, weights, 3, &b, &parts, 0, NULL);
  }
  for (size_t i = 0; i < net.table.size; i++) with.grads[i] += without.grads[i];
  ck_assert_double_lt(relative_error(net.table.size, parts.grads, with.grads), 1e-11);
  ck_assert_double_eq_tol(parts.sums.loss, with.sums.loss, limit_same * with.sums.loss);
  for (size_t i = 0; i < CASES; i++) thaw(&f[i]);
  free(direction);
  free_result(&without), free_result(&with), free_result(&parts);
  free_batch(&k);
  shut_eyes(&s);
  tear_down();
}
START_TEST(networks_see_where_velocities_lead) {
  struct net_config grey = shape;
  grey.channels = 1;
  check_seen(&shape, &configs[0], 0.5);
  check_seen(&grey, &configs[1], 0.3);
  check_seen(&shape, &configs[0], 0);   /* nothing is below, nothing is looked at */
} END_TEST

int main(void) {
  return run_tests("perceptual terms in double", (const TTest *[]){ networks_see_where_velocities_lead, NULL });
}
