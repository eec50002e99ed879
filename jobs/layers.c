#include "jobs/layers.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/status.h"

/* Those of the file's first level. */
enum { NUMBERS = 7 };
static const char *const name[NUMBERS] = { "threads", "images", "parameters", "elements", "gradient_seconds",
                                           "optimizer_seconds", "ema_seconds" };

/* A row of numbers; whole ones up to 2^53. */
static void add_row(cJSON *list, const double *x, int n) { cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(x, n)); }

int layers_write(const struct layers *l, const char *path) {
  cJSON *o = cJSON_CreateObject();
  const double number[NUMBERS] = { l->threads, l->images, l->parameters, (double)l->table.size, l->gradient, l->optimizer, l->ema };
  cJSON_AddStringToObject(o, "net", l->net);
  for (int i = 0; i < NUMBERS; i++) cJSON_AddNumberToObject(o, name[i], number[i]);
  cJSON *there = cJSON_AddArrayToObject(o, "used");   /* [first, end, seconds since the beginning, calls] */
  for (size_t i = 0; i < l->there.count; i++) {
    const struct way_there_event *e = &l->there.list[i];
    add_row(there, (double[]){ (double)e->first, (double)e->end, e->at, e->calls }, 4);
  }
  cJSON *way = cJSON_AddArrayToObject(o, "final");   /* [offset, seconds since the one before, calls] */
  for (size_t i = 0; i < l->way.count; i++)
    add_row(way, (double[]){ (double)l->way.list[i].offset, l->way.list[i].seconds, l->way.list[i].calls }, 3);
  cJSON *tensors = cJSON_AddArrayToObject(o, "tensors");   /* [offset, size, rows, columns, is Muon's] */
  for (size_t i = 0; i < l->table.count; i++) {
    const struct tensor *t = &l->table.tensors[i];
    add_row(tensors, (double[]){ (double)t->offset, (double)t->size, (double)t->shape[0], t->rank > 1 ? (double)t->shape[1] : 1,
                                 t->rule == RULE_MUON }, 5);
  }
  char *text = cJSON_PrintUnformatted(o);
  cJSON_Delete(o);
  if (!text) return because(STATUS_NOMEM, "no memory for %s", path);
  char fresh[4096];
  snprintf(fresh, sizeof fresh, "%s.tmp", path);
  FILE *f = fopen(fresh, "w");
  int bad = !f || fprintf(f, "%s\n", text) < 0;
  if (f && fclose(f)) bad = 1;
  if (!bad) bad = rename(fresh, path) != 0;
  const int status = bad ? because(STATUS_IO, "%s: %s", path, strerror(errno)) : STATUS_OK;
  if (bad) remove(fresh);
  cJSON_free(text);
  return status;
}

/* The row's numbers; zero unless it has n of them, not negative and finite. */
static int take_row(const cJSON *row, double *x, int n) {
  if (cJSON_GetArraySize(row) != n) return 0;
  const cJSON *item = row->child;
  for (int i = 0; i < n; i++, item = item->next) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < 1e15)) return 0;
    x[i] = item->valuedouble;
  }
  return 1;
}

static int take_way(struct way_back *w, const cJSON *rows, double elements) {
  size_t before = (size_t)elements;
  for (const cJSON *row = rows->child; row; row = row->next) {
    double x[3];
    if (!take_row(row, x, 3) || x[0] > (double)before) return 0;   /* from the end of the array to its beginning */
    before = (size_t)x[0];
    w->list[w->count++] = (struct way_back_event){ before, x[1], x[2] };
  }
  w->passes = 1;
  return w->count > 0 && !before;
}

/* In the order of time; the last row is the end. */
static int take_there(struct way_there *w, const cJSON *rows, double elements) {
  double before[2] = { 0 };
  for (const cJSON *row = rows->child; row; row = row->next) {
    double x[4];
    if (!take_row(row, x, 4) || x[0] > x[1] || x[1] > elements || x[2] < before[0] || x[3] < before[1]) return 0;
    before[0] = x[2], before[1] = x[3];
    w->list[w->count++] = (struct way_there_event){ (size_t)x[0], (size_t)x[1], x[2], x[3] };
  }
  w->passes = 1;
  return w->count > 0 && !w->list[w->count - 1].end;
}

static int take_tensors(struct table *t, const cJSON *rows, double elements) {
  t->size = (size_t)elements;
  size_t end = 0;
  for (const cJSON *row = rows->child; row; row = row->next) {
    double x[5];
    if (!take_row(row, x, 5)) return 0;
    struct tensor *n = &t->tensors[t->count++];
    *n = (struct tensor){ .rank = 2, .shape = { (size_t)x[2], (size_t)x[3] }, .offset = (size_t)x[0], .size = (size_t)x[1],
                          .rule = x[4] > 0 ? RULE_MUON : RULE_ADAM };
    if (n->offset < end || n->offset + n->size > t->size) return 0;
    end = n->offset + n->size;
  }
  return t->count > 0;
}

static int understand(struct layers *l, const cJSON *o) {
  const char *net = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "net"));
  const cJSON *there = cJSON_GetObjectItemCaseSensitive(o, "used");
  const cJSON *way = cJSON_GetObjectItemCaseSensitive(o, "final"), *tensors = cJSON_GetObjectItemCaseSensitive(o, "tensors");
  double number[NUMBERS];
  if (!net || (size_t)snprintf(l->net, sizeof l->net, "%s", net) >= sizeof l->net) return STATUS_BAD;
  for (int i = 0; i < NUMBERS; i++) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name[i]);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < 1e15)) return STATUS_BAD;
    number[i] = item->valuedouble;
  }
  if (number[0] < 1 || number[0] > 1e6 || !(number[1] > 0)) return STATUS_BAD;
  if (!cJSON_IsArray(there) || !cJSON_IsArray(way) || !cJSON_IsArray(tensors)) return STATUS_BAD;
  l->threads = (int)number[0], l->images = number[1], l->parameters = number[2];
  l->gradient = number[4], l->optimizer = number[5], l->ema = number[6];
  l->table.tensors = calloc((size_t)cJSON_GetArraySize(tensors) + 1, sizeof *l->table.tensors);
  if (!l->table.tensors || way_there_init(&l->there, (size_t)cJSON_GetArraySize(there)) ||
      way_back_init(&l->way, (size_t)cJSON_GetArraySize(way)))
    return STATUS_NOMEM;
  const double n = number[3];
  const int good = take_there(&l->there, there, n) && take_way(&l->way, way, n) && take_tensors(&l->table, tensors, n);
  return good ? STATUS_OK : STATUS_BAD;
}

int layers_read(struct layers *l, const char *path) {
  char *text = NULL;
  size_t room = 0;
  *l = (struct layers){ 0 };
  FILE *f = fopen(path, "r");
  if (!f) return because(STATUS_IO, "%s: %s", path, strerror(errno));
  const int read = getline(&text, &room, f) > 0;
  fclose(f);
  cJSON *o = read ? cJSON_Parse(text) : NULL;
  const int status = understand(l, o);
  cJSON_Delete(o);
  free(text);
  if (status == STATUS_NOMEM) return because(STATUS_NOMEM, "no memory for %s", path);
  return status ? because(STATUS_BAD, "%s: expected what `pmf bench step layers=FILE` writes", path) : STATUS_OK;
}
