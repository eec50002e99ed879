/* study.h - experiments that repeat a finding: arms that differ in one setting, seeds, and claims about them that a stated rule
 * decides (src/score/verdict.h). A study is an entry of study_list.c; one that needs code has a file of its own.
 *   study.c        the job: arms one after another, those left out that have a result, and the end
 *   study_train.c  an arm of images: the program itself is run to pack, train and score
 *   study_cost.c   an arm that is not trained: what a step of it costs
 *   study_toy.c    an arm of the toy, and its scatter plots
 *   study_tell.c   numbers, picture and verdict
 * The job runs without MPI: arms of images start ranks of their own. Ranks: local. */
#ifndef JOBS_STUDY_H
#define JOBS_STUDY_H
#include <stddef.h>
#include <stdio.h>

#include "io/settings.h"
#include "jobs/child.h"

enum { STUDY_MEASURES = 4, STUDY_SEEDS = 16, STUDY_ARMS = 64, STUDY_CLAIMS = 8, STUDY_TEXT = 4096, STUDY_JUDGE = 32 };

struct study_arm {
  const char *name;            /* of its own in the study; what stands before its last blank is its group, a curve in the picture */
  double x;                    /* where it stands in the picture */
  const char *train;           /* words of pmf train, over the preset; arms of equal ones share a training */
  const char *score;           /* of pmf score */
  const char *data;            /* of pmf pack: "shapes ..."; NULL: Fashion-MNIST, or the word data=; "first=N": a part of Fashion-MNIST */
  int large;                   /* only where budget=large */
};
/* "factor x the measure of low lies below that of high". A group's name stands for its best arm, the one of the least mean. */
struct study_claim { const char *low, *high; int measure; double factor; const char *says; };

/* judge: the hash of the classifier that the values are scores by, "" where there is none. */
struct study_result { int there; double value[STUDY_MEASURES], seconds; char judge[STUDY_JUDGE]; };
/* What arms are compared with: as near as one can come, as far as one should be. */
struct study_context { double floor[STUDY_MEASURES], ceiling[STUDY_MEASURES]; char judge[STUDY_JUDGE]; };

struct study_job;
struct study {
  const char *name, *finding;  /* what the paper found, in a line */
  const char *preset, *common; /* words of every arm */
  const char *score;           /* of every pmf score, of arms and of what they are compared with */
  const char *x_name;          /* of the picture's axis; NULL: arms stand side by side */
  int x_measure;               /* where arms stand: at that measure; 0: at their x */
  int timed;                   /* time is measured: one part has all arms of a seed */
  int fits;                    /* of so many measures the exponent over x is fitted, for each group of three arms and more */
  const char *measures[STUDY_MEASURES];   /* the first is drawn; small is good */
  const struct study_arm *arms;           /* to one without name */
  const struct study_claim *claims;       /* likewise */
  struct { long steps, n; } budget[2];    /* small, large: steps of a training, images (points) of a score */
  /* value and judge of an arm and a seed, INFINITY where it diverged. Errors: STATUS_SAVED: stopped, run again. */
  int (*run)(const struct study_job *j, const struct study_arm *a, long seed, struct study_result *r);
  int (*context)(const struct study_job *j, const struct study_arm *a, struct study_context *c);
  int (*prepare)(const struct study_job *j);   /* what parts share beside that: made once, before any arm; NULL: nothing */
  int (*draw)(const struct study_job *j);   /* pictures beside the usual one; NULL: none */
};
/* Ended by one without name. */
extern const struct study study_list[];

struct study_job {
  const struct study *study;
  char out[TEXT_MAX], folder[TEXT_MAX + 64];   /* OUT; OUT/NAME */
  char data[TEXT_MAX], config[TEXT_MAX], idx[TEXT_MAX];
  unsigned long long config_hash, data_hash;   /* of what config= and data= hold; 0 without one */
  long seeds, steps, n, ranks;
  long part, parts;                            /* this command's, from 1 on */
  int large;
  const struct study_arm *arms[STUDY_ARMS];    /* those of this budget */
  size_t n_arms;
  struct study_result (*results)[STUDY_SEEDS]; /* [n_arms] */
};

/* Is the program to stop? Asked between pieces of work. */
int study_stopped(void);

/* study_train.c: measures are those of pmf score, by the names of its table, and "Gflop an image" of pmf plan. */
int study_train_run(const struct study_job *j, const struct study_arm *a, long seed, struct study_result *r);
int study_train_context(const struct study_job *j, const struct study_arm *a, struct study_context *c);
/* Packed images of all arms, and the classifiers that terms of their losses look through. */
int study_train_prepare(const struct study_job *j);
/* One run of the program for this study, on so many ranks; json[room] (may be NULL): the line of JSON that it ends with. *diverged
 * (may be NULL): then that is no error. Errors: those of its exit code; STATUS_SAVED, too, where it hung or was killed. */
int study_child(const struct study_job *j, long ranks, const struct child_words *w, char *json, size_t room, int *diverged);
/* Are both arms scored against the same held-out images? */
int study_judged_alike(const struct study_arm *a, const struct study_arm *b);
/* The words that training, plan and bench of the study begin with. */
void study_words(const struct study_job *j, const char *job, struct child_words *w);

/* study_cost.c: "seconds an image", "Gflop an image" and "idle share" (of the machine's own sgemm rate) of a gradient, by pmf bench
 * step: steps= steps are measured, of n= images. */
int study_cost_run(const struct study_job *j, const struct study_arm *a, long seed, struct study_result *r);
int study_cost_context(const struct study_job *j, const struct study_arm *a, struct study_context *c);

/* study_toy.c */
int study_toy_run(const struct study_job *j, const struct study_arm *a, long seed, struct study_result *r);
int study_toy_context(const struct study_job *j, const struct study_arm *a, struct study_context *c);
int study_toy_draw(const struct study_job *j);

/* study_tell.c: OUT/NAME.csv, NAME.png, NAME.svg, NAME.txt, and the last on standard output. All arms have results.
 * Errors: STATUS_BAD: scores that would be compared are by different judges; STATUS_IO; without gnuplot a line on standard error and
 * no pictures. */
int study_tell(const struct study_job *j);
/* name's group in group[room]. */
void study_group(const char *name, char *group, size_t room);
/* path.png and path.svg of what put writes. Errors: those of gnuplot_draw. */
int study_picture(const char *path, int width, int height, void (*put)(FILE *, const void *), const void *what);
#endif
