/* table.h - the one table of tensors: name, shape, place, update rule, initial values.
 * It drives allocation, initial values, reduction, optimizer, checkpoint, export and every report.
 * Names are those of the authors' released PyTorch checkpoints (without their prefix `net.`).
 * Weights, gradients, first moments and EMAs are flat arrays of table.size elements; a tensor is
 * the view [offset, offset + size) of each. Elements between tensors (alignment) stay zero.
 * Memory: the table owns its list; free with table_free. Ranks: local, the same on every rank. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H
#include <stddef.h>
#include <stdint.h>

#include "src/base/real.h"

enum rule { RULE_ADAM, RULE_MUON };          /* who updates the tensor (SPEC 6) */
enum init { INIT_ZERO, INIT_ONE, INIT_NORMAL, INIT_UNIFORM };

struct tensor {
  char name[96];
  int rank;                  /* 1..4 */
  size_t shape[4];           /* row-major; linear weights (out, in) */
  size_t offset, size;       /* in elements of the flat arrays */
  size_t second;             /* offset in the array of second moments; SIZE_MAX if it has none */
  enum rule rule;
  int owner, crew;           /* the rank that does its Newton-Schulz, and how many do with it (optim/share.h); 0 until it is shared */
  enum init init;
  double scale;              /* NORMAL: standard deviation; UNIFORM: half-width */
};
struct table {
  struct tensor *tensors;
  size_t count, capacity;
  size_t size;               /* elements of a flat array */
  size_t second_size;        /* elements of the array of second moments */
};

/* Appends a tensor and returns its offset. `packed`: directly behind the last one, without alignment,
 * so that two matrices are one. Errors: running out of memory ends the program (abort): a table is small. */
size_t table_add(struct table *t, const char *name, int rank, const size_t *shape, enum rule rule,
                 enum init init, double scale, int packed);
/* Gives tensors their place in the array of second moments: Adam's, or all of them. Call once, after the last add. */
void table_place_second(struct table *t, int all);
/* NULL if there is none. */
const struct tensor *table_find(const struct table *t, const char *name);
/* weights[size]: initial values (SPEC 5), a function of (seed, tensor, element) alone. */
void table_init_weights(const struct table *t, uint64_t seed, real *weights);
/* Number of parameters, without alignment. */
size_t table_parameters(const struct table *t);
/* A table of its own with the same tensors. Errors: those of table_add. */
struct table table_copy(const struct table *t);
void table_free(struct table *t);
#endif
