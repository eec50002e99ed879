/* Which steps are good, when a run goes back and to which data, when du/dt is alarming: jobs/guard.h, against the plain words of it;
 * and when a score may be taken. */
#include "jobs/evaluate.h"
#include "jobs/guard.h"
#include "tests/harness.h"

static struct guard_memory memory;

static struct guard fresh(void) {
  guard_begin(&memory);
  return (struct guard){ .memory = &memory, .spike = 10, .alarm = 4, .max_skips = 5, .max_rollbacks = 3,
                         .rollback_lr_factor = 0.5 };
}

/* Judges as jobs/step.c finds it on one rank. */
static void judge(struct guard *g, uint64_t step, double loss, double norm) {
  double most_loss, most_norm;
  guard_limits(g, &most_loss, &most_norm);
  const int finite = isfinite(loss), bad = !finite || !isfinite(norm) || loss > most_loss || norm > most_norm;
  guard_judge(g, bad, finite ? -1 : 0, step, guard_batch(g, step - 1) + 1, loss, norm);
}

static uint64_t good_steps(struct guard *g, uint64_t first, uint64_t n) {
  for (uint64_t k = first; k < first + n; k++) {
    judge(g, k, 2, 1);
    ck_assert_int_eq(g->verdict, GUARD_GOOD);
  }
  return first + n;
}

static int by_size(const void *a, const void *b) {
  const real x = *(const real *)a, y = *(const real *)b;
  return (x > y) - (x < y);
}

START_TEST(a_median_is_the_middle_of_the_sorted) {
  real x[GUARD_WINDOW], sorted[GUARD_WINDOW];
  for (size_t n = 1; n <= GUARD_WINDOW; n++) {
    fill_normal((uint32_t)n, n, x);
    if (n > 3) x[2] = x[0];
    memcpy(sorted, x, n * sizeof *x);
    qsort(sorted, n, sizeof *x, by_size);
    const double middle = n % 2 ? (double)sorted[n / 2] : ((double)sorted[n / 2 - 1] + (double)sorted[n / 2]) / 2;
    ck_assert_double_eq(guard_median(n, x), middle);
  }
} END_TEST

START_TEST(what_is_not_finite_is_bad_from_the_first_step) {
  struct guard g = fresh();
  judge(&g, 1, NAN, 1);
  ck_assert_int_eq(g.verdict, GUARD_LOSS_NOT_FINITE);
  ck_assert_int_eq(g.rank, 0);
  judge(&g, 2, 2, INFINITY);
  ck_assert_int_eq(g.verdict, GUARD_GRADIENT_NOT_FINITE);
  ck_assert_int_eq(g.rank, -1);
  ck_assert_double_eq(memory.in_a_row, 2);
  judge(&g, 3, 2, 1e30);   /* large, but there is no median yet */
  ck_assert_int_eq(g.verdict, GUARD_GOOD);
  ck_assert_double_eq(memory.in_a_row, 0);
} END_TEST

START_TEST(a_spike_is_bad_once_there_is_a_median) {
  struct guard g = fresh();
  uint64_t k = good_steps(&g, 1, GUARD_LEAST - 1);
  judge(&g, k++, 2, 1000);
  ck_assert_int_eq(g.verdict, GUARD_GOOD);
  judge(&g, k++, 2, 9.99);
  ck_assert_int_eq(g.verdict, GUARD_GOOD);
  judge(&g, k++, 2, 10.01);
  ck_assert_int_eq(g.verdict, GUARD_GRADIENT_SPIKE);
  judge(&g, k++, 20.01, 1);
  ck_assert_int_eq(g.verdict, GUARD_LOSS_SPIKE);
  for (int i = 0; i < 2 * GUARD_WINDOW; i++) judge(&g, k++, 2, 1e6);   /* what is bad moves no median */
  ck_assert_int_eq(g.verdict, GUARD_GRADIENT_SPIKE);
  for (int i = 0; i < GUARD_WINDOW; i++) judge(&g, k++, 2, 8);         /* what is good does */
  judge(&g, k++, 2, 79);
  ck_assert_int_eq(g.verdict, GUARD_GOOD);
  g.spike = 0;
  judge(&g, k++, 1e9, 1e9);
  ck_assert_int_eq(g.verdict, GUARD_GOOD);
} END_TEST

START_TEST(only_bad_steps_in_a_row_lead_back) {
  struct guard g = fresh();
  uint64_t k = 1;
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 4; j++) judge(&g, k++, NAN, 1);
    ck_assert(!guard_must_go_back(&g));
    k = good_steps(&g, k, 1);
  }
  for (int j = 0; j < 5; j++) judge(&g, k++, NAN, 1);
  ck_assert(guard_must_go_back(&g));
  g.max_skips = 0;
  ck_assert(!guard_must_go_back(&g));
} END_TEST

/* Back from `failed` to `step`, as jobs/train_loop.c does it: the memory becomes that of the checkpoint. */
static void go_back(struct guard *g, const struct guard_memory *saved, uint64_t step, uint64_t failed) {
  const struct guard_memory before = memory;
  memory = *saved;
  guard_gone_back(g, &before, step, failed);
}

