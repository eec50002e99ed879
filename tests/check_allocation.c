/* Nothing is allocated inside the loop of a training: gradient, optimizer and averages take all they need beforehand. Every way
 * to memory of the C library is counted here while `counting`, whoever calls: these functions stand before the library's.
 * Not counted, as it is out of our hands: the record of a parallel region that libgomp makes and drops for each one of a single
 * thread (1.5 kB), and the list of jobs that OpenBLAS makes and drops for each product on several threads (0.5 MB). */
#define _GNU_SOURCE   /* dladdr */
#include <dlfcn.h>
#include <errno.h>
#include <omp.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jobs/guard.h"
#include "src/flow/objective.h"
#include "src/optim/optimizer.h"
#include "tests/harness.h"

#if defined __GLIBC__ && !SANITIZED
#define COUNTED 1
static atomic_int counting, allocations;
static void *last;   /* who asked */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static int is_out_of_our_hands(void *caller) {
  static const char *const names[] = { "libgomp", "libomp", "libopenblas" };
  Dl_info from;
  if (!dladdr(caller, &from) || !from.dli_fname) return 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strstr(from.dli_fname, names[i])) return 1;
  return 0;
}
static void count(void *caller) {
  if (!atomic_load(&counting) || is_out_of_our_hands(caller)) return;
  atomic_fetch_add(&allocations, 1);
  last = caller;
}
#define COUNT count(__builtin_return_address(0))
void *malloc(size_t n) { COUNT; return __libc_malloc(n); }
void *calloc(size_t n, size_t size) { COUNT; return __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { COUNT; return __libc_realloc(p, n); }
void *memalign(size_t align, size_t n);
void *memalign(size_t align, size_t n) { COUNT; return __libc_memalign(align, n); }
void *aligned_alloc(size_t align, size_t n) { COUNT; return __libc_memalign(align, n); }
int posix_memalign(void **p, size_t align, size_t n) {
  COUNT;
  *p = __libc_memalign(align, n);
  return *p ? 0 : ENOMEM;
}
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
  COUNT;
  return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}
#else
#define COUNTED 0
static int counting, allocations;
static void *last;
#endif

enum { B = 3 };

struct loop {
  struct net net;
  struct arena arena;
  struct objective_work objective;
  struct objective_batch batch;
  struct optimizer optimizer;
  real *x, *e, *conditions, *grads, *weights, *m, *s, *ema, *work;
  uint64_t step;
  struct guard_memory memory;
};

static void lay_out(struct loop *l) {
  const size_t P = l->net.pixels, size = l->net.table.size;
  l->x = arena_take(&l->arena, B * P);
  l->e = arena_take(&l->arena, B * P);
  l->conditions = arena_take(&l->arena, 5 * B);
  l->grads = arena_take(&l->arena, size);
  l->weights = arena_take(&l->arena, size);
  l->m = arena_take(&l->arena, size);
  l->s = arena_take(&l->arena, l->net.table.second_size);
  l->ema = arena_take(&l->arena, size);
  l->work = arena_take(&l->arena, optimizer_work(&l->optimizer, &l->net.table));
  objective_layout(&l->arena, &l->net, B, B, &l->objective);
}

/* A sample of each kind: with a tangent and an open gate, with flow matching, with its label dropped. */
static void set_up(struct loop *l, int adamw, int recompute) {
  static const real t[B] = { 0.6f, 0.4f, 0.7f }, r[B] = { 0.2f, 0.4f, 0.1f }, w[B] = { 3, 2, 4 };
  static const real t_min[B] = { 0.1f, 0, 0.2f }, t_max[B] = { 0.9f, 1, 0.5f };
  static const int32_t y[B] = { 0, 2, 1 };
  static const int fm[B] = { 0, 1, 0 }, drop[B] = { 0, 0, 1 };
  const struct net_config config = { .image = 32, .patch = 4, .channels = 3, .classes = 4, .width = 192, .depth = 3,
                                     .head_depth = 1, .heads = 4, .class_tokens = 2, .omega_tokens = 1,
                                     .interval_tokens = 1, .time_tokens = 1, .recompute = recompute };
  *l = (struct loop){ .optimizer = { .adamw = adamw, .b2 = 0.95, .weight_decay = 0.01 } };
  ck_assert_int_eq(net_init(&l->net, &config, adamw), 0);
  lay_out(l);
  ck_assert_int_eq(arena_init(&l->arena), 0);
  lay_out(l);
  fill_normal(1, B * l->net.pixels, l->x);
  fill_normal(2, B * l->net.pixels, l->e);
  table_init_weights(&l->net.table, 1, l->weights);
  l->batch = (struct objective_batch){ .B = B, .x = l->x, .e = l->e, .t = t, .r = r, .w = w, .t_min = t_min, .t_max = t_max, .y = y,
                                      .fm = fm, .drop = drop };
}
static void tear_down(struct loop *l) {
  arena_free(&l->arena);
  net_free(&l->net);
}

static void take_step(struct loop *l) {
  const struct objective_config config = { .prediction = PREDICT_X, .norm_p = 1, .norm_eps = 0.01 };
  struct objective_sums sums = { 0 };
  memset(l->grads, 0, l->net.table.size * sizeof *l->grads);
  objective_gradient(&config, &l->net, l->weights, &l->objective, &l->batch, l->grads, &sums, NULL, NULL);
  struct guard guard = { .memory = &l->memory, .spike = 30, .alarm = 5 };
  double most[2];
  guard_limits(&guard, &most[0], &most[1]);
  guard_judge(&guard, 0, -1, l->step + 1, l->step + 1, sums.loss, 1);
  guard_alarm(&guard, 1);
  optimizer_step(&l->optimizer, &l->net.table, ++l->step, 1e-3, l->grads, l->m, l->s, l->weights, l->work);
  optimizer_ema(l->net.table.size, 0.9, l->weights, l->ema);
}

/* Allocations in three steps after two that warm up; `planted`: with one of ours in the middle. */
static int allocations_of(int threads, int adamw, int recompute, int planted) {
  struct loop l;
  omp_set_num_threads(threads);
  set_up(&l, adamw, recompute);
  for (int i = 0; i < 2; i++) take_step(&l);
  allocations = 0;
  counting = 1;
  for (int i = 0; i < 3; i++) {
    take_step(&l);
    if (planted && i == 1) {
      void *volatile p = malloc(1);
      free(p);
    }
  }
  counting = 0;
  tear_down(&l);
  return allocations;
}

START_TEST(a_step_allocates_nothing) {
  for (int threads = 1; threads <= 2; threads++)
    for (int adamw = 0; adamw < 2; adamw++)
      for (int recompute = 0; recompute < 2; recompute++) {
        const int n = allocations_of(threads, adamw, recompute, 0);
        ck_assert_msg(n == 0, "%d allocations in three steps of %s%s on %d threads, the last from %p", n,
                      adamw ? "AdamW" : "Muon", recompute ? " with blocks done again" : "", threads, last);
      }
} END_TEST

START_TEST(one_allocation_is_seen) {
  for (int threads = 1; threads <= 2; threads++) ck_assert_int_eq(allocations_of(threads, 0, 0, 1), 1);
} END_TEST

int main(void) {
  if (!COUNTED) {
    puts("allocations cannot be counted here: not glibc, or under a sanitizer that has its own");
    return 77;
  }
  return run_tests("allocation", (const TTest *[]){ a_step_allocates_nothing, one_allocation_is_seen, NULL });
}
