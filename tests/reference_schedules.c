/* Schedules: the EMAs' decays, the cosine of the learning rate, the guidance scale. */
#include <stdlib.h>
#include <string.h>

#include "src/flow/guidance.h"
#include "src/optim/schedule.h"
#include "tests/reference.h"

/* A sample each: relative everywhere. */
static void compare_values(struct reference *r, const char *name, const real *mine, size_t n) {
  reference_compare(r, name, mine, SHAPE(n), n, limit_value);
}

static real *numbers(size_t n) {
  real *x = calloc(n + 1, sizeof *x);
  if (!x) abort();
  return x;
}

/* Compares GROUP/PREFIX<parameter> with of(parameter, x), for every parameter that the file has, at the x of GROUP/INPUT. */
static void compare_family(struct reference *r, const char *group, const char *prefix, const char *input,
                           double (*of)(const void *context, double parameter, double x), const void *context) {
  const char *begin = reference_path(r, "%s/%s", group, prefix), *from = reference_path(r, "%s/%s", group, input);
  const struct array *x = NULL;
  reference_use(r, from);
  for (size_t i = 0; i < r->n_items; i++) {
    char *end;
    const char *name = r->items[i].name, *number = name + strlen(begin);
    if (strncmp(name, begin, strlen(begin))) continue;
    const double parameter = strtod(number, &end);
    if (*end || end == number) continue;
    if (!x) x = reference_read(r, from);
    if (!x) return;
    real *mine = numbers(x->count);
    for (size_t j = 0; j < x->count; j++) mine[j] = (real)of(context, parameter, x->value[j]);
    compare_values(r, name, mine, x->count);
    free(mine);
  }
}

static double decay(const void *batch, double thousand_images, double steps) {
  const double images = *(const double *)batch;
  return schedule_edm_decay(1000 * thousand_images, images, images * steps);
}

static double scale(const void *cfg_max, double beta, double U) { return guidance_scale(beta, *(const double *)cfg_max, U); }

static void check_cosine(struct reference *r, const char *set) {
  const struct array *a = reference_read(r, set);
  if (!a) return;
  const struct schedule cosine = { 1, reference_number(r, set, "learning_rate"), reference_number(r, set, "lr_min_factor"),
                                   reference_number(r, set, "warmup_steps"), reference_number(r, set, "steps") };
  real *mine = numbers(a->count);
  for (size_t i = 0; i < a->count; i++) mine[i] = (real)schedule_rate(&cosine, i);
  compare_values(r, set, mine, a->count);
  free(mine);
}

void reference_schedules(struct reference *r) {
  for (size_t i = 0; i < r->n_groups; i++) {
    const char *group = r->groups[i];
    if (!reference_kind(r, group, "schedules")) continue;
    const double batch = reference_number_or(r, group, "batch", reference_number_or(r, "/", "batch", 1024)), cfg_max = 7;
    compare_family(r, group, "edm_", "edm_steps", decay, &batch);
    compare_family(r, group, "cfg_w_beta", "cfg_U", scale, &cfg_max);
    if (reference_has(r, reference_path(r, "%s/cosine", group))) check_cosine(r, reference_path(r, "%s/cosine", group));
  }
}
