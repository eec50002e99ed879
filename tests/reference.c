#include "tests/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double limit_value = 2e-5, limit_gradient = 1e-4, limit_tangent = 1e-4, limit_step = 1e-3;

static void add_item(struct reference *r, const char *name) {
  if (!(r->n_items & (r->n_items + 1))) r->items = realloc(r->items, 2 * (r->n_items + 1) * sizeof *r->items);
  snprintf(r->items[r->n_items].name, sizeof r->items->name, "%s", name);
  r->items[r->n_items++].used = 0;
}

struct visit { struct reference *r; const char *object; };

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data) {
  (void)object, (void)info;
  const struct visit *v = data;
  char full[400];
  snprintf(full, sizeof full, "%s@%s", v->object, name);
  if (strcmp(name, "ref_err")) add_item(v->r, full);
  return 0;
}

static herr_t visit_object(hid_t file, const char *name, const H5O_info_t *info, void *data) {
  struct visit v = { data, name };
  if (info->type == H5O_TYPE_DATASET) add_item(v.r, name);
  else if (strcmp(name, ".")) {
    const hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &v);
    H5Oclose(object);
  }
  return 0;
}

int reference_open(struct reference *r, const char *path, const char *name, const char *group) {
  *r = (struct reference){ .path = path, .name = name, .group = group };
  r->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (r->file < 0) return 1;
  H5Ovisit(r->file, H5_INDEX_NAME, H5_ITER_INC, visit_object, r);
  return 0;
}

int reference_wants(const struct reference *r, const char *group) {
  return !r->group || (!strncmp(group, r->group, strlen(r->group)) && strchr("/@", group[strlen(r->group)]));
}

void reference_close(struct reference *r) {
  for (size_t i = 0; i < r->n_items; i++)
    if (!r->items[i].used && reference_wants(r, r->items[i].name))
      reference_fail(r, r->items[i].name, "a result that is not known here");
  for (size_t i = 0; i < r->n_arrays; i++) free(r->arrays[i]->value), free(r->arrays[i]->single), free(r->arrays[i]);
  free(r->arrays);
  free(r->items);
  H5Fclose(r->file);
}

void reference_fail(struct reference *r, const char *what, const char *why) {
  printf("FAIL %s %-60s %s\n", r->name, what, why);
  r->failed++;
}

static struct item *find(struct reference *r, const char *name) {
  for (size_t i = 0; i < r->n_items; i++)
    if (!strcmp(r->items[i].name, name)) return &r->items[i];
  return NULL;
}

int reference_has(struct reference *r, const char *name) { return find(r, name) != NULL; }

static int read_array(struct reference *r, const char *name, struct array *a) {
  const hid_t set = H5Dopen2(r->file, name, H5P_DEFAULT), space = H5Dget_space(set);
  hsize_t dims[8] = { 0 };
  const int rank = H5Sget_simple_extent_ndims(space);
  *a = (struct array){ .count = 1, .rank = rank };
  if (rank >= 0 && rank <= 4) H5Sget_simple_extent_dims(space, dims, NULL);
  for (int i = 0; i < rank && i < 4; i++) a->count *= a->dims[i] = (size_t)dims[i];
  int status = rank < 0 || rank > 4;
  if (!status) {
    a->value = malloc((a->count + 1) * sizeof *a->value);
    a->single = malloc((a->count + 1) * sizeof *a->single);
    status = H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, a->value) < 0;
    for (size_t i = 0; !status && i < a->count; i++) a->single[i] = (float)a->value[i];
  }
  H5Sclose(space);
  H5Dclose(set);
  return status;
}

const struct array *reference_read(struct reference *r, const char *name) {
  struct item *item = find(r, name);
  if (!item) return reference_fail(r, name, "is not in the file"), NULL;
  item->used = 1;
  r->arrays = realloc(r->arrays, (r->n_arrays + 1) * sizeof *r->arrays);
  struct array *a = r->arrays[r->n_arrays++] = calloc(1, sizeof *a);
  if (read_array(r, name, a)) return reference_fail(r, name, "cannot be read as numbers"), NULL;
  return a;
}

