/* Inputs: arrays, numbers and texts. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/reference.h"

/* Nonzero if it is no array of numbers. */
static int read_array(hid_t set, struct array *a) {
  const hid_t space = set < 0 ? -1 : H5Dget_space(set);
  hsize_t dims[H5S_MAX_RANK] = { 0 };
  const int rank = space < 0 || H5Sget_simple_extent_type(space) == H5S_NULL ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
  a->shape.rank = rank;
  for (int i = 0; i < rank; i++) a->shape.dims[i] = (size_t)dims[i];
  a->count = rank < 0 ? 0 : shape_count(&a->shape);
  int bad = rank < 0 || a->count > SIZE_MAX / 16;
  if (!bad) {
    a->value = malloc((a->count + 1) * sizeof *a->value);
    a->single = malloc((a->count + 1) * sizeof *a->single);
    bad = !a->value || !a->single || H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, a->value) < 0;
    for (size_t i = 0; !bad && i < a->count; i++) a->single[i] = (float)a->value[i];
  }
  if (space >= 0) H5Sclose(space);
  return bad;
}

const struct array *reference_read(struct reference *r, const char *name) {
  if (!reference_has(r, name)) return reference_fail(r, name, "is not in the file"), NULL;
  reference_use(r, name);
  struct array *a = calloc(1, sizeof *a), **more = realloc(r->arrays, (r->n_arrays + 1) * sizeof *more);
  if (!more || !a) abort();
  r->arrays = more;
  r->arrays[r->n_arrays++] = a;
  const hid_t set = H5Dopen2(r->file, name, H5P_DEFAULT);
  const int bad = read_array(set, a);
  if (set >= 0) H5Dclose(set);
  if (bad) return reference_fail(r, name, "cannot be read as numbers"), NULL;
  return a;
}

const struct array *reference_read_as(struct reference *r, const char *name, struct shape shape) {
  const struct array *a = reference_read(r, name);
  if (!a || shape_same(&a->shape, &shape)) return a;
  return reference_fail(r, name, "has another shape than what it belongs to"), NULL;
}

/* Nonzero if the attribute is not n numbers. */
static int read_attribute(hid_t a, size_t n, double *values) {
  const hid_t space = a < 0 ? -1 : H5Aget_space(a), type = a < 0 ? -1 : H5Aget_type(a);
  const int bad = space < 0 || type < 0 || H5Tget_class(type) == H5T_STRING ||
                  H5Sget_simple_extent_npoints(space) != (hssize_t)n || H5Aread(a, H5T_NATIVE_DOUBLE, values) < 0;
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  return bad;
}

static int has_attribute(const struct reference *r, const char *object, const char *name) {
  return H5Aexists_by_name(r->file, object, name, H5P_DEFAULT) > 0;
}

int reference_numbers(struct reference *r, const char *object, const char *name, size_t n, double *values) {
  const char *full = reference_path(r, "%s@%s", object, name);
  const hid_t a = has_attribute(r, object, name) ? H5Aopen_by_name(r->file, object, name, H5P_DEFAULT, H5P_DEFAULT) : -1;
  const int bad = read_attribute(a, n, values);
  reference_use(r, full);
  if (bad) reference_fail(r, full, "is not there with as many numbers as it should have");
  if (a >= 0) H5Aclose(a);
  return bad;
}

double reference_number(struct reference *r, const char *object, const char *name) {
  double value;
  return reference_numbers(r, object, name, 1, &value) ? NAN : value;
}

double reference_number_or(struct reference *r, const char *object, const char *name, double otherwise) {
  return has_attribute(r, object, name) ? reference_number(r, object, name) : otherwise;
}

/* ---- texts ---- */

/* A dataset, or the attribute that `is_attribute` says it is. */
static int read_raw(hid_t from, int is_attribute, hid_t type, void *to) {
  return (is_attribute ? H5Aread(from, type, to) : H5Dread(from, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to)) < 0;
}

/* How many; SIZE_MAX where they are no texts. */
static size_t each_text(hid_t from, int is_attribute, void (*each)(void *context, const char *text), void *context) {
  const hid_t type = is_attribute ? H5Aget_type(from) : H5Dget_type(from);
  const hid_t space = is_attribute ? H5Aget_space(from) : H5Dget_space(from);
  const size_t size = H5Tget_size(type), n = (size_t)H5Sget_simple_extent_npoints(space);
  char *all = calloc(n + 1, size), *text = calloc(size + 1, 1);
  const int bad = !all || !text || H5Tget_class(type) != H5T_STRING || read_raw(from, is_attribute, type, all);
  const int variable = H5Tis_variable_str(type) > 0;
  for (size_t i = 0; !bad && i < n; i++) {
    const char *given = NULL;
    if (variable) memcpy(&given, all + i * size, sizeof given);
    else memcpy(text, all + i * size, size);
    each(context, variable ? given ? given : "" : text);
  }
  if (variable && !bad) H5Dvlen_reclaim(type, space, H5P_DEFAULT, all);
  free(all);
  free(text);
  H5Sclose(space);
  H5Tclose(type);
  return bad ? SIZE_MAX : n;
}

size_t reference_texts(struct reference *r, const char *object, const char *attribute,
                       void (*each)(void *context, const char *text), void *context) {
  if (attribute ? !has_attribute(r, object, attribute) : !reference_has(r, object)) return 0;
  const char *full = attribute ? reference_path(r, "%s@%s", object, attribute) : object;
  reference_use(r, full);
  const hid_t from = attribute ? H5Aopen_by_name(r->file, object, attribute, H5P_DEFAULT, H5P_DEFAULT)
                               : H5Dopen2(r->file, object, H5P_DEFAULT);
  const size_t n = from < 0 ? SIZE_MAX : each_text(from, attribute != NULL, each, context);
  if (n == SIZE_MAX) reference_fail(r, full, "cannot be read as texts");
  if (from >= 0 && (attribute ? H5Aclose(from) : H5Dclose(from)) < 0) abort();
  return n == SIZE_MAX ? 0 : n;
}
