#include "jobs/products.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs/fault.h"
#include "mpi/agree.h"
#include "src/base/matmul.h"
#include "src/base/processor.h"
#include "src/base/status.h"

enum { ROWS = 768 };   /* enough for several blocks of a kernel */

enum kind { FORWARD, BY_INPUT, BY_WEIGHT, GRAM, GRAM_TALL, TURN, KINDS };
static const char *const names[KINDS] = { "x W^T", "y_bar W", "y_bar^T x", "X X^T", "X^T X", "Q X" };

struct sizes { enum kind kind; size_t m, n, k; };
/* C[m,n] = A[m,k] B[k,n]. A's element (i,p) lies at i a_row + p a_col, B's (p,j) at p b_row + j b_col. */
struct product {
  enum kind kind;
  size_t m, n, k, a_row, a_col, b_row, b_col;
  const real *A, *B;
  real *C;
  double *x, *Bx, *ABx, *Cx;   /* [n], [k], [m], [m] */
};

static void lay_out(struct product *p) {
  const int A_lies = p->kind == BY_WEIGHT || p->kind == GRAM_TALL, B_lies = p->kind == FORWARD || p->kind == GRAM;
  p->a_row = A_lies ? 1 : p->k, p->a_col = A_lies ? p->m : 1;
  p->b_row = B_lies ? 1 : p->n, p->b_col = B_lies ? p->k : 1;
}

static void multiply(const struct product *p) {
  const size_t m = p->m, n = p->n, k = p->k;
  switch (p->kind) {
    case FORWARD: matmul_layer_nt(m, n, k, p->A, k, p->B, k, 0, p->C, n); return;
    case BY_INPUT: matmul_layer_nn(m, n, k, p->A, k, p->B, n, 0, p->C, n); return;
    case BY_WEIGHT: matmul_layer_tn(m, n, k, p->A, m, p->B, n, 1, p->C, n); return;
    case GRAM: matmul_symmetric_nt(n, k, 1, p->A, k, 0, p->C, n); return;
    case GRAM_TALL: matmul_symmetric_tn(n, k, 1, p->A, n, 0, p->C, n); return;
    default: matmul_nn(m, n, k, 1, p->A, k, p->B, n, 0, p->C, n); return;
  }
}

/* A number that looks drawn. */
static uint32_t mixed(uint32_t i) {
  i = (i ^ i >> 16) * 0x7feb352du;
  i = (i ^ i >> 15) * 0x846ca68bu;
  return i ^ i >> 16;
}

/* Whole numbers up to the largest q with k q^2 < 2^24 that bf16 holds. */
static void fill(size_t n, size_t k, uint32_t which, real *x) {
  const int q = (int)fmin(255, sqrt((double)((1 << 24) - 1) / (double)k));
  for (size_t i = 0; i < n; i++) x[i] = (real)((int)(mixed((uint32_t)i + which) % (uint32_t)(2 * q + 1)) - q);
}

/* out[rows] = X[rows,cols] v, in the order of X's memory. */
static void apply(size_t rows, size_t cols, const real *X, size_t row, size_t col, const double *v, double *out) {
  memset(out, 0, rows * sizeof *out);
  if (row == 1) {
    for (size_t c = 0; c < cols; c++)
      for (size_t r = 0; r < rows; r++) out[r] += (double)X[r + c * col] * v[c];
    return;
  }
  for (size_t r = 0; r < rows; r++) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t c = 0; c < cols; c++) sum += (double)X[r * row + c] * v[c];
    out[r] = sum;
  }
}

/* What the product should hold, and what was there before it: nothing that may be read, or ones to be added to. */
static double before(const struct product *p) { return p->kind == BY_WEIGHT ? 1 : NAN; }
static double expected(const struct product *p, size_t i, size_t j) {
  double sum = p->kind == BY_WEIGHT ? 1 : 0;
  for (size_t c = 0; c < p->k; c++) sum += (double)p->A[i * p->a_row + c * p->a_col] * (double)p->B[c * p->b_row + j * p->b_col];
  return sum;
}

static int wrong(const struct product *p, int rank, size_t i) {
  char host[64] = "", advice[128] = "";
  size_t j = 0;
  while (j + 1 < p->n && (double)p->C[i * p->n + j] == expected(p, i, j)) j++;
  gethostname(host, sizeof host - 1);
  const int threads = omp_get_max_threads();
  const char *core = matmul_core(), *plainer = processor_plainer_core(core);
  if (plainer) snprintf(advice, sizeof advice, "; OPENBLAS_CORETYPE=%s in the environment takes others", plainer);
  return because(STATUS_BAD, "products cannot be trusted here: %s of %zu x %zu numbers, each a sum of %zu, has %.9g instead of %.9g"
                 " in row %zu, column %zu, on rank %d (%s), %d thread%s, OpenBLAS kernels %s%s", names[p->kind], p->m, p->n, p->k,
                 (double)p->C[i * p->n + j], expected(p, i, j), i, j, rank, host, threads, threads > 1 ? "s" : "", core, advice);
}

