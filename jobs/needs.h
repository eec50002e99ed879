/* needs.h - the memory that a rank's training takes, part by part, before any of it is allocated. It runs the layouts that
 * allocate (state.c, step.c, optimizer.c) on counting arenas, so that plan and run cannot differ.
 * Units: bytes. Errors: none. Ranks: local; the rank with the largest share. */
#ifndef JOBS_NEEDS_H
#define JOBS_NEEDS_H
#include "io/settings.h"
#include "src/net/net.h"

struct needs {
  size_t weights, moments, emas;      /* state_init's arena, on the rank that owns most */
  size_t gradients;                   /* step_init's arena: with their exact sums, where reproducible */
  size_t activations, tangents;       /*   what the net keeps; of it the rows of tangents */
  size_t buffers;                     /*   images, noise, outputs, conditions */
  size_t rounded;                     /* inputs of the linear layers' products in bf16 */
  size_t optimizer;                   /* Newton-Schulz, all threads */
  size_t loader;                      /* two batches of bytes */
  size_t perceptual;                  /* networks of the perceptual terms, and what they see */
  size_t evaluation;                  /* generated and held-out images' features, for scores on the way */
  size_t classifier;                  /* while one is trained, that the loss looks through or that judges, where there is none yet */
  size_t grids;                       /* of samples on the way, and what makes them */
  size_t copy;                        /* of the state, for checkpoint.async */
  size_t messages;                    /* what MPI takes for sums on their way, about: copies of the buckets in flight, or all of the gradient */
  size_t total;
  size_t checkpoint;                  /* on disk */
  size_t micro;                       /* images in a micro-batch that this is for */
};
/* The parts of the total by their names, for a report. */
enum { NEEDS_PARTS = 16 };
struct needs_part { const char *name; size_t bytes; };
void needs_parts(const struct needs *k, struct needs_part parts[static NEEDS_PARTS]);
/* For `ranks` ranks and micro-batches of `micro` images (0: as training.micro_batch and step_init choose). */
struct needs needs_of(const struct net *n, const struct settings *s, int ranks, size_t micro);
/* The largest micro-batch whose total stays within `room`; 0 if none does. */
size_t needs_largest_micro(const struct net *n, const struct settings *s, int ranks, size_t room);
/* What a training takes that has `room` bytes a rank (0: not known). A micro-batch that was left to us shrinks until it
 * fits, in *s too. Errors: STATUS_BAD: it does not fit; the reason names the largest micro-batch that would. */
int needs_fit(const struct net *n, struct settings *s, int ranks, size_t room, struct needs *needs);
#endif
