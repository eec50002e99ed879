/* Products of our own are the sums that they stand for, at every size of tile and whatever lies around; and their bits depend
 * neither on the rows beside an element nor on the number of threads. */
#include <omp.h>

#include "src/base/matmul.h"
#include "src/base/narrow.h"
#include "tests/laws.h"

static const size_t sizes[] = { 1, 2, 3, 4, 5, 7, 8, 9, 16, 23, 24, 31, 33, 57, 70 };
enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 70, EXTRA = 3 };

/* Greatest difference from C[m,n] = before + sum A B; A by strides, rows of B ldb apart. */
static double off(size_t m, size_t n, size_t k, const real *A, size_t row, size_t col, const real *B, size_t ldb, real before,
                  const real *C, size_t ldc) {
  double worst = 0;
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      double sum = before;
      for (size_t p = 0; p < k; p++) sum += A[i * row + p * col] * B[p * ldb + j];
      worst = fmax(worst, fabs(sum - C[i * ldc + j]));
    }
  return worst;
}

START_TEST(tiles_are_sums) {
  const size_t ldb = tile_width(MOST), ldc = MOST + EXTRA;
  real *A = new_normal(1, MOST * MOST), *B = new_normal(2, MOST * ldb), *C = new_zeros(MOST * ldc);
  for (size_t a = 0; a < SIZES; a++)
    for (size_t b = 0; b < SIZES; b++)
      for (int way = 0; way < 4; way++) {   /* A or A^T, set or added */
        const size_t m = sizes[a], n = sizes[b], k = sizes[(a + b) % SIZES];
        const size_t row = way & 1 ? 1 : MOST, col = way & 1 ? MOST : 1;
        for (size_t i = 0; i < MOST * ldc; i++) C[i] = 5;
        tile_product(m, n, k, A, row, col, B, ldb, way & 2 ? TILE_ADD : TILE_SET, C, ldc);
        ck_assert_double_lt(off(m, n, k, A, row, col, B, ldb, way & 2 ? 5 : 0, C, ldc), 1e-13);
        size_t touched = 0;
        for (size_t i = 0; i < MOST * ldc; i++) touched += (i / ldc >= m || i % ldc >= n) && C[i] != 5;
        ck_assert_uint_eq(touched, 0);
      }
  free(A), free(B), free(C);
} END_TEST

START_TEST(narrow_products_are_sums) {   /* deeper than a panel, on one thread and on three */
  const size_t m = 131, n = 37, deep = 300, ldc = n + EXTRA;
  real *A = new_normal(1, m * deep), *B = new_normal(2, deep * n), *C = new_zeros(2 * m * ldc), *turned = new_zeros(deep * n);
  for (size_t p = 0; p < deep; p++)
    for (size_t j = 0; j < n; j++) turned[j * deep + p] = B[p * n + j];
  for (size_t k = 44; k <= deep; k += 64) {
    omp_set_num_threads(1);
    narrow_product(m, n, k, A, deep, 1, B, n, 1, C, ldc);
    ck_assert_double_lt(off(m, n, k, A, deep, 1, B, n, 0, C, ldc), 1e-12);
    omp_set_num_threads(3);
    narrow_product(m, n, k, A, deep, 1, turned, 1, deep, C + m * ldc, ldc);
    ck_assert_int_eq(memcmp(C, C + m * ldc, m * ldc * sizeof *C), 0);
    size_t touched = 0;
    for (size_t i = 0; i < m * ldc; i++) touched += i % ldc >= n && C[i] != 0;
    ck_assert_uint_eq(touched, 0);
  }
  free(A), free(B), free(C), free(turned);
} END_TEST

START_TEST(products_of_layers_are_sums) {   /* on both sides of the sizes where our own takes over */
  static const struct { size_t m, n, k; } shapes[] = { { 63, 20, 30 }, { 64, 20, 30 }, { 70, 256, 128 }, { 70, 257, 128 } };
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    const size_t m = shapes[s].m, n = shapes[s].n, k = shapes[s].k;
    real *A = new_normal(1, m * k), *B = new_normal(2, k * n), *C = new_zeros(m * n), *turned = new_zeros(k * n);
    for (size_t p = 0; p < k; p++)
      for (size_t j = 0; j < n; j++) turned[j * k + p] = B[p * n + j];
    matmul_layer_nn(m, n, k, A, k, B, n, 0, C, n);
    ck_assert_double_lt(off(m, n, k, A, k, 1, B, n, 0, C, n), 1e-12);
    for (size_t i = 0; i < m * n; i++) C[i] = (real)NAN;
    matmul_layer_nt(m, n, k, A, k, turned, k, 0, C, n);
    ck_assert_double_lt(off(m, n, k, A, k, 1, B, n, 0, C, n), 1e-12);
    free(A), free(B), free(C), free(turned);
  }
} END_TEST

int main(void) {
  return run_tests("products in double",
                   (const TTest *[]){ tiles_are_sums, narrow_products_are_sums, products_of_layers_are_sums, NULL });
}
