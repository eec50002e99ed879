/* bf16 and the products of linear layers: rounding is exact, products keep its bound, float32 stays what it was bit for bit,
 * and the two ways to multiply rounded inputs agree. */
#include "src/base/bf16.h"
#include "src/base/matmul.h"
#include "tests/harness.h"

static float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

START_TEST(rounding_is_to_nearest_even) {
  static const struct { uint32_t bits; uint16_t rounded; } table[] = {
    { 0x00000000, 0x0000 }, { 0x80000000, 0x8000 },                          /* zeros keep their sign */
    { 0x3f800000, 0x3f80 }, { 0x3f807fff, 0x3f80 }, { 0x3f808001, 0x3f81 },  /* 1, below and above a half */
    { 0x3f808000, 0x3f80 }, { 0x3f818000, 0x3f82 }, { 0xbf808000, 0xbf80 },  /* ties to even, down and up */
    { 0xbf818000, 0xbf82 }, { 0x3fffffff, 0x4000 },                          /* into the next exponent */
    { 0x7f7f7fff, 0x7f7f }, { 0x7f7f8000, 0x7f80 }, { 0xff7fffff, 0xff80 },  /* too large: infinite */
    { 0x7f800000, 0x7f80 }, { 0xff800000, 0xff80 },                          /* infinities */
    { 0x00000001, 0x0000 }, { 0x00008001, 0x0001 }, { 0x00018000, 0x0002 },  /* subnormals like all others */
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    ck_assert_msg(bf16_from(from_bits(table[i].bits)) == table[i].rounded, "%08x: %04x, expected %04x",
                  (unsigned)table[i].bits, bf16_from(from_bits(table[i].bits)), table[i].rounded);
  static const uint32_t nan[] = { 0x7fc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff };
  for (size_t i = 0; i < sizeof nan / sizeof *nan; i++) {
    const uint16_t b = bf16_from(from_bits(nan[i]));
    ck_assert_msg((b & 0x7fff) > 0x7f80 && b >> 15 == nan[i] >> 31, "NaN %08x became %04x", (unsigned)nan[i], b);
  }
} END_TEST

START_TEST(every_bf16_is_its_own_and_no_other_is_nearer) {
  for (uint32_t b = 0; b < 0x7f7f; b++) {   /* positive and finite, with its upper neighbour */
    const double low = bf16_value((uint16_t)b), high = bf16_value((uint16_t)(b + 1));
    ck_assert_uint_eq(bf16_from((float)low), b);
    for (uint32_t part = 0; part < 0x10000; part += 0x0fff) {
      const float x = from_bits(b << 16 | part);
      const double got = bf16_value(bf16_from(x)), error = fabs(got - (double)x);
      ck_assert(error <= fabs(low - (double)x) && error <= fabs(high - (double)x));
    }
  }
} END_TEST

START_TEST(whole_arrays_are_rounded_like_single_numbers) {
  enum { ROWS = 37, COLS = 611, LD = 640 };
  float *x = new_normal(1, ROWS * LD), *y = new_zeros(ROWS * COLS);
  uint16_t *p = calloc(ROWS * COLS, sizeof *p);
  x[5] = NAN, x[LD + 7] = INFINITY, x[2 * LD] = from_bits(0x3f818000);
  bf16_round(ROWS, COLS, x, LD, y);
  bf16_pack(ROWS, COLS, x, LD, p);
  for (size_t r = 0; r < ROWS; r++)
    for (size_t c = 0; c < COLS; c++) {
      const uint16_t expected = bf16_from(x[r * LD + c]);
      const float value = bf16_value(expected);
      ck_assert_uint_eq(p[r * COLS + c], expected);
      ck_assert(!memcmp(&y[r * COLS + c], &value, sizeof value));
    }
  free(x), free(y), free(p);
} END_TEST

/* Products of all three kinds, with rows apart, adding and not. */
enum kind { NT, NN, TN, KINDS };
struct shape { size_t m, n, k; };
static const struct shape shapes[] = { { 1, 1, 1 }, { 3, 5, 7 }, { 48, 144, 48 }, { 130, 65, 33 }, { 1, 192, 64 },
                                       { 276, 384, 128 }, { 64, 100, 1100 } };
enum { SHAPES_OF_PRODUCTS = sizeof shapes / sizeof *shapes, PAD = 3 };
struct operands { size_t rows_a, lda, rows_b, ldb, ldc; float *A, *B, *C; };

static struct operands operands_of(enum kind kind, const struct shape *s) {
  struct operands o = { kind == TN ? s->k : s->m, (kind == TN ? s->m : s->k) + PAD, kind == NT ? s->n : s->k,
                        (kind == NT ? s->k : s->n) + PAD, s->n + PAD, NULL, NULL, NULL };
  o.A = new_normal(1, o.rows_a * o.lda), o.B = new_normal(2, o.rows_b * o.ldb), o.C = new_normal(3, s->m * o.ldc);
  return o;
}
static void free_operands(struct operands *o) { free(o->A), free(o->B), free(o->C); }

static void multiply(enum kind kind, const struct shape *s, const struct operands *o, float beta, float *C) {
  static void (*const layer[])(size_t, size_t, size_t, const real *, size_t, const real *, size_t, real, real *, size_t) = {
    matmul_layer_nt, matmul_layer_nn, matmul_layer_tn };
  memcpy(C, o->C, s->m * o->ldc * sizeof *C);
  layer[kind](s->m, s->n, s->k, o->A, o->lda, o->B, o->ldb, beta, C, o->ldc);
}
static double element(float x, int round) { return round ? (double)bf16_value(bf16_from(x)) : (double)x; }

/* The worst of |C - exact| / (beta |C0| + sum |a||b|), exact being the product of rounded inputs or of the inputs as they are;
 * infinite where something between the rows has changed. */
static double product_error(enum kind kind, const struct shape *s, const struct operands *o, float beta, int round,
                            const float *C) {
  double worst = 0;
  for (size_t i = 0; i < s->m; i++) {
    for (size_t j = 0; j < s->n; j++) {
      const double old = beta ? (double)o->C[i * o->ldc + j] : 0;
      double sum = old, size = fabs(old);
      for (size_t l = 0; l < s->k; l++) {
        const double a = element(kind == TN ? o->A[l * o->lda + i] : o->A[i * o->lda + l], round);
        const double b = element(kind == NT ? o->B[j * o->ldb + l] : o->B[l * o->ldb + j], round);
        sum += a * b, size += fabs(a * b);
      }
      const double error = fabs((double)C[i * o->ldc + j] - sum) / size;
      worst = isnan(error) ? INFINITY : fmax(worst, error);
    }
    if (memcmp(C + i * o->ldc + s->n, o->C + i * o->ldc + s->n, PAD * sizeof *C)) return INFINITY;
  }
  return worst;
}

static void check_precision(enum matmul_precision precision) {
  for (enum kind kind = 0; kind < KINDS; kind++)
    for (int i = 0; i < SHAPES_OF_PRODUCTS; i++)
      for (int beta = 0; beta < 2; beta++) {
        const struct shape *s = &shapes[i];
        struct operands o = operands_of(kind, s);
        float *C = new_zeros(s->m * o.ldc);
        matmul_set_precision(precision);
        for (int again = 0; again < 2; again++) {   /* compiled, and found again */
          multiply(kind, s, &o, (float)beta, C);
          const double exact = product_error(kind, s, &o, (float)beta, 1, C);
          const double rough = product_error(kind, s, &o, (float)beta, 0, C);
          ck_assert_msg(exact < 1e-6, "kind %d, shape %d, beta %d: %g from the rounded inputs' product", kind, i, beta, exact);
          ck_assert_msg(rough < 1.01 / 128, "kind %d, shape %d, beta %d: %g from the product", kind, i, beta, rough);
        }
        matmul_set_precision(MATMUL_F32);
        free(C), free_operands(&o);
      }
}
START_TEST(rounded_inputs_multiply_in_float) { check_precision(MATMUL_ROUNDED); } END_TEST
START_TEST(onednn_multiplies_the_same_numbers) {
  if (matmul_bf16_missing()) printf("check_bf16: no products by oneDNN here (missing: %s)\n", matmul_bf16_missing());
  else check_precision(MATMUL_BF16);
} END_TEST

/* The layers' products at float32, as it begins and after a change to and fro, are matmul's to the bit; and matmul's are
 * float32 always (Newton-Schulz and attention call them). */
START_TEST(float32_stays_what_it_was) {
  static void (*const plain[])(size_t, size_t, size_t, real, const real *, size_t, const real *, size_t, real, real *,
                               size_t) = { matmul_nt, matmul_nn, matmul_tn };
  for (enum kind kind = 0; kind < KINDS; kind++)
    for (int i = 0; i < SHAPES_OF_PRODUCTS; i++) {
      const struct shape *s = &shapes[i];
      struct operands o = operands_of(kind, s);
      const size_t bytes = s->m * o.ldc * sizeof(float);
      float *C = new_zeros(s->m * o.ldc), *expected = new_zeros(s->m * o.ldc);
      memcpy(expected, o.C, bytes);
      plain[kind](s->m, s->n, s->k, 1, o.A, o.lda, o.B, o.ldb, 1, expected, o.ldc);
      multiply(kind, s, &o, 1, C);
      ck_assert(!memcmp(C, expected, bytes));
      matmul_set_precision(MATMUL_ROUNDED);
      memcpy(C, o.C, bytes);
      plain[kind](s->m, s->n, s->k, 1, o.A, o.lda, o.B, o.ldb, 1, C, o.ldc);
      ck_assert(!memcmp(C, expected, bytes));
      multiply(kind, s, &o, 1, C);
      ck_assert(s->k < 2 || memcmp(C, expected, bytes));   /* it does round */
      matmul_set_precision(MATMUL_F32);
      multiply(kind, s, &o, 1, C);
      ck_assert(!memcmp(C, expected, bytes));
      free(C), free(expected), free_operands(&o);
    }
} END_TEST

int main(void) {
  return run_tests("bf16", (const TTest *[]){ rounding_is_to_nearest_even, every_bf16_is_its_own_and_no_other_is_nearer,
                                              whole_arrays_are_rounded_like_single_numbers, rounded_inputs_multiply_in_float,
                                              onednn_multiplies_the_same_numbers, float32_stays_what_it_was, NULL });
}
