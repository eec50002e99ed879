#include "src/base/onednn.h"

#ifdef HAVE_ONEDNN
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>

/* What a compiled product is for. */
struct shape { size_t m, n, k, ldc; int ta, tb, add, threads; };
struct product {
  struct shape shape;
  dnnl_primitive_t run;            /* NULL: a free place */
  dnnl_memory_t A, B, C;
};
/* Found by hashing. A run meets some hundred shapes: layers x numbers of rows; past the limit it begins anew. */
enum { PLACES = 4096, LIMIT = 3072 };
static struct product products[PLACES];
static int count;
static dnnl_engine_t engine;
static dnnl_stream_t stream;

const char *onednn_version(void) {
  static char text[32];
  const dnnl_version_t *v = dnnl_version();
  snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
  return text;
}

static int start(void) {
  if (stream) return 1;
  dnnl_set_primitive_cache_capacity(0);   /* the table here is enough */
  if (!engine && dnnl_engine_create(&engine, dnnl_cpu, 0)) return 0;
  return !dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
}

static void destroy(struct product *p) {
  dnnl_primitive_destroy(p->run);
  dnnl_memory_destroy(p->A), dnnl_memory_destroy(p->B), dnnl_memory_destroy(p->C);
  *p = (struct product){ 0 };
}

static int same(const struct shape *a, const struct shape *b) {
  return a->m == b->m && a->n == b->n && a->k == b->k && a->ldc == b->ldc && a->ta == b->ta && a->tb == b->tb
         && a->add == b->add && a->threads == b->threads;
}

/* The place of a product of that shape, or a free one for it. */
static struct product *find(const struct shape *s) {
  size_t at = (((s->m * 31 + s->n) * 31 + s->k) * 31 + s->ldc) * 8 + (size_t)(s->ta * 4 + s->tb * 2 + s->add);
  for (at = (at ^ at >> 13) % PLACES; products[at].run && !same(&products[at].shape, s);) at = (at + 1) % PLACES;
  return &products[at];
}

/* A row-major matrix of rows x cols elements, or one that lies transposed. */
static int describe(dnnl_memory_desc_t *d, dnnl_data_type_t type, size_t rows, size_t cols, size_t ld, int transposed) {
  const dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)cols };
  const dnnl_dims_t strides = { transposed ? 1 : (dnnl_dim_t)ld, transposed ? (dnnl_dim_t)ld : 1 };
  return dnnl_memory_desc_init_by_strides(d, 2, dims, type, strides);
}

static int compile(const struct shape *s, struct product *p) {
  dnnl_memory_desc_t A, B, C;
  dnnl_matmul_desc_t matmul;
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_post_ops_t after = NULL;
  dnnl_primitive_desc_t primitive = NULL;
  int bad = describe(&A, dnnl_bf16, s->m, s->k, s->ta ? s->m : s->k, s->ta);
  bad = bad || describe(&B, dnnl_bf16, s->k, s->n, s->tb ? s->k : s->n, s->tb);
  bad = bad || describe(&C, dnnl_f32, s->m, s->n, s->ldc, 0);
  bad = bad || dnnl_matmul_desc_init(&matmul, &A, &B, NULL, &C) || dnnl_primitive_attr_create(&attributes);
  if (s->add)
    bad = bad || dnnl_post_ops_create(&after) || dnnl_post_ops_append_sum(after, 1)
          || dnnl_primitive_attr_set_post_ops(attributes, after);
  bad = bad || dnnl_primitive_desc_create(&primitive, &matmul, attributes, engine, NULL);
  bad = bad || dnnl_primitive_create(&p->run, primitive) || dnnl_memory_create(&p->A, &A, engine, DNNL_MEMORY_NONE)
        || dnnl_memory_create(&p->B, &B, engine, DNNL_MEMORY_NONE)
        || dnnl_memory_create(&p->C, &C, engine, DNNL_MEMORY_NONE);
  dnnl_primitive_desc_destroy(primitive);
  dnnl_post_ops_destroy(after);
  dnnl_primitive_attr_destroy(attributes);
  if (bad) destroy(p);
  else p->shape = *s, count++;
  return !bad;
}

int onednn_product(int ta, int tb, size_t m, size_t n, size_t k, const uint16_t *A, const uint16_t *B, int add, float *C,
                   size_t ldc) {
  const struct shape shape = { m, n, k, ldc, ta != 0, tb != 0, add != 0, omp_get_max_threads() };
  if (!start()) return 0;
  struct product *p = find(&shape);
  if (!p->run) {
    if (count >= LIMIT) {
      for (int i = 0; i < PLACES; i++) destroy(&products[i]);
      count = 0;
      p = find(&shape);
    }
    if (!compile(&shape, p)) return 0;
  }
  dnnl_memory_set_data_handle(p->A, (void *)(uintptr_t)A);   /* read only, though the type cannot say so */
  dnnl_memory_set_data_handle(p->B, (void *)(uintptr_t)B);
  dnnl_memory_set_data_handle(p->C, C);
  const dnnl_exec_arg_t arguments[] = { { DNNL_ARG_SRC, p->A }, { DNNL_ARG_WEIGHTS, p->B }, { DNNL_ARG_DST, p->C } };
  return !dnnl_primitive_execute(p->run, stream, 3, arguments) && !dnnl_stream_wait(stream);
}
#else
const char *onednn_version(void) { return NULL; }
int onednn_product(int ta, int tb, size_t m, size_t n, size_t k, const uint16_t *A, const uint16_t *B, int add, float *C,
                   size_t ldc) {
  (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)A, (void)B, (void)add, (void)C, (void)ldc;
  return 0;
}
#endif
