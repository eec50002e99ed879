/* Images in a second count this start's steps and this start's time alone, without what is excluded (EXPECTATIONS U4): jobs that count
 * the steps of the starts before them show many times the true rate. The clock is set back by what is to have passed: hours,
 * of which what a busy machine takes for the test is nothing. */
#include "io/progress.h"
#include "tests/harness.h"

enum { STEPS = 2400, BATCH = 10 };

/* A start at step `first`, 10,000 s ago. */
static struct progress started(uint64_t first) {
  struct progress p;
  progress_start(&p, STEPS, BATCH, first);
  p.began -= 10000;
  return p;
}

static void check_rate(const struct progress *p, uint64_t done, double expected) {
  ck_assert_double_eq_tol(progress_rate(p, done), expected, 0.01 * expected);
}

START_TEST(a_start_in_the_midst_is_as_fast_as_one_from_the_beginning) {
  const struct progress fresh = started(0), again = started(800);
  check_rate(&fresh, 50, 0.05);
  check_rate(&again, 850, 0.05);
  ck_assert_double_eq(progress_rate(&again, 800), 0);
} END_TEST

START_TEST(what_is_excluded_took_no_time) {
  struct progress p = started(800);
  progress_exclude(&p, 3000);
  progress_exclude(&p, 4500);
  check_rate(&p, 850, 0.2);
} END_TEST

START_TEST(steps_made_again_are_work) {
  struct progress p = started(800);
  progress_redo(&p, 40);
  check_rate(&p, 810, 0.05);
  progress_redo(&p, 790);   /* to a step before this start's first */
  check_rate(&p, 20, 0.05);
} END_TEST

START_TEST(other_work_begins_with_a_clock_of_its_own) {
  struct progress p = started(800);
  progress_exclude(&p, 9000);
  progress_next(&p, 100, 4);
  p.began -= 1000;
  check_rate(&p, 50, 0.2);
} END_TEST

int main(void) {
  return run_tests("progress", (const TTest *[]){ a_start_in_the_midst_is_as_fast_as_one_from_the_beginning,
                                                  what_is_excluded_took_no_time, steps_made_again_are_work,
                                                  other_work_begins_with_a_clock_of_its_own, NULL });
}
