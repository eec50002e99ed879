/* What a step saves and how it is cut changes nothing: order, micro-batches, what is left out, and who listens (objective.h). */
#include "tests/objective.h"

static void check_sums(const struct objective_sums *a, const struct objective_sums *b) {
  ck_assert_double_eq_tol(a->loss, b->loss, limit_same * b->loss);
  ck_assert_double_eq_tol(a->mse_u, b->mse_u, limit_same * b->mse_u);
  ck_assert_double_eq_tol(a->mse_v, b->mse_v, limit_same * b->mse_v);
  ck_assert_double_eq_tol(a->mse_u_fm, b->mse_u_fm, limit_same * b->mse_u_fm);
  ck_assert_double_eq_tol(a->mse_v_fm, b->mse_v_fm, limit_same * b->mse_v_fm);
  ck_assert_double_eq_tol(a->loss_fm, b->loss_fm, limit_same * b->loss_fm);
  ck_assert_double_eq_tol(a->loss_others, b->loss_others, limit_same * b->loss_others);
  ck_assert_double_eq_tol(a->du_dt_square, b->du_dt_square, limit_same * b->du_dt_square);
  ck_assert_double_eq_tol(a->du_dt_max, b->du_dt_max, limit_same * b->du_dt_max);
  ck_assert_uint_eq(a->images, b->images);
  ck_assert_uint_eq(a->fm, b->fm);
  ck_assert_uint_eq(a->guidance, b->guidance);
  ck_assert_uint_eq(a->tangents, b->tangents);
}

/* In whatever order samples come: the same gradient and sums; values stay with their sample. */
START_TEST(order_of_samples_does_not_matter) {
  static const size_t orders[][CASES] = { { 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 }, { 2, 8, 0, 1, 3, 4, 5, 6, 7, 9 },
                                          { 5, 0, 6, 8, 1, 2, 9, 3, 7, 4 } };
  set_up(&shape);
  const size_t P = net.pixels;
  for (size_t n = 0; n < CONFIGS; n++) {
    struct batch k;
    set_batch(&k, P, CASES, in_order);
    struct result first = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k.b, &first, 1, NULL);
    free_batch(&k);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
      set_batch(&k, P, CASES, orders[o]);
      struct result r = new_result(&net);
      run(&configs[n], &net, weights, CASES, &k.b, &r, 1, NULL);
      ck_assert_double_lt(relative_error(net.table.size, r.grads, first.grads), limit_same);
      check_sums(&r.sums, &first.sums);
      for (size_t i = 0; i < CASES; i++) {
        const size_t j = orders[o][i];
        ck_assert_double_lt(relative_error(P, r.values.V + i * P, first.values.V + j * P), limit_same);
        ck_assert_double_lt(relative_error(P, r.values.v_g + i * P, first.values.v_g + j * P), limit_same);
      }
      free_result(&r);
      free_batch(&k);
    }
    free_result(&first);
  }
  tear_down();
} END_TEST

/* Micro-batches of 1, 3 (the last one short) and all; a workspace larger than its batch. */
START_TEST(micro_batches_add_up) {
  set_up(&shape);
  const size_t P = net.pixels;
  struct batch k;
  set_batch(&k, P, CASES, in_order);
  for (size_t n = 0; n < CONFIGS; n++) {
    struct result all = new_result(&net);
    run(&configs[n], &net, weights, CASES, &k.b, &all, 0, NULL);
    static const struct { size_t batch, work; } ways[] = { { 1, 1 }, { 3, 3 }, { 4, CASES + 3 } };
    for (size_t s = 0; s < sizeof ways / sizeof *ways; s++) {
      struct result r = new_result(&net);
      for (size_t i = 0; i < CASES; i += ways[s].batch) {
        const size_t left = CASES - i;
        const struct objective_batch b = part(&k.b, P, i, left < ways[s].batch ? left : ways[s].batch);
        run(&configs[n], &net, weights, ways[s].work, &b, &r, 0, NULL);
      }
      ck_assert_double_lt(relative_error(net.table.size, r.grads, all.grads), limit_same);
      check_sums(&r.sums, &all.sums);
      free_result(&r);
    }
    free_result(&all);
  }
  free_batch(&k);
  tear_down();
} END_TEST

