/* An arena: zeroed whatever the memory held before, aligned, its first touch shared among the threads. posix_memalign here stands
 * before the C library's: its memory cannot be touched at first, and whoever does it is noted, a piece of 2 MiB at a time, and
 * finds it dirty. */
#define _GNU_SOURCE   /* MAP_ANONYMOUS */
#include <errno.h>
#include <omp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "src/base/arena.h"
#include "tests/harness.h"

enum { PIECE = 2 << 20, PIECES = 9 };

static int watched;                /* allocations are */
static char *base;                 /* of the last one */
static int touched_by[PIECES];     /* thread, or -1 */

static void on_touch(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  const ptrdiff_t at = (char *)info->si_addr - base;
  if (!base || at < 0 || at >= (ptrdiff_t)PIECES * PIECE) _exit(EXIT_FAILURE);
  char *piece = base + at / PIECE * PIECE;
  mprotect(piece, PIECE, PROT_READ | PROT_WRITE);
  memset(piece, 0xff, PIECE);
  touched_by[at / PIECE] = omp_get_thread_num();
}

int posix_memalign(void **p, size_t align, size_t n) {
  if (!watched) {
    *p = aligned_alloc(align, (n + align - 1) / align * align);
    return *p ? 0 : ENOMEM;
  }
  char *room = mmap(NULL, (size_t)(PIECES + 1) * PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED || n > (size_t)PIECES * PIECE || align != PIECE) return ENOMEM;
  base = room + (PIECE - (uintptr_t)room % PIECE) % PIECE;
  for (int i = 0; i < PIECES; i++) touched_by[i] = -1;
  *p = base;
  return 0;
}

/* The arena is not given back: it is no memory of malloc's. */
static void init_on(int threads, size_t n, struct arena *a) {
  omp_set_num_threads(threads);
  *a = (struct arena){ 0 };
  ck_assert_ptr_null(arena_take(a, n));
  watched = 1;
  const int status = arena_init(a);
  watched = 0;
  ck_assert_int_eq(status, 0);
}

START_TEST(first_touch_is_by_the_threads_in_turn_and_leaves_zeros) {
  static const size_t bytes[] = { 64, PIECE - 64, PIECE, PIECE + 64, (size_t)3 * PIECE + 128, (size_t)PIECES * PIECE };
  struct sigaction watch = { .sa_sigaction = on_touch, .sa_flags = SA_SIGINFO }, before;
  sigaction(SIGSEGV, &watch, &before);
  for (int threads = 1; threads <= 4; threads++)
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
      struct arena a;
      const size_t n = bytes[i] / sizeof(real), pieces = (bytes[i] + PIECE - 1) / PIECE;
      init_on(threads, n, &a);
      for (size_t k = 0; k < PIECES; k++)
        ck_assert_msg(touched_by[k] == (k < pieces ? (int)k % threads : -1), "%zu bytes, %d threads: piece %zu by thread %d",
                      bytes[i], threads, k, touched_by[k]);
      ck_assert_ptr_eq(arena_take(&a, n), base);
      ck_assert_uint_eq(a.size, n);
      size_t left = 0;
      for (size_t k = 0; k < bytes[i]; k++) left += base[k] != 0;
      ck_assert_uint_eq(left, 0);
      munmap(base, (size_t)PIECES * PIECE);
    }
  sigaction(SIGSEGV, &before, NULL);
} END_TEST

START_TEST(views_lie_on_cache_lines_one_after_the_other) {
  struct arena a = { 0 };
  static const size_t n[] = { 1, ARENA_ALIGN, ARENA_ALIGN + 1, 3 };
  for (int i = 0; i < 4; i++) ck_assert_ptr_null(arena_take(&a, n[i]));
  ck_assert_int_eq(arena_init(&a), 0);
  ck_assert_uint_eq((uintptr_t)a.base % PIECE, 0);
  size_t at = 0;
  for (int i = 0; i < 4; i++) {
    ck_assert_ptr_eq(arena_take(&a, n[i]), a.base + at);
    at += (n[i] + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
  }
  ck_assert_uint_eq(at, a.size);
  arena_free(&a);
  ck_assert_ptr_null(a.base);
  arena_free(&a);
} END_TEST

int main(void) {
  if (SANITIZED) {
    puts("first touches cannot be seen under a sanitizer that has its own memory");
    return 77;
  }
  return run_tests("arena", (const TTest *[]){ first_touch_is_by_the_threads_in_turn_and_leaves_zeros,
                                               views_lie_on_cache_lines_one_after_the_other, NULL });
}
