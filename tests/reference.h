/* reference.h - a file of reference values: its datasets and result attributes, each to be compared once.
 * Things are named by their paths: datasets "a/b", attributes "a/b@name", also those behind links. The file's own attributes are
 * inputs, and texts and `ref_err` are no results: nobody misses them. Arrays that are read belong to the reference and live until
 * it is closed. A comparison prints one line with the error in the files' measure: max |a-b| / max |b|, per sample where the first
 * dimension is the batch, absolute where b is all zero. What is missing, of another shape or damaged is a failure with a line. */
#ifndef TESTS_REFERENCE_H
#define TESTS_REFERENCE_H
#include <hdf5.h>
#include <limits.h>
#include <stddef.h>

#include "src/base/real.h"

struct item { const char *name; int used, attribute; };
struct shape { int rank; size_t dims[H5S_MAX_RANK]; };
#define SHAPE(...) ((struct shape){ (int)(sizeof((size_t[]){ __VA_ARGS__ }) / sizeof(size_t)), { __VA_ARGS__ } })
struct array { double *value; float *single; size_t count; struct shape shape; };
struct reference {
  hid_t file;
  char path[PATH_MAX];
  const char *name, *group;   /* what lines begin with; the only group that is checked, or NULL for all */
  struct item *items;
  size_t n_items;
  const char **groups;              /* those of the file itself, in the order of their names */
  size_t n_groups;
  struct array **arrays;
  size_t n_arrays;
  char **paths;
  size_t n_paths;
  int passed, failed;
};
extern const double limit_value, limit_gradient, limit_tangent, limit_step;

/* ---- reference.c: the file ---- */
/* word: PATH, or PATH:GROUP where there is no file of that whole name. Nonzero if the file cannot be opened. */
int reference_open(struct reference *r, const char *word);
/* What no comparison and no reading used is a result that is not known: one failure each. */
void reference_close(struct reference *r);
/* Counts a failure that is not a comparison. */
void reference_fail(struct reference *r, const char *what, const char *why);
int reference_has(struct reference *r, const char *name);
/* It is an input, or nobody asked for it: no failure if nothing reads it. */
void reference_use(struct reference *r, const char *name);
/* Is this to be checked? name: a group, or what begins with it. */
int reference_wants(const struct reference *r, const char *name);
/* Is this group a case of the kind ("net", "net_2", "net-grey" of "net") that is to be checked? Pictures to be cropped are not. */
int reference_kind(struct reference *r, const char *group, const char *kind);
/* As printf writes it; the reference's, until it is closed. */
const char *reference_path(struct reference *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- reference_read.c: inputs ---- */
/* NULL, counted as a failure, if it is not there, or not numbers. */
const struct array *reference_read(struct reference *r, const char *name);
/* The same; and it must have this shape, but for dimensions of 1. */
const struct array *reference_read_as(struct reference *r, const char *name, struct shape shape);
/* An attribute that is a number, and NAN, counted as a failure, if it is none; or `otherwise` where there is no such attribute. */
double reference_number(struct reference *r, const char *object, const char *name);
double reference_number_or(struct reference *r, const char *object, const char *name, double otherwise);
/* One of n numbers; nonzero, counted as a failure, if it is not there or has another size. */
int reference_numbers(struct reference *r, const char *object, const char *name, size_t n, double *values);
/* Calls `each` with the texts of a dataset (attribute: NULL) or of an attribute, of fixed or variable length, one or many. Returns
 * how many there are; 0 where there is none. */
size_t reference_texts(struct reference *r, const char *object, const char *attribute,
                       void (*each)(void *context, const char *text), void *context);

/* ---- reference_compare.c: results ---- */
size_t shape_count(const struct shape *s);
/* Are they the same, dimensions of 1 left out? */
int shape_same(const struct shape *a, const struct shape *b);
/* Compares mine with a dataset. samples: how many where the first dimension is the batch, else 0. Nothing happens outside the
 * wanted group or where the file has no such dataset. */
void reference_compare(struct reference *r, const char *name, const real *mine, struct shape shape, size_t samples, double limit);
/* A single number, which the file has as attribute or as dataset of the group. */
void reference_compare_number(struct reference *r, const char *group, const char *name, double mine, double limit);
/* The files' measure. */
double reference_error(size_t count, size_t samples, const real *mine, const float *theirs);
/* Compares two arrays that are both computed; `what` names the line. */
void reference_compare_arrays(struct reference *r, const char *what, size_t count, size_t samples, const real *mine,
                              const float *theirs, double limit);
/* Counts and prints an error against its limit. */
void reference_judge(struct reference *r, const char *what, double error, double limit);

/* ---- the kinds of file ---- */
void reference_net(struct reference *r);        /* reference_net.c:       net, sample, and by reference_objective.c objective(_u) */
void reference_optim(struct reference *r);      /* reference_optim.c:     step1 ..., adamw */
void reference_schedules(struct reference *r);  /* reference_schedules.c: schedules */
void reference_scores(struct reference *r);     /* reference_scores.c:    scores */
void reference_resample(struct reference *r);   /* reference_resample.c:  resample */
void reference_vision(struct reference *r);     /* reference_vision.c:    lpips..., convnext..., inception */
void reference_crop(struct reference *r);       /* reference_crop.c:      NAME/image with a target */
/* reference_weights.c: a .pt or .safetensors, compared with `params` of r, the file of reference values that it belongs to. */
void reference_weights(struct reference *r, const char *path);
#endif
