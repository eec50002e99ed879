/* layers.h - what a step of a net costs on this machine, layer for layer, as a file: `pmf bench step layers=FILE` writes it, the
 * simulation of many ranks (jobs/simulate.c) reads it. JSON: the seconds of a step, when weights are used on the way through the
 * net, when gradients become final on the way back, and the table of tensors.
 * Memory: what layers_read takes stays until the program ends. Units: seconds of one rank with `threads` threads and `images`
 * images; the optimizer's those of all tensors. Errors: STATUS_IO; STATUS_BAD: a file that is none, with its name; STATUS_NOMEM.
 * Ranks: local. */
#ifndef JOBS_LAYERS_H
#define JOBS_LAYERS_H
#include "jobs/way_back.h"
#include "jobs/way_there.h"
#include "src/base/table.h"

struct layers {
  char net[64];
  int threads;
  double images, parameters;
  double gradient, optimizer, ema;   /* the gradient's: drawing, guidance, forward and all of the way back */
  struct way_there there;            /* of the first micro-batch; means */
  struct way_back way;               /* of the last */
  struct table table;                /* offset, size, shape and rule of each tensor */
};
int layers_write(const struct layers *l, const char *path);
int layers_read(struct layers *l, const char *path);
#endif
