/* scores.h - how near images come to the held-out ones, by the features of the classifier: FID[classifier], KID[classifier],
 * and how often the classifier sees the class that was asked for. Shared by pmf score and by the evaluation during training.
 * A set is shared out in whole chunks of EVALUATOR_CHUNK images, and only features are kept. All sums go over the chunks in
 * the order of the images, so that any number of ranks gives the same bits (threads equal): the moments travel from rank to
 * rank, and each adds its own; for the kernel distance chunk after chunk goes round, and each rank has its rows against it.
 * Memory: one arena, freed by scorer_free; harmless on a zeroed one. */
#ifndef JOBS_SCORES_H
#define JOBS_SCORES_H
#include "io/progress.h"
#include "jobs/evaluator.h"
#include "jobs/sources.h"
#include "src/score/moments.h"

/* Features by another network than the classifier, for images of either set. Local, all threads. */
struct extractor {
  size_t D, K;                  /* features and logits of an image */
  void (*features)(void *context, int reference, size_t n, const uint8_t *u8, float *features, float *logits);
  void *context;
};
struct feature_set {
  size_t D, K;
  size_t n;                     /* images, all ranks together */
  size_t begin, end;            /* this rank's chunks */
  float *x, *logits;            /* [its images, D] and [its images, K] */
  double *message;              /* n, mean and S of the moments, one after the other */
  struct moments moments;       /* of all n images, on rank 0 */
  double kernel, diagonal;      /* sums of k over all pairs, and over each with itself */
  double asked, agreed;         /* images with a label; those of them that the classifier sees as that */
};
struct scorer {
  const struct world *w;
  const struct evaluator *judge;
  const struct extractor *extractor;   /* in the judge's place; NULL: the judge */
  size_t D;
  size_t pixels;                /* bytes of an image */
  size_t most[3];               /* images at most: held out, in a set, in a second reference (0: there is none) */
  int (*stop)(void *context);   /* NULL, or asked after every chunk: nonzero on any rank ends the work */
  void *stop_context;
  struct progress *progress;    /* NULL, or where rank 0 shows how far it is, */
  char things[192];             /* with so many of these: "images" */
  struct arena arena;
  struct feature_set reference, second, images;
  uint8_t *u8;                  /* a chunk's */
  int32_t *labels, *classes;
  float *block;
  double *scratch, *rows;
};
struct score {
  size_t n, reference;          /* images on both sides */
  double frechet, kernel;       /* FID[classifier] and KID[classifier] */
  double clipped;               /* of frechet, as in frechet.h */
  double agreement;             /* 0..1; NAN where no class was asked for */
};
/* The fields above `arena` are set by the caller. Local. Errors: STATUS_NOMEM. */
int scorer_init(struct scorer *s);
/* What its arena takes, in numbers of `real`. Local. */
size_t scorer_count(size_t pixels, size_t reference, size_t images, int ranks);
void scorer_free(struct scorer *s);
/* COLLECTIVE. What scores are against: n >= 2 images. Errors: STATUS_IO from the data; STATUS_SAVED: `stop` said so. */
int scorer_reference(struct scorer *s, const struct source *source, size_t n);
/* COLLECTIVE. The score of n >= 2 images, the same on every rank. Errors: as above; STATUS_NOMEM. */
int scorer_score(struct scorer *s, const struct source *source, size_t n, struct score *score);
/* COLLECTIVE. A second reference of n >= 2 images, and the score against it of the images last scored, which are not made again.
 * Errors: as above. */
int scorer_second(struct scorer *s, const struct source *source, size_t n);
int scorer_score_second(struct scorer *s, struct score *score);

/* N < D: no more images on a side than the classifier has features. The distance is then of covariances without full rank, and
 * compares with none of another N. */
int score_rank_deficient(const struct score *score);
/* A line about the most clipped mass of a table's rows, in text, which comes back. */
enum { SCORE_CLIPPED = 192 };
const char *score_clipped(double clipped, char text[SCORE_CLIPPED]);

/* The parts of it, for scores of other kinds (standard.c). */
/* COLLECTIVE. Features (and logits) of n images of a source; no moments yet. Errors: as scorer_reference. */
int scorer_look(struct scorer *s, struct feature_set *f, const struct source *source, size_t n);
/* COLLECTIVE. Adds chunks from .. to-1 to f->moments, which rank 0 has. */
void scorer_moments(struct scorer *s, struct feature_set *f, size_t from, size_t to);
size_t scorer_chunks(const struct feature_set *f);
size_t scorer_images(const struct feature_set *f, size_t i);      /* in chunk i */
float *scorer_rows(const struct feature_set *f, size_t i);        /* features and logits of chunk i, begin <= i < end */
float *scorer_logits(const struct feature_set *f, size_t i);
/* COLLECTIVE. Chunk i's features on every rank, until the next call. */
const float *scorer_pass(struct scorer *s, const struct feature_set *f, size_t i);
#endif