/* Once. */
static int check(const struct product *p, int rank) {
  const double was = before(p);
  double ones = 0;
  for (size_t i = 0; i < p->m * p->n; i++) p->C[i] = (real)was;
  multiply(p);
  if (fault_strikes(FAULT_PRODUCT, 1)) p->C[0] += 1;
  for (size_t j = 0; j < p->n; j++) ones += was > 0 ? p->x[j] : 0;
  apply(p->m, p->n, p->C, p->n, 1, p->x, p->Cx);
  for (size_t i = 0; i < p->m; i++)
    if (!(p->Cx[i] == p->ABx[i] + ones)) return wrong(p, rank, i);
  return STATUS_OK;
}

/* On all threads, and on one. */
static int try_both(const struct product *p, int rank) {
  const int threads = omp_get_max_threads();
  int status = check(p, rank);
  if (status || threads == 1) return status;
  omp_set_num_threads(1);
  status = check(p, rank);
  omp_set_num_threads(threads);
  return status;
}

static int try(const struct sizes *s, int rank) {
  struct product p = { .kind = s->kind, .m = s->m, .n = s->n, .k = s->k };
  const int gram = p.kind == GRAM || p.kind == GRAM_TALL;
  struct arena a = { .used = p.m * p.k + p.k * p.n + p.m * p.n + 3 * ARENA_ALIGN };
  double *vectors = malloc((p.n + p.k + 2 * p.m) * sizeof *vectors);
  int status = vectors ? arena_init(&a) : because(STATUS_NOMEM, "no memory for a test of products");
  if (vectors && !status) {
    real *A = arena_take(&a, p.m * p.k), *B = arena_take(&a, p.k * p.n);
    p.A = A, p.B = gram ? A : B, p.C = arena_take(&a, p.m * p.n);
    p.x = vectors, p.Bx = p.x + p.n, p.ABx = p.Bx + p.k, p.Cx = p.ABx + p.m;
    lay_out(&p);
    fill(p.m * p.k, p.k, 1, A);
    fill(p.k * p.n, p.k, 1u << 31, B);
    for (size_t j = 0; j < p.n; j++) p.x[j] = 1 + mixed((uint32_t)j) % (1 << 12);
    apply(p.k, p.n, p.B, p.b_row, p.b_col, p.x, p.Bx);
    apply(p.m, p.k, p.A, p.a_row, p.a_col, p.Bx, p.ABx);
    status = try_both(&p, rank);
  }
  free(vectors);
  arena_free(&a);
  return status;
}

static size_t some(size_t rows) { return rows > ROWS ? ROWS + rows % 64 : rows; }

/* A linear layer's three, and those of Newton-Schulz. */
static int try_matrix(size_t out, size_t in, size_t rows, size_t rows_dot, int rank) {
  const int tall = out > in;
  const size_t n = tall ? in : out, share = some(tall ? out : in), R = some(rows);
  const struct sizes all[] = {
    { FORWARD, some(rows + rows_dot), out, in }, { BY_INPUT, R, in, out }, { BY_WEIGHT, out, in, R },
    { tall ? GRAM_TALL : GRAM, n, n, share }, { GRAM, n, n, n }, { TURN, tall ? share : n, tall ? n : share, n },
  };
  int status = STATUS_OK;
  for (size_t i = 0; i < sizeof all / sizeof *all && !status; i++) status = try(&all[i], rank);
  return status;
}

int products_test(const struct world *w, const struct net *n, size_t B, size_t B_dot) {
  const size_t D = n->shape.D, I = n->shape.I, T = n->shape.T, N = n->tokens.N, patch = n->pixels / N;
  const struct { size_t out, in, rows; } all[] = { { 3 * D, D, T }, { D, D, T }, { 2 * I, D, T }, { D, I, T }, { patch, D, N } };
  int status = STATUS_OK;
  for (size_t i = 0; i < sizeof all / sizeof *all && !status; i++)
    status = try_matrix(all[i].out, all[i].in, B * all[i].rows, B_dot * all[i].rows, w->rank);
  return agree(w->comm, status);
}
