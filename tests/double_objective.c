/* The objective in double against its definition (objective.h). With target, du/dt and adaptive weights frozen, the loss's gradient
 * by every tensor is compared with central differences (step 1e-3) to 1e-6; what must be the same, to 1e-12. */
#include "tests/objective.h"

/* Values of each sample: v_t, guided target, both velocities, du/dt (as (V - u)/h), losses; and their sums. */
static void check_values(const struct batch *k) {
  const size_t P = net.pixels;
  for (size_t n = 0; n < CONFIGS; n++) {
    struct result r = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k->b, &r, 1, NULL);
    double loss = 0, loss_fm = 0, mse_u = 0, mse_v = 0, mse_u_fm = 0, mse_v_fm = 0, square = 0, max = 0;
    real *du_dt = new_zeros(P);
    for (size_t i = 0; i < CASES; i++) {
      struct frozen f = freeze(&configs[n], &k->b, i);
      const struct objective_values *o = &r.values;
      ck_assert_msg(relative_error(P, o->v_t + i * P, f.v_t) < limit_same, "v_t of %s", cases[i].name);
      ck_assert_msg(relative_error(P, o->v_g + i * P, f.v_g) < limit_same, "v_g of %s", cases[i].name);
      ck_assert_msg(relative_error(P, o->u + i * P, f.u) < limit_same, "u of %s", cases[i].name);
      ck_assert_msg(relative_error(P, o->v + i * P, f.v) < limit_same, "v of %s", cases[i].name);
      for (size_t j = 0; f.h > 0 && j < P; j++) du_dt[j] = (o->V[i * P + j] - o->u[i * P + j]) / f.h;
      if (f.h > 0) ck_assert_msg(relative_error(P, du_dt, f.du_dt) < limit_difference, "du/dt of %s", cases[i].name);
      else ck_assert_double_eq(max_abs_difference(P, o->V + i * P, o->u + i * P), 0);
      ck_assert_double_eq_tol(o->L_u[i], f.L_u, limit_difference * f.L_u);
      ck_assert_double_eq_tol(o->L_v[i], f.L_v, limit_same * f.L_v);
      loss += f.a_u * f.L_u + f.a_v * f.L_v;
      mse_u += f.L_u / (double)P, mse_v += f.L_v / (double)P;
      if (k->fm[i]) loss_fm += f.a_u * f.L_u + f.a_v * f.L_v, mse_u_fm += f.L_u / (double)P, mse_v_fm += f.L_v / (double)P;
      else square += dot(P, f.du_dt, f.du_dt) / (double)P, max = fmax(max, max_abs(P, f.du_dt));
      thaw(&f);
    }
    ck_assert_double_eq_tol(r.sums.loss, loss, limit_difference * loss);
    ck_assert_double_eq_tol(r.sums.mse_u, mse_u, limit_difference * mse_u);
    ck_assert_double_eq_tol(r.sums.mse_v, mse_v, limit_difference * mse_v);
    ck_assert_double_eq_tol(r.sums.mse_u_fm, mse_u_fm, limit_difference * mse_u_fm);
    ck_assert_double_eq_tol(r.sums.mse_v_fm, mse_v_fm, limit_difference * mse_v_fm);
    ck_assert_double_eq_tol(r.sums.loss_fm, loss_fm, limit_difference * loss_fm);
    ck_assert_double_eq_tol(r.sums.loss_others, loss - loss_fm, limit_difference * loss);
    ck_assert_double_eq_tol(r.sums.du_dt_square, square, limit_difference * square);
    ck_assert_double_eq_tol(r.sums.du_dt_max, max, limit_difference * max);
    free(du_dt);
    free_result(&r);
  }
}
START_TEST(values_are_those_of_the_definition) {
  set_up(&shape);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  check_values(&k);
  free_batch(&k);
  tear_down();
} END_TEST

/* The loss of all samples with everything frozen but u and v, as weights move. */
struct frozen_loss { const struct objective_config *c; const struct frozen *f; const real *direction; };
static void along_weights(void *context, double s, real *loss) {
  const struct frozen_loss *l = context;
  const size_t P = net.pixels;
  real *moved = new_zeros(net.table.size), *u = new_zeros(P), *v = new_zeros(P);
  move(net.table.size, weights, s, l->direction, moved);
  *loss = 0;
  for (size_t i = 0; i < CASES; i++) {
    const struct frozen *f = &l->f[i];
    velocities(l->c->prediction, moved, f->z, f->t, f->own, u, v);
    for (size_t j = 0; j < P; j++)
      *loss += f->a_u * pow(u[j] + f->h * f->du_dt[j] - f->v_g[j], 2) + f->a_v * pow(v[j] - f->v_g[j], 2);
  }
  free(moved), free(u), free(v);
}
/* In a random direction inside each tensor, and by two of its elements. */
static void check_gradient(const struct batch *k) {
  for (size_t n = 0; n < CONFIGS; n++) {
    struct frozen f[CASES];
    for (size_t i = 0; i < CASES; i++) f[i] = freeze(&configs[n], &k->b, i);
    struct result r = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k->b, &r, 0, NULL);
    real *direction = new_zeros(net.table.size), numeric;
    struct frozen_loss loss = { &configs[n], f, direction };
    for (size_t i = 0; i < net.table.count; i++) {
      const struct tensor *t = &net.table.tensors[i];
      const real *g = r.grads + t->offset;
      real *d = direction + t->offset;
      const double scale = sqrt(dot(t->size, g, g));
      ck_assert_msg(scale > 0, "%s has no gradient", t->name);
      for (size_t j = 0; j < 3; j++) {
        if (j < 2) {
          d[place(j, 2, t->size)] = 1;
        } else {
          fill_normal((uint32_t)i, t->size, d);
          const double length = sqrt(dot(t->size, d, d));
          for (size_t e = 0; e < t->size; e++) d[e] /= length;
        }
        differentiate(along_weights, &loss, step_w, 1, &numeric);
        const double error = fabs(dot(t->size, g, d) - numeric) / scale;
        ck_assert_msg(error < limit_difference, "%s: relative error %g of its gradient", t->name, error);
        memset(d, 0, t->size * sizeof *d);
      }
    }
    for (size_t i = 0; i < CASES; i++) thaw(&f[i]);
    free(direction);
    free_result(&r);
  }
}
START_TEST(gradient_is_that_of_the_frozen_loss) {
  set_up(&shape);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  check_gradient(&k);
  free_batch(&k);
  tear_down();
} END_TEST

