/* The file: what is in it, by its paths; what of that was used. */
#include "tests/reference.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *grown(void *list, size_t n, size_t size) {
  void *more = n & (n + 1) ? list : realloc(list, 2 * (n + 1) * size);
  if (!more) abort();
  return more;
}

const char *reference_path(struct reference *r, const char *format, ...) {
  char text[4096];
  va_list words;
  va_start(words, format);
  vsnprintf(text, sizeof text, format, words);
  va_end(words);
  r->paths = grown(r->paths, r->n_paths, sizeof *r->paths);
  return r->paths[r->n_paths++] = strdup(text);
}

static void add_item(struct reference *r, const char *name, int attribute) {
  r->items = grown(r->items, r->n_items, sizeof *r->items);
  r->items[r->n_items++] = (struct item){ name, 0, attribute };
}

/* ---- the walk: by paths, so that what has two names is two results ---- */

struct visit {
  struct reference *r;
  const char *at;                /* path of this object; "" for the file itself */
  H5O_info_t info;
  const struct visit *above;
};

/* Texts and references to other datasets are no results, and ref_err tells of one. */
static int is_result(hid_t object, const char *name) {
  const hid_t a = H5Aopen(object, name, H5P_DEFAULT), type = a < 0 ? -1 : H5Aget_type(a);
  const int other = type >= 0 && (H5Tget_class(type) == H5T_STRING || H5Tdetect_class(type, H5T_REFERENCE) > 0);
  if (type >= 0) H5Tclose(type);
  if (a >= 0) H5Aclose(a);
  return !other && strcmp(name, "ref_err") != 0;
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data) {
  (void)info;
  const struct visit *v = data;
  if (is_result(object, name)) add_item(v->r, reference_path(v->r, "%s@%s", v->at, name), 1);
  return 0;
}

static int is_text(hid_t set) {
  const hid_t type = H5Dget_type(set);
  const int text = type >= 0 && H5Tget_class(type) == H5T_STRING;
  if (type >= 0) H5Tclose(type);
  return text;
}

/* A group that this one lies in is listed already. */
static int is_above(const struct visit *v, const struct visit *above) {
  for (; above; above = above->above)
    if (above->info.addr == v->info.addr && above->info.fileno == v->info.fileno) return 1;
  return 0;
}

static void visit_object(struct visit *v, hid_t object);

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *link, void *data) {
  (void)link;
  const struct visit *above = data;
  struct visit v = { .r = above->r, .above = above };
  v.at = reference_path(v.r, "%s%s%s", above->at, *above->at ? "/" : "", name);
  const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  if (object < 0 || H5Oget_info(object, &v.info) < 0) reference_fail(v.r, v.at, "cannot be opened: damaged, or a link to nothing");
  else if (!is_above(&v, above)) visit_object(&v, object);
  if (object >= 0) H5Oclose(object);
  return 0;
}

static void visit_object(struct visit *v, hid_t object) {
  struct reference *r = v->r;
  const int is_group = v->info.type == H5O_TYPE_GROUP, is_file = !*v->at;
  if (v->info.type == H5O_TYPE_DATASET) {
    add_item(r, v->at, 0);
    r->items[r->n_items - 1].used = is_text(object);
  }
  if (is_group && v->above && !v->above->above) {
    r->groups = grown(r->groups, r->n_groups, sizeof *r->groups);
    r->groups[r->n_groups++] = v->at;
  }
  if (!is_file && H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, v) < 0)
    reference_fail(r, v->at, "has attributes that cannot be read");
  if (is_group && H5Literate(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_link, v) < 0)
    reference_fail(r, is_file ? "/" : v->at, "is a group that cannot be read");
}

int reference_open(struct reference *r, const char *word) {
  *r = (struct reference){ .file = -1 };
  snprintf(r->path, sizeof r->path, "%s", word);
  char *colon = strrchr(r->path, ':');
  if (colon && !strchr(colon, '/') && access(r->path, F_OK)) *colon = 0, r->group = colon + 1;
  const char *slash = strrchr(r->path, '/');
  r->name = slash ? slash + 1 : r->path;
  r->file = H5Fopen(r->path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (r->file < 0) return 1;
  struct visit v = { .r = r, .at = "" };
  if (H5Oget_info(r->file, &v.info) < 0) reference_fail(r, "/", "cannot be read");
  else visit_object(&v, r->file);
  return 0;
}

void reference_close(struct reference *r) {
  for (size_t i = 0; i < r->n_items; i++)
    if (!r->items[i].used && reference_wants(r, r->items[i].name))
      reference_fail(r, r->items[i].name, "a result that is not known here");
  for (size_t i = 0; i < r->n_arrays; i++) free(r->arrays[i]->value), free(r->arrays[i]->single), free(r->arrays[i]);
  for (size_t i = 0; i < r->n_paths; i++) free(r->paths[i]);
  free(r->paths);
  free(r->arrays);
  free(r->items);
  free(r->groups);
  H5Fclose(r->file);
}

void reference_fail(struct reference *r, const char *what, const char *why) {
  printf("FAIL %s %-60s %s\n", r->name, what, why);
  r->failed++;
}

/* ---- what is there, and what is asked for ---- */

static struct item *find(struct reference *r, const char *name) {
  for (size_t i = 0; i < r->n_items; i++)
    if (!strcmp(r->items[i].name, name)) return &r->items[i];
  return NULL;
}

int reference_has(struct reference *r, const char *name) { return find(r, name) != NULL; }

void reference_use(struct reference *r, const char *name) {
  struct item *item = find(r, name);
  if (item) item->used = 1;
}

int reference_wants(const struct reference *r, const char *name) {
  return !r->group || (!strncmp(name, r->group, strlen(r->group)) && strchr("/@", name[strlen(r->group)]));
}

int reference_kind(struct reference *r, const char *group, const char *kind) {
  const size_t n = strlen(kind);
  return reference_wants(r, group) && !strncmp(group, kind, n) && !isalpha((unsigned char)group[n]) &&
         !reference_has(r, reference_path(r, "%s@target", group));
}
