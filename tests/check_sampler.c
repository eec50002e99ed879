/* The sampler's laws (SPEC 9): one step is the net's own image, n steps are Euler's, nets of constant output have a
 * closed form, and an image is a function of its own noise and label alone. Along the v head: Euler is of first order, Heun
 * of second, and they go where the velocity says. */
#include "src/flow/sampler.h"
#include "tests/laws.h"

static const struct net_config shape = { .image = 12, .patch = 4, .channels = 3, .classes = 4, .width = 24, .depth = 3,
  .head_depth = 1, .heads = 2, .bottleneck = 10, .class_tokens = 3, .omega_tokens = 2, .interval_tokens = 1,
  .time_tokens = 4 };
enum { B = 5 };
static const int32_t labels[B] = { 3, 0, 4, 1, 3 };   /* 4: none */

static struct net net;
static struct sampler_work work;
static struct arena arena;
static real *weights, *noise, *images;
static size_t size;   /* numbers of B images */

static void set_up(void) {
  ck_assert_int_eq(net_init(&net, &shape, 0), 0);
  arena = (struct arena){ 0 };
  for (int pass = 0; pass < 2; pass++) {
    if (pass) ck_assert_int_eq(arena_init(&arena), 0);
    sampler_layout(&arena, &net, B, &work);
  }
  size = B * net.pixels;
  weights = new_zeros(net.table.size), noise = new_normal(1, size), images = new_zeros(size);
  fill_weights(10, &net.table, weights);
}
static void tear_down(void) {
  free(weights), free(noise), free(images);
  arena_free(&arena);
  net_free(&net);
}
static void sample(const struct sampler *c, size_t count, const int32_t *y, const real *from, real *to) {
  memcpy(to, from, count * net.pixels * sizeof *to);
  sampler_images(c, &net, weights, &work, count, y, to);
}
/* What the head of B samples says at (z, h). */
static void evaluate(const struct sampler *c, real h, const real *z, real *x) {
  real all[4][B];
  for (size_t b = 0; b < B; b++)
    all[0][b] = h, all[1][b] = (real)c->omega, all[2][b] = (real)c->t_min, all[3][b] = (real)c->t_max;
  const struct condition_input in = { B, 0, z, NULL, all[0], all[1], all[2], all[3], labels };
  net_forward(&net, weights, &work.net, &in, 0, c->head == HEAD_U ? x : NULL, NULL, c->head == HEAD_V ? x : NULL, NULL, NULL);
}

START_TEST(one_step_is_the_image_that_the_net_predicts) {
  const struct sampler c = { PREDICT_X, 1, 7.5, 0.1, 0.7, 2, HEAD_U, SOLVER_EULER };
  set_up();
  real *z = new_zeros(size), *x = new_zeros(size);
  for (size_t i = 0; i < size; i++) z[i] = 2 * noise[i];
  evaluate(&c, 1, z, x);
  sample(&c, B, labels, noise, images);
  ck_assert_double_gt(max_abs(size, x), 0.1);
  ck_assert_double_eq(max_abs_difference(size, images, x), 0);
  free(z), free(x);
  tear_down();
} END_TEST

/* z <- z - (t_i - t_{i+1}) u(z), u = (z - x_u)/clip(t_i, 0.05, 1) or x_u itself, transcribed in double. */
START_TEST(steps_are_eulers) {
  static const size_t counts[] = { 1, 2, 4, 30 };
  set_up();
  double *z = calloc(size, sizeof *z);
  real *single = new_zeros(size), *x = new_zeros(size);
  for (int p = PREDICT_X; p <= PREDICT_U; p++)
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
      const struct sampler c = { (enum prediction)p, counts[k], 3, 0.2, 0.6, 0.5, HEAD_U, SOLVER_EULER };
      const double n = (double)counts[k];
      for (size_t i = 0; i < size; i++) z[i] = 0.5 * (double)noise[i];
      for (size_t step = 0; step < counts[k]; step++) {
        const double t = 1 - (double)step / n;
        for (size_t i = 0; i < size; i++) single[i] = (real)z[i];
        evaluate(&c, (real)(1 / n), single, x);
        for (size_t i = 0; i < size; i++)
          z[i] -= 1 / n * (p == PREDICT_X ? (z[i] - (double)x[i]) / fmin(fmax(t, 0.05), 1) : (double)x[i]);
      }
      for (size_t i = 0; i < size; i++) single[i] = (real)z[i];
      sample(&c, B, labels, noise, images);
      ck_assert_double_lt(relative_error(size, images, single), 1e-4);   /* float, through the net n times */
    }
  free(z), free(single), free(x);
  tear_down();
} END_TEST

