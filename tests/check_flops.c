/* The counts of arithmetic that every share of a rate rests on: against a list of all products of a small net, written out
 * here from SPEC 5 and 6, and against the numbers of SPEC 4 for the published sizes. */
#include "src/net/flops.h"
#include "src/optim/share.h"
#include "tests/harness.h"

static double product(size_t m, size_t n, size_t k) { return 2.0 * (double)m * (double)n * (double)k; }

/* Patches of 6 x 6 and eight tokens before them, width 24 in three heads of 8, MLP 40, patches of 2 x 2 x 3 numbers. */
enum { N = 6 * 6, PREFIX = 2 + 1 + 2 + 2 + 1, T = PREFIX + N, D = 24, A = 3, d = D / A, I = 40, PATCH = 2 * 2 * 3, NECK = 10,
       SHARED = 2, HEAD = 1, WAVES = 256 };

static struct net_config small(int recompute) {
  return (struct net_config){ .image = 12, .patch = 2, .channels = 3, .classes = 5, .width = D, .depth = SHARED + HEAD,
                              .head_depth = HEAD, .heads = A, .inner = I, .bottleneck = NECK, .class_tokens = 2,
                              .omega_tokens = 1, .interval_tokens = 2, .time_tokens = 1, .recompute = recompute };
}

static double linear_layers(void) {   /* q, k, v; output; w1, w3; w2 */
  return 3 * product(T, D, D) + product(T, D, D) + 2 * product(T, I, D) + product(T, D, I);
}
static double attention(void) { return A * (product(T, T, d) + product(T, d, T)); }
static double patches_in(void) { return product(N, NECK, PATCH) + product(N, D, NECK); }
static double patches_out(void) { return product(N, PATCH, D); }
static double condition(void) { return product(1, D, WAVES) + product(1, D, D); }

START_TEST(each_pass_is_the_sum_of_its_products) {
  for (int recompute = 0; recompute < 2; recompute++) {
    const struct net_config config = small(recompute);
    struct net net;
    ck_assert_int_eq(net_init(&net, &config, 0), 0);
    const struct flops f = flops_net(&net);
    net_free(&net);
    const double block = linear_layers() + attention(), start = patches_in() + 4 * condition();
    ck_assert_double_eq(f.forward, start + (SHARED + 2 * HEAD) * block + 2 * patches_out());
    ck_assert_double_eq(f.guidance, start + (SHARED + HEAD) * block + patches_out());
    ck_assert_double_eq(f.sample, f.guidance);
    /* The tangent of P v has two products, of q k^T too; of the conditions only h has one. */
    ck_assert_double_eq(f.tangent, patches_in() + condition() + (SHARED + HEAD) * (linear_layers() + 2 * attention()) +
                                   patches_out());
    /* A product's gradients are two like it; the image wants none of its own. Blocks not kept are done once more. */
    const double backward = 2 * (start + (SHARED + 2 * HEAD) * block + 2 * patches_out()) - product(N, NECK, PATCH);
    const double first_of_conditions = 4 * product(1, D, WAVES);   /* nor do the waves */
    ck_assert_double_le(fabs(f.backward - recompute * (SHARED + 2 * HEAD) * block - backward), first_of_conditions);
  }
} END_TEST

START_TEST(newton_schulz_is_five_times_three_products) {
  const struct net_config config = small(0);
  struct net net;
  double sum = 0;
  ck_assert_int_eq(net_init(&net, &config, 0), 0);
  /* Muon's: in each block q, k, v, out, w1, w3 and w2, square or with the shorter side D. X X^T and A^2 are symmetric. */
  const double square = product(D, D, D) / 2 + product(D, D, D) / 2 + product(D, D, D);
  const double wide = product(D, D, I) / 2 + product(D, D, D) / 2 + product(D, I, D);
  sum = 5 * (SHARED + 2 * HEAD) * (4 * square + 3 * wide);
  const double counted = share_flops(&net.table);
  double others = 0;   /* Muon's tensors outside of blocks, by SPEC 6 */
  for (size_t i = 0; i < net.table.count; i++) {
    const struct tensor *t = &net.table.tensors[i];
    if (t->rule != RULE_MUON || strstr(t->name, "blocks.") || strstr(t->name, "heads.")) continue;
    const size_t rows = t->shape[0] < t->shape[1] ? t->shape[0] : t->shape[1], cols = t->size / rows;
    others += 5 * (product(rows, rows, cols) / 2 + product(rows, rows, rows) / 2 + product(rows, cols, rows));
  }
  net_free(&net);
  ck_assert_double_eq_tol(counted, sum + others, 1e-9 * counted);
} END_TEST

/* SPEC 4: "block 4.14 GF, forward 100, guidance 76, tangent 33 to 35, backward 200", multiply-add = 2. */
START_TEST(the_published_size_costs_what_it_is_said_to) {
  const struct net_config config = { .image = 256, .patch = 16, .channels = 3, .classes = 1000, .width = 768, .depth = 16,
                                     .head_depth = 8, .heads = 12, .class_tokens = 8, .omega_tokens = 4,
                                     .interval_tokens = 2, .time_tokens = 4 };
  struct net net;
  ck_assert_int_eq(net_init(&net, &config, 0), 0);
  const struct flops f = flops_net(&net);
  const double GF = 1e9, block = (f.forward - f.guidance) / 8;   /* one v head less: eight blocks and its last layer */
  net_free(&net);
  ck_assert_double_eq_tol(block / GF, 4.14, 0.05);
  ck_assert_double_eq_tol(f.forward / GF, 100, 1);
  ck_assert_double_eq_tol(1.14 * f.guidance / GF, 76, 1);
  ck_assert_double_ge(f.tangent / 2 / GF, 33);
  ck_assert_double_le(f.tangent / 2 / GF, 35.5);
  ck_assert_double_eq_tol(f.backward / GF, 200, 2);
} END_TEST

int main(void) {
  return run_tests("flops", (const TTest *[]){ each_pass_is_the_sum_of_its_products,
                                               newton_schulz_is_five_times_three_products,
                                               the_published_size_costs_what_it_is_said_to, NULL });
}