START_TEST(the_batch_after_the_bad_one_is_next_and_none_comes_twice) {
  struct guard g = fresh();
  const uint64_t far = (uint64_t)1 << 40;   /* no 24 bits hold it */
  uint64_t step = far;
  const struct guard_memory saved = memory;
  uint64_t batch = guard_batch(&g, step);
  ck_assert_uint_eq(batch, far);
  for (int rollback = 1; rollback <= 3; rollback++) {
    for (int i = 0; i < 12 + rollback; i++, step++) {
      ck_assert_uint_eq(guard_batch(&g, step), batch++);
      judge(&g, step + 1, i < 7 + rollback ? 2 : NAN, 1);
    }
    ck_assert(guard_must_go_back(&g) && guard_may_go_back(&g));
    go_back(&g, &saved, far - 1000, step);
    step = far - 1000;
    ck_assert_double_eq(memory.rollbacks, rollback);
    ck_assert_double_eq(memory.lr_factor, pow(0.5, rollback));   /* the checkpoint's is that of before them all */
    ck_assert_double_eq(memory.good, 0);   /* the medians are those of the checkpoint */
    ck_assert(!guard_must_go_back(&g));
  }
  ck_assert(!guard_may_go_back(&g));
  const struct guard_first first = guard_first(&g);   /* of the first row, not of the last */
  ck_assert_uint_eq(first.step, far + 8 + 1);
  ck_assert_uint_eq(first.batch, far + 8 + 1);
  ck_assert_int_eq(first.verdict, GUARD_LOSS_NOT_FINITE);
  ck_assert_int_eq(first.rank, 0);
} END_TEST

/* Eight steps, of which three are others; no numbers are passed over. */
static int rings_in_a_group(struct guard *g, double most, double others) {
  int rings = 0;
  for (int i = 0; i < GUARD_GROUP; i++) {
    const double du_dt = i % 3 == 1 ? others : most;
    guard_alarm(g, du_dt);
    rings += g->rang;
    if (!isfinite(du_dt)) {
      guard_alarm(g, most);
      rings += g->rang;
    }
  }
  return rings;
}

START_TEST(du_dt_rings_once_until_it_has_calmed_down) {
  struct guard g = fresh();
  for (int i = 0; i < GUARD_GROUPS; i++) ck_assert_int_eq(rings_in_a_group(&g, 1, i == 3 ? 100 : i == 4 ? INFINITY : 1), 0);
  const double then[] = { 3.9, 4.1, 50, 3, 5, 1.9, 4.1 };
  const int expected[] = { 0, 1, 0, 0, 0, 0, 1 };
  for (int i = 0; i < 7; i++) {
    const int rings = rings_in_a_group(&g, then[i], then[i]);
    ck_assert_msg(rings == expected[i], "group %d, %g: %d, expected %d", i, then[i], rings, expected[i]);
  }
  ck_assert_int_eq(rings_in_a_group(&g, 1, 1), 0);
  ck_assert_int_eq(rings_in_a_group(&g, 1, 1000), 0);   /* less than half of a group is chance */
  for (int i = 0; i < GUARD_NUMBERS; i++) ck_assert(isfinite(((const real *)&memory)[i]));   /* or no save would take it */
} END_TEST

/* Due every 10 steps; its guess is 20 s; saves come every 100 s. */
START_TEST(a_score_delays_neither_save_nor_end) {
  struct evaluation e = { .every = 10, .share = 1, .guess = 20, .last = 30 };
  const struct { uint64_t step; double to_save, to_end; int due; } cases[] = {
    { 39, -1, -1, 0 }, { 40, -1, -1, 1 }, { 47, -1, -1, 1 },        /* one that was put off stays due */
    { 40, 19, -1, 0 }, { 40, 21, -1, 1 }, { 40, -1, 19, 0 }, { 40, -1, 21, 1 }, { 40, 50, 19, 0 }, { 40, 0, 50, 0 },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ck_assert_msg(evaluate_due(&e, cases[i].step, cases[i].to_save, 100, cases[i].to_end) == cases[i].due, "case %zu", i);
  e.share = 0.05;                                                    /* of the time since now */
  evaluate_start(&e);
  ck_assert(!evaluate_due(&e, 40, -1, 100, -1));
  e.began -= 401;
  ck_assert(evaluate_due(&e, 40, -1, 100, -1));
  e.spent = 1;
  ck_assert(!evaluate_due(&e, 40, -1, 100, -1));
} END_TEST

int main(void) {
  return run_tests("guard", (const TTest *[]){ a_median_is_the_middle_of_the_sorted,
                                               what_is_not_finite_is_bad_from_the_first_step,
                                               a_spike_is_bad_once_there_is_a_median, only_bad_steps_in_a_row_lead_back,
                                               the_batch_after_the_bad_one_is_next_and_none_comes_twice,
                                               du_dt_rings_once_until_it_has_calmed_down,
                                               a_score_delays_neither_save_nor_end, NULL });
}
