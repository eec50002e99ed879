/* grids.h - pictures of samples during training, every sampling.grid_every_steps steps and at the end, so that one sees what no
 * number shows: RUN/samples/step-00001000.png of the EMA that sampling.ema names, and ...raw.png of the raw weights, where those
 * are others. A column is a class, a row another noise: that of training.seed and the place in the grid alone, the same for the
 * life of a run and on any number of ranks. It is the grid of `pmf sample` with so many images, steps=1 and the run's settings.
 * A grid changes nothing of the training; one that a run makes once more is written over the one before; a start removes those
 * beyond the step that it goes on from.
 * Memory: taken by grids_open, freed by grids_close; harmless on a zeroed one. */
#ifndef JOBS_GRIDS_H
#define JOBS_GRIDS_H
#include "io/metrics.h"
#include "jobs/generate.h"
#include "jobs/trainer.h"

enum { GRIDS_COLUMNS = 16 };   /* at most */

struct grids {
  const struct world *w;
  uint64_t every, steps;          /* 0: there are none; those of the run */
  size_t rows, columns;
  int32_t labels[GRIDS_COLUMNS];  /* of the columns */
  struct generate generate;
  uint8_t *u8;                    /* [rows columns,H,W,C]; rank 0's */
  double longest;                 /* seconds, of this start */
  double patch_energy[2];         /* src/score/patch_energy.h; rank 0's, of the last grids: what is sampled, the raw weights */
  double of_data;                 /* likewise, of as many held-out images */
  int told;                       /* that they show the grid of patches */
};
/* Local. Nothing where sampling.grid_every_steps is 0. Errors: STATUS_NOMEM. */
int grids_open(struct grids *g, const struct world *w, const struct trainer *t);
/* Is there one of this step? Local; every rank says the same. */
int grids_due(const struct grids *g, uint64_t step);
/* COLLECTIVE. The grids of the state as it is, for TensorBoard too. Errors, on every rank: STATUS_IO with the reason. */
int grids_make(struct grids *g, struct trainer *t, const char *run, const struct metrics *metrics);
/* Rank 0. The last grid, of what is sampled, shows the patches of the net, and that before did not. */
int grids_show_patches(struct grids *g);
/* Rank 0, at a start that goes on after this step: removes those of later steps, which another future made (EXPECTATIONS C21). */
void grids_cut(const char *run, uint64_t step);
/* Bytes that grids_open takes on rank 0. Local. */
size_t grids_bytes(const struct net *n, const struct settings *s);
/* Bytes of the largest file of a grid. Local. */
size_t grids_file_most(const struct settings *s);
void grids_close(struct grids *g);
#endif
