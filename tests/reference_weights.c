/* Weights as the authors release theirs: names under `net.`, the v head absent, else the parameters of the HDF5 file that they
 * belong to, number for number. What the net does not have (net.rope_freqs) is skipped. */
#include <stdlib.h>
#include <string.h>

#include "io/weights.h"
#include "src/base/status.h"
#include "tests/reference_model.h"

static void compare_tensor(struct reference *r, const struct model *m, const struct tensor *n, struct weights *w) {
  const struct weights_tensor *t = weights_find(w, "net.", n->name);
  if (!t && net_in_v_head(n)) return;
  if (!t) {
    reference_fail(r, reference_path(r, "net.%s", n->name), "is not in the file");
    return;
  }
  float *x = malloc((t->size + 1) * sizeof *x);
  if (!x) abort();
  int same = (int)t->rank == n->rank;
  for (int d = 0; same && d < n->rank; d++) same = t->shape[d] == n->shape[d];
  if (!same) reference_fail(r, t->name, "has another shape than in the HDF5 file");
  else if (weights_read(w, t, x)) reference_fail(r, t->name, status_reason());
  else reference_compare_arrays(r, t->name, n->size, 0, x, m->weights + n->offset, 0);
  free(x);
}

void reference_weights(struct reference *r, const char *path) {
  struct weights w;
  struct model m;
  const int bad = model_read(r, &m);
  if (weights_open(&w, path)) reference_fail(r, "the file", status_reason());
  else
    for (size_t i = 0; i < m.net.table.count && !bad; i++) compare_tensor(r, &m, &m.net.table.tensors[i], &w);
  weights_close(&w);
  model_free(&m);
}