double reference_attribute(struct reference *r, const char *object, const char *name, double otherwise) {
  char full[400];
  snprintf(full, sizeof full, "%s@%s", object, name);
  struct item *item = find(r, full);
  if (item) item->used = 1;
  double value = otherwise;
  if (H5Aexists_by_name(r->file, object, name, H5P_DEFAULT) > 0) {
    const hid_t a = H5Aopen_by_name(r->file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (H5Aread(a, H5T_NATIVE_DOUBLE, &value) < 0) value = otherwise;
    H5Aclose(a);
  }
  return value;
}

int reference_attributes(struct reference *r, const char *object, const char *name, size_t n, double *values) {
  char full[400];
  snprintf(full, sizeof full, "%s@%s", object, name);
  struct item *item = find(r, full);
  if (item) item->used = 1;
  int bad = 1;
  if (H5Aexists_by_name(r->file, object, name, H5P_DEFAULT) > 0) {
    const hid_t a = H5Aopen_by_name(r->file, object, name, H5P_DEFAULT, H5P_DEFAULT), space = H5Aget_space(a);
    bad = H5Sget_simple_extent_npoints(space) != (hssize_t)n || H5Aread(a, H5T_NATIVE_DOUBLE, values) < 0;
    H5Sclose(space);
    H5Aclose(a);
  }
  if (bad) reference_fail(r, full, "is not there with as many numbers as it should have");
  return bad;
}

void reference_texts(struct reference *r, const char *name, void (*each)(void *context, const char *text), void *context) {
  struct item *item = find(r, name);
  if (!item) return;
  item->used = 1;
  const hid_t set = H5Dopen2(r->file, name, H5P_DEFAULT), type = H5Dget_type(set), space = H5Dget_space(set);
  const size_t size = H5Tget_size(type), n = (size_t)H5Sget_simple_extent_npoints(space);
  char *all = calloc(n + 1, size), text[512];
  if (!all || size >= sizeof text || H5Tis_variable_str(type) || H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) < 0)
    reference_fail(r, name, "cannot be read as texts");
  else
    for (size_t i = 0; i < n; i++) {
      snprintf(text, sizeof text, "%.*s", (int)size, all + i * size);
      each(context, text);
    }
  free(all);
  H5Sclose(space);
  H5Tclose(type);
  H5Dclose(set);
}

static double difference(size_t n, const float *mine, const float *theirs) {
  double error = 0, scale = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = fabs((double)mine[i] - (double)theirs[i]);
    if (!isfinite(d)) return INFINITY;
    error = fmax(error, d);
    scale = fmax(scale, fabs((double)theirs[i]));
  }
  return scale > 0 ? error / scale : error;
}

double reference_error(size_t count, size_t samples, const float *mine, const float *theirs) {
  double error = 0;
  const size_t n = samples ? count / samples : count;
  for (size_t i = 0; i < count; i += n) error = fmax(error, difference(n, mine + i, theirs + i));
  return error;
}

void reference_compare_arrays(struct reference *r, const char *what, size_t count, size_t samples, const float *mine,
                              const float *theirs, double limit) {
  const double error = reference_error(count, samples, mine, theirs);
  const int good = error <= limit;
  printf("%s %s %-60s %.2e (limit %.0e)\n", good ? "ok  " : "FAIL", r->name, what, error, limit);
  good ? r->passed++ : r->failed++;
}

void reference_compare(struct reference *r, const char *name, const float *mine, size_t count, int samples, double limit) {
  if (!reference_wants(r, name) || !reference_has(r, name)) return;
  const struct array *a = reference_read(r, name);
  if (!a) return;
  if (a->count != count) reference_fail(r, name, "has another size than the computed result");
  else reference_compare_arrays(r, name, count, samples ? a->dims[0] : 0, mine, a->single, limit);
}

void reference_compare_attribute(struct reference *r, const char *object, const char *name, double mine, double limit) {
  char full[400];
  snprintf(full, sizeof full, "%s@%s", object, name);
  if (!reference_wants(r, full) || !reference_has(r, full)) return;
  const double theirs = reference_attribute(r, object, name, NAN);
  const double error = fabs(mine - theirs) / (theirs != 0 ? fabs(theirs) : 1);
  const int good = error <= limit;
  printf("%s %s %-60s %.2e (limit %.0e)\n", good ? "ok  " : "FAIL", r->name, full, error, limit);
  good ? r->passed++ : r->failed++;
}
