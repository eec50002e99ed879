/* What a run makes of its saves: the time to keep free for one, which are slow, which are too many, which stay. */
#include "jobs/saves.h"

#define HARNESS_MPI
#include "mpi/agree.h"
#include "src/base/status.h"
#include "src/optim/share.h"
#include "tests/harness.h"
#include "tests/tiny.h"

START_TEST(two_saves_a_step_and_a_minute_are_kept_free) {
  const struct saves s = { .longest = 40 };
  ck_assert_double_eq(saves_margin(&s, 7, 36000), 7 + 2 * 40 + 60);
  ck_assert_double_eq(saves_margin(&s, 7, 600), 7 + 2 * 40 + 30);   /* a twentieth of a short run's time */
} END_TEST

START_TEST(a_save_that_fails_at_once_leaves_the_margin) {
  struct saves s = { .longest = 40 };
  const double before = saves_margin(&s, 7, 36000);
  s.longest = saves_expect(s.longest, 0.003, STATUS_IO);   /* no room */
  ck_assert_double_eq(saves_margin(&s, 7, 36000), before);
  ck_assert_double_eq(saves_expect(40, 90, STATUS_IO), 90);   /* it has tried for as long */
  ck_assert_double_eq(saves_expect(40, 30, STATUS_OK), 30);
  ck_assert_double_eq(saves_expect(40, 90, STATUS_OK), 90);
} END_TEST

START_TEST(a_run_whose_save_failed_keeps_its_margin) {   /* there is no such folder, so it fails at once */
  struct trainer t = { .w = &world, .s = tiny_settings(), .text = (char[]){ "" } };
  struct progress progress = { 0 };
  const struct metrics none = { 0 };
  struct saves s;
  tiny_net(&t.net, &t.s);
  share_matrices(&t.net.table, world.ranks);
  tiny_must(state_init(&world, &t.state, &t.net, &t.s));
  t.needs.checkpoint = (size_t)5e9;   /* 50 s on a slow disk */
  tiny_must(saves_open(&s, &world, &t, "/nowhere", &none, &progress));
  const double before = saves_margin(&s, 1, 36000);
  const int status = saves_take(&s, 0), right = !status && !s.exists && s.ended == 1 && saves_margin(&s, 1, 36000) >= before;
  saves_close(&s);
  state_free(&t.state);
  net_free(&t.net);
  ck_assert_msg(!agree_any(world.comm, !right), "the margin was %g s", before);
  ck_assert(world.rank || before == 1 + 2 * 50 + 60);
} END_TEST

START_TEST(slow_is_long_and_few_bytes_a_second) {
  ck_assert(saves_slow(2e9, 200));          /* 10 MB/s */
  ck_assert(!saves_slow(2e9, 50));          /* 40 MB/s */
  ck_assert(!saves_slow(1e6, 9));           /* a small file, and nobody waits for long */
  ck_assert(saves_slow(1e6, 11));
  ck_assert(!saves_slow(20 * 2e7, 20));     /* at the limit */
} END_TEST

START_TEST(too_often_is_a_share_after_some_saves) {
  ck_assert(saves_too_often(3, 90, 1000));      /* 9 % */
  ck_assert(!saves_too_often(2, 90, 1000));     /* a run that has just begun */
  ck_assert(!saves_too_often(30, 90, 2000));    /* 4.5 % */
  ck_assert(!saves_too_often(30, 20, 100));     /* a fifth, of a run of two minutes */
} END_TEST

START_TEST(the_first_of_each_so_many_steps_stays) {
  const uint64_t every = 1000;
  ck_assert(!saves_archived(0, 0, 5000));
  ck_assert(!saves_archived(every, 0, 999));
  ck_assert(saves_archived(every, 0, 1000) && saves_archived(every, 0, 1007));
  ck_assert(!saves_archived(every, 1007, 1999));
  ck_assert(saves_archived(every, 1007, 2000) && saves_archived(every, 1007, 3500));
  ck_assert(!saves_archived(every, 3500, 3500));   /* one that is there already */
  uint64_t kept = 0, last = 0;
  for (uint64_t step = 300; step <= 9900; step += 300)
    if (saves_archived(every, last, step)) last = step, kept++;
  ck_assert_uint_eq(kept, 9);
} END_TEST

int main(int argc, char **argv) {
  return run_mpi_tests(&argc, &argv, "saves",
                       (const TTest *[]){ two_saves_a_step_and_a_minute_are_kept_free, a_save_that_fails_at_once_leaves_the_margin,
                                          a_run_whose_save_failed_keeps_its_margin, slow_is_long_and_few_bytes_a_second,
                                          too_often_is_a_share_after_some_saves, the_first_of_each_so_many_steps_stays, NULL });
}
