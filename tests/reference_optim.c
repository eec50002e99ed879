/* The optimizer: steps by Muon and Adam with their EMAs, steps of AdamW, schedules. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/flow/guidance.h"
#include "src/optim/optimizer.h"
#include "src/optim/schedule.h"
#include "tests/reference.h"

/* The tensors of step0/params, with Muon's named in the file's attribute `muon`. */
static void build_table(struct reference *r, struct table *t, int adamw) {
  char muon[4096] = " ", text[4000] = "";
  if (H5Aexists(r->file, "muon") > 0) {
    const hid_t a = H5Aopen(r->file, "muon", H5P_DEFAULT), type = H5Aget_type(a);
    if (H5Tis_variable_str(type) > 0) {
      char *s = NULL;
      if (H5Aread(a, type, &s) >= 0 && s) snprintf(text, sizeof text, "%s", s), H5free_memory(s);
    } else if (H5Tget_size(type) < sizeof text) {
      H5Aread(a, type, text);
    }
    H5Tclose(type);
    H5Aclose(a);
  }
  snprintf(muon, sizeof muon, " %s ", text);
  for (char *c = muon; *c; c++)
    if (*c == ',' || *c == '\n') *c = ' ';
  const size_t n = r->n_items;
  for (size_t i = 0; i < n; i++) {
    const char *name = r->items[i].name;
    if (strncmp(name, "step0/params/", 13) || strchr(name, '@')) continue;
    const struct array *a = reference_read(r, name);
    char quoted[220];
    snprintf(quoted, sizeof quoted, " %s ", name + 13);
    if (a && a->rank >= 1)
      table_add(t, name + 13, a->rank, a->dims, a->rank == 2 && strstr(muon, quoted) ? RULE_MUON : RULE_ADAM, INIT_ZERO, 0, 0);
  }
  table_place_second(t, adamw);
}

/* Reads GROUP/kind/TENSOR for all tensors into a flat array; nonzero if one is missing or of another size. */
static int read_flat(struct reference *r, const struct table *t, const char *group, const char *kind, float *flat) {
  for (size_t i = 0; i < t->count; i++) {
    char name[400];
    snprintf(name, sizeof name, "%s/%s/%s", group, kind, t->tensors[i].name);
    const struct array *a = reference_read(r, name);
    if (!a) return 1;
    if (a->count != t->tensors[i].size) return reference_fail(r, name, "has another size than in step0"), 1;
    memcpy(flat + t->tensors[i].offset, a->single, a->count * sizeof *flat);
  }
  return 0;
}

static void compare_flat(struct reference *r, const struct table *t, const char *group, const char *kind, const float *flat) {
  for (size_t i = 0; i < t->count; i++) {
    char name[400];
    snprintf(name, sizeof name, "%s/%s/%s", group, kind, t->tensors[i].name);
    reference_compare(r, name, flat + t->tensors[i].offset, t->tensors[i].size, 0, limit_value);
  }
}

/* The step taken: weights now minus weights before, mine against theirs. */
static void compare_step(struct reference *r, const struct table *t, const char *group, const float *mine, const float *before,
                         const float *theirs, const float *theirs_before) {
  for (size_t i = 0; i < t->count && reference_wants(r, group); i++) {
    const size_t n = t->tensors[i].size, at = t->tensors[i].offset;
    float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    for (size_t j = 0; j < n; j++) {
      a[j] = mine[at + j] - before[at + j];
      b[j] = theirs[at + j] - theirs_before[at + j];
    }
    char what[400];
    snprintf(what, sizeof what, "%s (the step) %s", group, t->tensors[i].name);
    reference_compare_arrays(r, what, n, 0, a, b, limit_step);
    free(a);
    free(b);
  }
}

enum { MOST_EMAS = 8 };
struct state {
  float *w, *before, *theirs, *theirs_before, *g, *m, *s, *work, *ema[MOST_EMAS];
  double halflife[MOST_EMAS];   /* thousand images */
  int emas;
};

static float *zeros(size_t n) { return calloc(n + 1, sizeof(float)); }

static void state_init(struct state *s, const struct table *t) {
  *s = (struct state){ zeros(t->size), zeros(t->size), zeros(t->size), zeros(t->size), zeros(t->size), zeros(t->size),
                       zeros(t->second_size), zeros(optimizer_work(&(struct optimizer){ 0 }, t)), { NULL }, { 0 }, 0 };
}
static void state_free(struct state *s) {
  float *all[] = { s->w, s->before, s->theirs, s->theirs_before, s->g, s->m, s->s, s->work };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  for (int i = 0; i < s->emas; i++) free(s->ema[i]);
}

/* The EMAs that step1 holds: groups ema<half-life>. */
static void find_emas(struct reference *r, struct state *s, const struct table *t) {
  for (size_t i = 0; i < r->n_items && s->emas < MOST_EMAS; i++) {
    char *end;
    if (strncmp(r->items[i].name, "step1/ema", 9)) continue;
    const double halflife = strtod(r->items[i].name + 9, &end);
    int known = *end != '/';
    for (int j = 0; j < s->emas; j++) known |= s->halflife[j] == halflife;
    if (known) continue;
    s->halflife[s->emas] = halflife;
    s->ema[s->emas] = zeros(t->size);
    memcpy(s->ema[s->emas++], s->w, t->size * sizeof(float));
  }
}

