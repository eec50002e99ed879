/* reference_model.h - the net of a file of reference values, and its groups' inputs. A group's images are [B,H,H,C]; the shapes of
 * everything else follow from them. */
#ifndef TESTS_REFERENCE_MODEL_H
#define TESTS_REFERENCE_MODEL_H
#include "src/flow/velocity.h"
#include "src/net/net.h"
#include "tests/reference.h"

struct model {
  struct net net;
  float *weights;
};
/* Sizes from the file's attributes and its parameters' shapes; nonzero, with failures, if they make no net. Free in any case. */
int model_read(struct reference *r, struct model *m);
void model_free(struct model *m);

/* A group whose inputs are being read; bad: one of them is missing or wrong. */
struct inputs {
  struct reference *r;
  const struct model *m;
  const char *group;
  size_t B;                /* set by the first images, never 0 unless bad */
  int bad;
};
struct shape images_shape(const struct model *m, size_t B);
/* NULL if bad. */
const float *inputs_images(struct inputs *in, const char *name);
const float *inputs_numbers(struct inputs *in, const char *name);
/* [B], the caller's to free. */
int32_t *inputs_labels(struct inputs *in);

/* u, v and their tangents along (z_dot, 1, r_dot = 0) from one evaluation of B samples, all with tangents. */
struct outputs { float *u, *v, *u_dot, *v_dot; };
struct outputs model_evaluate(const struct model *m, enum prediction p, const struct condition_input *in, const float *t);
void outputs_free(struct outputs *e);

/* reference_objective.c: one group; from: the group that holds its inputs. */
void reference_objective(struct reference *r, const char *group, const char *from, const struct model *m, enum prediction p);
#endif
