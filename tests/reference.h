/* reference.h - a file of reference values: its datasets and result attributes, each to be compared once.
 * Arrays that are read belong to the reference and live until it is closed. A comparison prints one line with the error in the
 * files' measure: max |a-b| / max |b|, per sample where the first dimension is the batch, absolute where b is all zero. */
#ifndef TESTS_REFERENCE_H
#define TESTS_REFERENCE_H
#include <hdf5.h>
#include <stddef.h>

struct item { char name[400]; int used; };
struct array { double *value; float *single; size_t count, dims[4]; int rank; };
struct reference {
  hid_t file;
  const char *path, *name;    /* name: what lines begin with */
  const char *group;          /* only this one is checked, or NULL */
  struct item *items;         /* datasets "a/b", attributes "a/b@name" */
  size_t n_items;
  struct array **arrays;
  size_t n_arrays;
  int passed, failed;
};
extern const double limit_value, limit_gradient, limit_tangent, limit_step;

/* Nonzero if the file cannot be opened. */
int reference_open(struct reference *r, const char *path, const char *name, const char *group);
/* What no comparison and no reading used is a result that is not known: one failure each. */
void reference_close(struct reference *r);
/* Counts a failure that is not a comparison. */
void reference_fail(struct reference *r, const char *what, const char *why);
int reference_has(struct reference *r, const char *name);
/* Is this group to be checked? name: what stands before the first '/'. */
int reference_wants(const struct reference *r, const char *group);
/* A dataset that serves as input; NULL, counted as a failure, if it is not there. */
const struct array *reference_read(struct reference *r, const char *name);
/* An attribute that serves as input; `otherwise` if it is not there. */
double reference_attribute(struct reference *r, const char *object, const char *name, double otherwise);
/* One of n numbers; nonzero, counted as a failure, if it is not there or has another size. */
int reference_attributes(struct reference *r, const char *object, const char *name, size_t n, double *values);
/* A dataset of fixed-length texts: calls `each` with all of them. Nothing happens where there is none. */
void reference_texts(struct reference *r, const char *name, void (*each)(void *context, const char *text), void *context);
/* Compares mine[count] with a dataset. samples: the first dimension is the batch. Nothing happens outside the wanted
 * group or where the file has no such dataset. */
void reference_compare(struct reference *r, const char *name, const float *mine, size_t count, int samples, double limit);
void reference_compare_attribute(struct reference *r, const char *object, const char *name, double mine, double limit);
/* The files' measure. samples: 0, or how many there are. */
double reference_error(size_t count, size_t samples, const float *mine, const float *theirs);
/* Compares two arrays that are both computed; `what` names the line. */
void reference_compare_arrays(struct reference *r, const char *what, size_t count, size_t samples, const float *mine,
                              const float *theirs, double limit);

/* The kinds of file. */
void reference_net(struct reference *r);        /* reference_net.c:   net, objective, objective_u, sample */
void reference_optim(struct reference *r);      /* reference_optim.c: step1 ..., adamw, schedules */
void reference_scores(struct reference *r);     /* reference_scores.c: scores */
void reference_vision(struct reference *r);     /* reference_vision.c: resample, lpips..., convnext..., inception */
void reference_crop(struct reference *r);       /* reference_crop.c:  NAME/image with a target */
#endif