/* A net that always says c (zero: as it starts). PREDICT_U: z = s noise - c. PREDICT_X: z - c shrinks by t_{i+1}/t_i,
 * so to nothing; with n = 40 the clip stops it at t = 0.05, where two more steps halve it: 0.05/4. */
START_TEST(nets_of_constant_output_have_a_closed_form) {
  static const struct { size_t steps; double left; } ways[] = { { 1, 0 }, { 2, 0 }, { 7, 0 }, { 40, 0.0125 } };
  set_up();
  memset(weights, 0, net.table.size * sizeof *weights);
  real *expected = new_zeros(size);
  for (int constant = 0; constant < 2; constant++) {
    for (size_t i = 0; i < net.table.count && constant; i++) {
      const struct tensor *t = &net.table.tensors[i];
      for (size_t j = 0; !strcmp(t->name, "u_final_layer.linear._flax_linear.bias") && j < t->size; j++)
        weights[t->offset + j] = (real)0.3;
    }
    const double c = constant ? 0.3 : 0;
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++)
      for (int p = PREDICT_X; p <= PREDICT_U; p++) {
        const struct sampler s = { (enum prediction)p, ways[k].steps, 7, 0.1, 0.7, 2, HEAD_U, SOLVER_EULER };
        for (size_t i = 0; i < size; i++)
          expected[i] = (real)(2 * (double)noise[i] - c);
        for (size_t i = 0; i < size && p == PREDICT_X; i++)
          expected[i] = (real)(c + ways[k].left * (2 * (double)noise[i] - c));
        sample(&s, B, labels, noise, images);
        ck_assert_double_lt(max_abs_difference(size, images, expected), 1e-5);   /* of numbers up to 8 */
      }
  }
  free(expected);
  tear_down();
} END_TEST

/* Two samples in a chunk of five, wherever they stand and whatever stands beside them; and alone in a smaller chunk. */
START_TEST(images_do_not_depend_on_their_chunk) {
  const struct sampler c = { PREDICT_X, 2, 7.5, 0.1, 0.7, 1, HEAD_U, SOLVER_EULER };
  set_up();
  const size_t P = net.pixels;
  sample(&c, B, labels, noise, images);
  real *other = new_normal(2, size), *result = new_zeros(size);
  int32_t y[B] = { 0, 1, 2, 3, 4 };
  memcpy(other + 3 * P, noise, 2 * P * sizeof *other);   /* samples 0 and 1 now stand at 3 and 4 */
  y[3] = labels[0], y[4] = labels[1];
  sample(&c, B, y, other, result);
  ck_assert_double_lt(relative_error(2 * P, result + 3 * P, images), 1e-6);
  ck_assert_double_gt(max_abs_difference(2 * P, result, images), 1e-2);
  memset(other, 0, size * sizeof *other);                /* padding of zeros */
  memcpy(other, noise, 2 * P * sizeof *other);
  y[0] = labels[0], y[1] = labels[1];
  sample(&c, B, y, other, result);
  ck_assert_double_lt(relative_error(2 * P, result, images), 1e-6);
  sample(&c, 2, labels, noise, result);
  ck_assert_double_lt(relative_error(2 * P, result, images), 1e-5);
  free(other), free(result);
  tear_down();
} END_TEST