/* A net without classes: the label table has the null row alone, w = 1 in [0, 1], all labels are dropped. Then v_g = v_t, and
 * the samples that are not FM need one evaluation, the direction of their tangent. */
START_TEST(without_classes_there_is_no_guidance) {
  struct net_config unconditional = shape;
  unconditional.classes = 0;
  set_up(&unconditional);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  for (size_t i = 0; i < CASES; i++) k.w[i] = 1, k.t_min[i] = 0, k.t_max[i] = 1, k.y[i] = 0, k.drop[i] = 1;
  check_values(&k);
  check_gradient(&k);
  for (size_t n = 0; n < CONFIGS; n++) {
    struct result r = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k.b, &r, 1, NULL);
    ck_assert_uint_eq(r.sums.guidance, tangents_of(&k.b));
    ck_assert_double_eq(max_abs_difference(CASES * net.pixels, r.values.v_g, r.values.v_t), 0);
    free_result(&r);
  }
  free_batch(&k);
  tear_down();
} END_TEST

/* The cases as flow-matching samples: r = t, the whole interval; no guidance, by dropped labels or by w = 1. */
static void make_plain(struct batch *k, int by_drop) {
  for (size_t i = 0; i < CASES; i++) {
    k->r[i] = k->t[i], k->t_min[i] = 0, k->t_max[i] = 1, k->fm[i] = 1, k->drop[i] = by_drop;
    if (!by_drop) k->w[i] = 1;
  }
}
/* Then V = u, and the loss is a(|u - v_t|^2) + a(|v - v_t|^2) at h = 0: plain flow matching, here by hand. */
START_TEST(at_equal_times_the_loss_is_flow_matching) {
  set_up(&shape);
  const size_t P = net.pixels;
  for (size_t n = 0; n < CONFIGS; n++)
    for (int by_drop = 0; by_drop < 2; by_drop++) {
      struct batch k;
      set_batch(&k, P, CASES, in_order);
      make_plain(&k, by_drop);
      struct result r = new_result(&net);
      run(&configs[n], &net, weights, CASES, &k.b, &r, 1, NULL);
      ck_assert_double_eq(max_abs_difference(CASES * P, r.values.V, r.values.u), 0);
      ck_assert_double_eq(max_abs_difference(CASES * P, r.values.v_g, r.values.v_t), 0);
      ck_assert_uint_eq(r.sums.tangents, 0);
      ck_assert_uint_eq(r.sums.fm, CASES);
      double loss = 0;
      real *u = new_zeros(P), *v = new_zeros(P), *z = new_zeros(P);
      for (size_t i = 0; i < CASES; i++) {
        const real *x = k.x + i * P, *e = k.e + i * P, t = k.t[i];
        const struct told c = { 0, k.w[i], 0, 1, by_drop ? (int32_t)net.config.classes : k.y[i] };
        double L_u = 0, L_v = 0;
        for (size_t j = 0; j < P; j++) z[j] = x[j] + t * (e[j] - x[j]);
        velocities(configs[n].prediction, weights, z, t, c, u, v);
        for (size_t j = 0; j < P; j++) {
          const double target = t < 0.05 ? (e[j] - x[j]) * t / 0.05 : e[j] - x[j];
          L_u += pow(u[j] - target, 2);
          L_v += pow(v[j] - target, 2);
        }
        loss += L_u / pow(L_u + configs[n].norm_eps, configs[n].norm_p);
        loss += L_v / pow(L_v + configs[n].norm_eps, configs[n].norm_p);
      }
      ck_assert_double_eq_tol(r.sums.loss, loss, limit_same * loss);
      free(u), free(v), free(z);
      free_result(&r);
      free_batch(&k);
    }
  tear_down();
} END_TEST

int main(void) {
  return run_tests("objective in double", (const TTest *[]){
    values_are_those_of_the_definition, gradient_is_that_of_the_frozen_loss, without_classes_there_is_no_guidance,
    at_equal_times_the_loss_is_flow_matching, NULL });
}