static void run_steps(struct reference *r, const char *prefix, const struct table *t, const struct optimizer *o,
                      const struct schedule *schedule, double batch) {
  struct state s;
  state_init(&s, t);
  if (read_flat(r, t, "step0", "params", s.w)) { state_free(&s); return; }
  memcpy(s.theirs, s.w, t->size * sizeof(float));
  if (!*prefix) find_emas(r, &s, t);
  for (int k = 1;; k++) {
    char group[64], kind[64];
    snprintf(group, sizeof group, "%sstep%d", prefix, k);
    if (H5Lexists(r->file, group, H5P_DEFAULT) <= 0 || read_flat(r, t, group, "grad", s.g)) break;
    memcpy(s.before, s.w, t->size * sizeof(float));
    memcpy(s.theirs_before, s.theirs, t->size * sizeof(float));
    const double rate = schedule_rate(schedule, (uint64_t)k - 1);
    optimizer_step(o, t, (uint64_t)k, rate, s.g, s.m, s.s, s.w, s.work);
    reference_compare_attribute(r, group, "lr", rate, limit_value);
    compare_flat(r, t, group, "params", s.w);
    if (!read_flat(r, t, group, "params", s.theirs)) compare_step(r, t, group, s.w, s.before, s.theirs, s.theirs_before);
    for (int e = 0; e < s.emas; e++) {
      const double decay = schedule_edm_decay(1000 * s.halflife[e], batch, batch * k);
      snprintf(kind, sizeof kind, "ema%g_decay", s.halflife[e]);
      reference_compare_attribute(r, group, kind, decay, limit_value);
      optimizer_ema(t->size, decay, s.w, s.ema[e]);
      snprintf(kind, sizeof kind, "ema%g", s.halflife[e]);
      compare_flat(r, t, group, kind, s.ema[e]);
    }
  }
  state_free(&s);
}

static void compare_values(struct reference *r, const char *name, const double *mine, size_t n) {
  float *single = malloc((n + 1) * sizeof *single);
  for (size_t i = 0; i < n; i++) single[i] = (float)mine[i];
  reference_compare(r, name, single, n, 1, limit_value);   /* a sample each: relative everywhere */
  free(single);
}

static void check_schedules(struct reference *r, double batch) {
  double mine[4096];
  const struct array *a;
  if (reference_has(r, "schedules/edm_steps") && (a = reference_read(r, "schedules/edm_steps")) && a->count <= 4096) {
    const size_t n = a->count;
    double steps[4096];
    memcpy(steps, a->value, n * sizeof *steps);
    for (size_t i = 0; i < r->n_items; i++) {
      char *end;
      if (strncmp(r->items[i].name, "schedules/edm_", 14)) continue;
      const double halflife = strtod(r->items[i].name + 14, &end);
      if (*end || end == r->items[i].name + 14) continue;
      for (size_t j = 0; j < n; j++) mine[j] = schedule_edm_decay(1000 * halflife, batch, batch * steps[j]);
      compare_values(r, r->items[i].name, mine, n);
    }
  }
  if (reference_has(r, "schedules/cosine") && (a = reference_read(r, "schedules/cosine")) && a->count <= 4096) {
    const char *set = "schedules/cosine";
    const struct schedule cosine = { 1, reference_attribute(r, set, "learning_rate", NAN),
                                     reference_attribute(r, set, "lr_min_factor", NAN),
                                     reference_attribute(r, set, "warmup_steps", NAN),
                                     reference_attribute(r, set, "steps", NAN) };
    const size_t n = a->count;
    for (size_t i = 0; i < n; i++) mine[i] = schedule_rate(&cosine, i);
    compare_values(r, set, mine, n);
  }
  if (reference_has(r, "schedules/cfg_U") && (a = reference_read(r, "schedules/cfg_U")) && a->count <= 4096) {
    const size_t n = a->count;
    double U[4096];
    memcpy(U, a->value, n * sizeof *U);
    for (size_t i = 0; i < r->n_items; i++) {
      char *end;
      if (strncmp(r->items[i].name, "schedules/cfg_w_beta", 20)) continue;
      const double beta = strtod(r->items[i].name + 20, &end);
      if (*end) continue;
      for (size_t j = 0; j < n; j++) mine[j] = guidance_scale(beta, 7, U[j]);
      compare_values(r, r->items[i].name, mine, n);
    }
  }
}

void reference_optim(struct reference *r) {
  const double batch = reference_attribute(r, "/", "batch", 1024);
  if (H5Lexists(r->file, "step0", H5P_DEFAULT) > 0) {
    struct table t = { 0 };
    build_table(r, &t, 0);
    const struct optimizer muon = { .b2 = reference_attribute(r, "/", "adam_b2", 0.95) };
    const struct schedule warmup = { 0, reference_attribute(r, "/", "learning_rate", 1e-3), 0,
                                     reference_attribute(r, "/", "warmup_steps", 0), 0 };
    run_steps(r, "", &t, &muon, &warmup, batch);
    if (H5Lexists(r->file, "adamw", H5P_DEFAULT) > 0) {
      table_place_second(&t, 1);
      const struct optimizer adamw = { .adamw = 1, .b2 = reference_attribute(r, "adamw", "adam_b2", 0.95),
                                       .weight_decay = reference_attribute(r, "adamw", "weight_decay", 0) };
      const struct schedule constant = { 0, reference_attribute(r, "adamw", "learning_rate", 1e-3), 0, 0, 0 };
      if (reference_attribute(r, "adamw", "adam_b1", 0.9) != 0.9) reference_fail(r, "adamw@adam_b1", "is not 0.9");
      run_steps(r, "adamw/", &t, &adamw, &constant, batch);
    }
    table_free(&t);
  }
  if (H5Lexists(r->file, "schedules", H5P_DEFAULT) > 0) check_schedules(r, batch);
}