START_TEST(the_same_input_gives_the_same_bits) {
  const struct sampler c = { PREDICT_X, 3, 7.5, 0.1, 0.7, 1, HEAD_U, SOLVER_EULER };
  set_up();
  real *again = new_zeros(size);
  sample(&c, B, labels, noise, images);
  sample(&c, B, labels, noise, again);
  ck_assert(!memcmp(images, again, size * sizeof *again));
  free(again);
  tear_down();
} END_TEST

/* Label, scale and both ends of the interval reach the net. */
START_TEST(conditions_matter) {
  const struct sampler c = { PREDICT_X, 1, 7.5, 0.1, 0.7, 1, HEAD_U, SOLVER_EULER };
  set_up();
  real *other = new_zeros(size);
  sample(&c, B, labels, noise, images);
  for (int k = 0; k < 4; k++) {
    struct sampler changed = c;
    int32_t y[B];
    memcpy(y, labels, sizeof y);
    if (k == 0) changed.omega = 2;
    if (k == 1) changed.t_min = 0.4;
    if (k == 2) changed.t_max = 0.9;
    if (k == 3) y[0] = 2;
    sample(&changed, B, y, noise, other);
    ck_assert_double_gt(max_abs_difference(net.pixels, other, images), 1e-3);
  }
  free(other);
  tear_down();
} END_TEST

/* A spiral in the plane: dz/dt = A z, A = [[a, -b], [b, a]], so z(0) = exp(-A) z(1); and counts how often it was asked. */
static const double spiral_a = 0.4, spiral_b = 1.2;
static void spiral(void *context, real t, const real *z, real *v) {
  size_t *count = context;
  (void)t;
  ++*count;
  v[0] = (real)(spiral_a * (double)z[0] - spiral_b * (double)z[1]);
  v[1] = (real)(spiral_b * (double)z[0] + spiral_a * (double)z[1]);
}
static double spiral_error(enum solver s, size_t steps) {
  real z[2] = { 1, 0 }, v[4];
  size_t count = 0;
  solver_run(s, steps, spiral, &count, 2, z, v);
  ck_assert_uint_eq(count, solver_evaluations(s, steps));
  return hypot((double)z[0] - exp(-spiral_a) * cos(spiral_b), (double)z[1] + exp(-spiral_a) * sin(spiral_b));
}
START_TEST(euler_is_of_first_order_and_heun_of_second) {
  for (size_t steps = 16; steps <= 32; steps *= 2)   /* beyond that float rounding shows in Heun's error */
    for (int order = 1; order <= 2; order++) {
      const enum solver s = order == 1 ? SOLVER_EULER : SOLVER_HEUN;
      const double coarse = spiral_error(s, steps), fine = spiral_error(s, 2 * steps);
      ck_assert_double_eq_tol(log2(coarse / fine), order, 0.1);
    }
  ck_assert_uint_eq(solver_evaluations(SOLVER_EULER, 7), 7);
  ck_assert_uint_eq(solver_evaluations(SOLVER_HEUN, 7), 13);
  ck_assert_uint_eq(solver_evaluations(SOLVER_HEUN, 1), 1);
} END_TEST

/* The field may depend on time: dz/dt = 3 t^2 leads from z(1) = 1 to 0; Heun's steps meet its mean, and Euler's last one is
 * off by the step's cube. Euler alone meets the upper sum. */
static void cubic(void *context, real t, const real *z, real *v) { (void)context, (void)z, *v = 3 * t * t; }
START_TEST(times_are_those_of_the_steps) {
  for (int heun = 0; heun < 2; heun++) {
    const double n = 8;
    double sum = 0;
    for (int i = 0; i < 8; i++) {
      const double t = 1 - i / n, next = i < 7 ? t - 1 / n : t;
      sum += 3 / n * (heun ? (t * t + next * next) / 2 : t * t);
    }
    real z = 1, v[2];
    solver_run(heun ? SOLVER_HEUN : SOLVER_EULER, 8, cubic, NULL, 1, &z, v);
    ck_assert_double_eq_tol((double)z, 1 - sum, 1e-6);
  }
} END_TEST

