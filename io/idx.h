/* idx.h - reads image sets in the IDX form of MNIST, plain or gzip: big-endian header, then bytes. A folder holds
 *   train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte   [.gz]
 * Images are square, uint8, one channel. t10k is the held-out part.
 * Memory: what is read is malloc'ed in proportion to what the files hold, whatever their headers claim; free it with
 * idx_free, also after an error. Errors: STATUS_BAD with one line naming the file, STATUS_NOMEM. Ranks: local. */
#ifndef IO_IDX_H
#define IO_IDX_H
#include "io/dataset.h"

struct idx {
  struct images part[2];   /* by enum split */
};
/* classes 0: found from the training labels, which must then name every class; else labels must be below it. */
int idx_read(struct idx *x, const char *folder, size_t classes);
void idx_free(struct idx *x);
#endif