START_TEST(only_what_is_needed_is_evaluated) {
  set_up(&shape);
  const size_t P = net.pixels;
  struct batch k;
  set_batch(&k, P, CASES, in_order);
  for (size_t i = 0; i < CASES; i++) {
    struct result r = new_result(&net);
    const struct objective_batch b = part(&k.b, P, i, 1);
    run(&configs[0], &net, weights, 1, &b, &r, 0, NULL);
    ck_assert_msg(r.sums.guidance == cases[i].evaluations, "%s: %zu evaluations", cases[i].name, r.sums.guidance);
    ck_assert_uint_eq(r.sums.tangents, !cases[i].fm);
    ck_assert_uint_eq(r.sums.fm, (size_t)cases[i].fm);
    ck_assert_uint_eq(r.sums.images, 1);
    free_result(&r);
  }
  free_batch(&k);
  tear_down();
} END_TEST

/* Whoever listens hears guidance, forward and backward begin, and the gradient grow final; nothing changes. */
struct listener { enum net_phase phases[4]; size_t count, offset, wrong; };
static void hear_phase(void *context, enum net_phase phase) {
  struct listener *l = context;
  if (l->count < 4) l->phases[l->count++] = phase;
}
static void hear_final(void *context, size_t offset) {
  struct listener *l = context;
  l->wrong += l->count != 3 || offset > l->offset;
  l->offset = offset;
}
START_TEST(hooks_hear_of_every_part) {
  set_up(&shape);
  struct batch k;
  set_batch(&k, net.pixels, CASES, in_order);
  struct result r = new_result(&net), silent = new_result(&net);
  struct listener l = { .offset = net.table.size };
  const struct net_hooks hooks = { .final = hear_final, .phase = hear_phase, .context = &l };
  run(&configs[0], &net, weights, CASES, &k.b, &silent, 0, NULL);
  run(&configs[0], &net, weights, CASES, &k.b, &r, 0, &hooks);
  ck_assert_uint_eq(l.count, 3);
  ck_assert(l.phases[0] == NET_GUIDANCE && l.phases[1] == NET_FORWARD && l.phases[2] == NET_BACKWARD);
  ck_assert_uint_eq(l.wrong, 0);
  ck_assert_uint_eq(l.offset, 0);
  ck_assert_double_eq(max_abs_difference(net.table.size, r.grads, silent.grads), 0);
  free_result(&r), free_result(&silent);
  free_batch(&k);
  tear_down();
} END_TEST

/* A sample that is not FM but has r = t and the whole interval gives what an FM sample gives: the savings are exact. */
START_TEST(savings_of_flow_matching_are_exact) {
  set_up(&shape);
  for (size_t n = 0; n < CONFIGS; n++) {
    struct result r[2];
    for (int fm = 0; fm < 2; fm++) {
      struct batch k;
      set_batch(&k, net.pixels, CASES, in_order);
      for (size_t i = 0; i < CASES; i++) k.r[i] = k.t[i], k.t_min[i] = 0, k.t_max[i] = 1, k.fm[i] = fm;
      r[fm] = new_result(&net);
      run(&configs[n], &net, weights, CASES, &k.b, &r[fm], 1, NULL);
      free_batch(&k);
    }
    ck_assert_double_lt(relative_error(net.table.size, r[1].grads, r[0].grads), limit_same);
    ck_assert_double_lt(relative_error(CASES * net.pixels, r[1].values.v_g, r[0].values.v_g), limit_same);
    ck_assert_double_eq_tol(r[1].sums.loss, r[0].sums.loss, limit_same * r[0].sums.loss);
    free_result(&r[0]), free_result(&r[1]);
  }
  tear_down();
} END_TEST

int main(void) {
  return run_tests("savings of the objective", (const TTest *[]){
    order_of_samples_does_not_matter, micro_batches_add_up, only_what_is_needed_is_evaluated, hooks_hear_of_every_part,
    savings_of_flow_matching_are_exact, NULL });
}