/* v = (z - x_v)/clip(t, 0.05, 1) or x_v itself, with h = 0; both solvers transcribed in double. */
static void transcribe_velocity(const struct sampler *c, double t, const double *z, double *v, real *single, real *x) {
  for (size_t i = 0; i < size; i++) single[i] = (real)z[i];
  evaluate(c, 0, single, x);
  for (size_t i = 0; i < size; i++)
    v[i] = c->prediction == PREDICT_X ? (z[i] - (double)x[i]) / fmin(fmax(t, 0.05), 1) : (double)x[i];
}
START_TEST(the_v_head_is_followed_by_its_solver) {
  static const size_t counts[] = { 1, 2, 5, 25 };
  set_up();
  double *all = calloc(4 * size, sizeof *all), *z = all, *there = all + size, *v = all + 2 * size, *v_there = all + 3 * size;
  real *single = new_zeros(size), *x = new_zeros(size);
  for (int way = 0; way < 4; way++)
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
      const struct sampler c = { (enum prediction)(way / 2), counts[k], 3, 0.2, 0.6, 0.5, HEAD_V, (enum solver)(way % 2) };
      const double n = (double)counts[k];
      for (size_t i = 0; i < size; i++) z[i] = 0.5 * (double)noise[i];
      for (size_t step = 0; step < counts[k]; step++) {
        const double t = 1 - (double)step / n;
        transcribe_velocity(&c, t, z, v, single, x);
        for (size_t i = 0; i < size; i++) there[i] = z[i] - v[i] / n;
        const int heun = c.solver == SOLVER_HEUN && step + 1 < counts[k];
        if (heun) transcribe_velocity(&c, t - 1 / n, there, v_there, single, x);
        for (size_t i = 0; i < size; i++) z[i] = heun ? z[i] - (v[i] + v_there[i]) / (2 * n) : there[i];
      }
      for (size_t i = 0; i < size; i++) single[i] = (real)z[i];
      sample(&c, B, labels, noise, images);
      ck_assert_double_lt(relative_error(size, images, single), 1e-4);   /* float, through the net n times */
      ck_assert_uint_eq(sampler_evaluations(&c), c.solver == SOLVER_HEUN ? 2 * counts[k] - 1 : counts[k]);
    }
  free(all), free(single), free(x);
  tear_down();
} END_TEST

START_TEST(one_step_along_v_is_the_noise_less_v) {
  set_up();
  real *z = new_zeros(size), *v = new_zeros(size), *u = new_zeros(size);
  for (int p = PREDICT_X; p <= PREDICT_U; p++) {
    const struct sampler c = { (enum prediction)p, 1, 7.5, 0.1, 0.7, 2, HEAD_V, SOLVER_EULER };
    struct sampler other = c;
    for (size_t i = 0; i < size; i++) z[i] = 2 * noise[i];
    evaluate(&c, 0, z, v);
    velocity_forward(c.prediction, size, 1, z, v, v);
    for (size_t i = 0; i < size; i++) z[i] -= v[i];
    sample(&c, B, labels, noise, images);
    ck_assert_double_eq(max_abs_difference(size, images, z), 0);
    other.head = HEAD_U;
    sample(&other, B, labels, noise, u);
    ck_assert_double_gt(max_abs_difference(size, images, u), 1e-3);
  }
  free(z), free(v), free(u);
  tear_down();
} END_TEST

int main(void) {
  return run_tests("sampler", (const TTest *[]){
    one_step_is_the_image_that_the_net_predicts, steps_are_eulers, nets_of_constant_output_have_a_closed_form,
    images_do_not_depend_on_their_chunk, the_same_input_gives_the_same_bits, conditions_matter,
    euler_is_of_first_order_and_heun_of_second, times_are_those_of_the_steps, the_v_head_is_followed_by_its_solver,
    one_step_along_v_is_the_noise_less_v, NULL });
}
