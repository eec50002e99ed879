/* The optimizer: steps by Muon and Adam with their EMAs, steps of AdamW. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/optim/optimizer.h"
#include "src/optim/schedule.h"
#include "tests/reference.h"

/* The tensors of step0/params. The table knows them by numbers and up to four dimensions; names and shapes are the file's. */
struct tensors {
  struct table table;
  char **names;
  struct shape *shapes;
  size_t count;
};

static void *need(void *memory) {
  if (!memory) abort();
  return memory;
}
static float *zeros(size_t n) { return need(calloc(n + 1, sizeof(float))); }

/* Adds a text's words to a list of words with blanks around. */
static void add_words(void *list, const char *text) {
  for (; *text; text++) fputc(strchr(",;\n\t", *text) ? ' ' : *text, list);
  fputc(' ', list);
}

/* The file's attribute `muon` as " NAME NAME ... ", which the caller frees. */
static void read_muon(struct reference *r, char **words) {
  size_t size;
  FILE *list = need(open_memstream(words, &size));
  fputc(' ', list);
  reference_texts(r, "/", "muon", add_words, list);
  fclose(list);
  need(*words);
}

static int has_word(const char *words, const char *name) {
  const size_t n = strlen(name);
  for (const char *at = strstr(words, name); at; at = strstr(at + 1, name))
    if (at > words && at[-1] == ' ' && at[n] == ' ') return 1;
  return 0;
}

static void add_tensor(struct reference *r, struct tensors *t, const char *name, const struct shape *shape, int muon) {
  const size_t count = shape_count(shape), i = t->count++;
  t->names = need(realloc(t->names, t->count * sizeof *t->names));
  t->shapes = need(realloc(t->shapes, t->count * sizeof *t->shapes));
  t->names[i] = need(strdup(name));
  t->shapes[i] = *shape;
  if (muon && shape->rank != 2) reference_fail(r, name, "is listed as Muon's, but is no matrix");
  const int flat = shape->rank < 1 || shape->rank > 4;
  table_add(&t->table, reference_path(r, "%zu", i), flat ? 1 : shape->rank, flat ? &count : shape->dims,
            muon && shape->rank == 2 ? RULE_MUON : RULE_ADAM, INIT_ZERO, 0, 0);
}

static void read_tensors(struct reference *r, struct tensors *t) {
  char *muon = NULL;
  read_muon(r, &muon);
  for (size_t i = 0; i < r->n_items; i++) {
    const char *name = r->items[i].name, *own = name + strlen("step0/params/");
    if (r->items[i].attribute || strncmp(name, "step0/params/", strlen("step0/params/"))) continue;
    const struct array *a = reference_read(r, name);
    if (a && !a->count) reference_fail(r, name, "is empty");
    else if (a) add_tensor(r, t, own, &a->shape, has_word(muon, own));
  }
  free(muon);
}

static void tensors_free(struct tensors *t) {
  for (size_t i = 0; i < t->count; i++) free(t->names[i]);
  free(t->names);
  free(t->shapes);
  table_free(&t->table);
}

/* Reads GROUP/kind/TENSOR for all tensors into a flat array; nonzero if one is missing or of another shape. */
static int read_flat(struct reference *r, const struct tensors *t, const char *group, const char *kind, float *flat) {
  int bad = 0;
  for (size_t i = 0; i < t->count; i++) {
    const char *name = reference_path(r, "%s/%s/%s", group, kind, t->names[i]);
    const struct array *a = reference_read_as(r, name, t->shapes[i]);
    if (a) memcpy(flat + t->table.tensors[i].offset, a->single, a->count * sizeof *flat);
    bad |= !a;
  }
  return bad;
}

static void compare_flat(struct reference *r, const struct tensors *t, const char *group, const char *kind, const float *flat) {
  for (size_t i = 0; i < t->count; i++) {
    const char *name = reference_path(r, "%s/%s/%s", group, kind, t->names[i]);
    reference_compare(r, name, flat + t->table.tensors[i].offset, t->shapes[i], 0, limit_value);
  }
}

static double largest(size_t n, const float *x) {
  double max = 0;
  for (size_t i = 0; i < n; i++) max = fmax(max, fabs((double)x[i]));
  return max;
}

/* What the rounding of stored weights alone can do to a step: each is off by 2^-24 of itself at most, and three of them meet:
 * theirs before and after, and mine after (mine before is what my step began with). */
static double step_limit(size_t n, const float *step, const float *weights, const float *before) {
  const double rounding = 3 * 0x1p-24 * fmax(largest(n, weights), largest(n, before)), size = largest(n, step);
  return size > 0 ? fmax(limit_step, rounding / size) : limit_step;
}

/* The step taken: weights now minus weights before, mine against theirs. */
static void compare_step(struct reference *r, const struct tensors *t, const char *group, const float *mine, const float *before,
                         const float *theirs, const float *theirs_before) {
  for (size_t i = 0; i < t->count && reference_wants(r, group); i++) {
    const size_t n = t->table.tensors[i].size, at = t->table.tensors[i].offset;
    float *a = zeros(n), *b = zeros(n);
    for (size_t j = 0; j < n; j++) {
      a[j] = mine[at + j] - before[at + j];
      b[j] = theirs[at + j] - theirs_before[at + j];
    }
    reference_compare_arrays(r, reference_path(r, "%s (the step) %s", group, t->names[i]), n, 0, a, b,
                             step_limit(n, b, theirs + at, theirs_before + at));
    free(a);
    free(b);
  }
}

/* A group ema<half-life in thousand images>: how the file writes it, and the average. */
struct ema { char text[64]; double halflife; float *w; };
struct state {
  float *w, *before, *theirs, *theirs_before, *g, *m, *s, *work;
  struct ema *emas;
  size_t n_emas;
};

static void state_init(struct state *s, const struct table *t) {
  *s = (struct state){ zeros(t->size), zeros(t->size), zeros(t->size), zeros(t->size), zeros(t->size), zeros(t->size),
                       zeros(t->second_size), zeros(optimizer_work(&(struct optimizer){ 0 }, t)), NULL, 0 };
}
static void state_free(struct state *s) {
  float *all[] = { s->w, s->before, s->theirs, s->theirs_before, s->g, s->m, s->s, s->work };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  for (size_t i = 0; i < s->n_emas; i++) free(s->emas[i].w);
  free(s->emas);
}

/* The EMAs that the first step holds; each starts as a copy of the weights. */
static void find_emas(struct reference *r, const char *prefix, struct state *s, const struct table *t) {
  const char *begin = reference_path(r, "%sstep1/ema", prefix);
  for (size_t i = 0; i < r->n_items; i++) {
    struct ema e = { .halflife = 0 };
    char *end;
    if (strncmp(r->items[i].name, begin, strlen(begin))) continue;
    snprintf(e.text, sizeof e.text, "%.*s", (int)strcspn(r->items[i].name + strlen(begin), "/"), r->items[i].name + strlen(begin));
    e.halflife = strtod(e.text, &end);
    int known = r->items[i].attribute || end == e.text || *end;
    for (size_t j = 0; j < s->n_emas; j++) known |= !strcmp(s->emas[j].text, e.text);
    if (known) continue;
    e.w = zeros(t->size);
    memcpy(e.w, s->w, t->size * sizeof(float));
    s->emas = need(realloc(s->emas, (s->n_emas + 1) * sizeof *s->emas));
    s->emas[s->n_emas++] = e;
  }
}

static void step_emas(struct reference *r, const char *group, const struct tensors *t, struct state *s, double batch, int k) {
  for (size_t i = 0; i < s->n_emas; i++) {
    struct ema *e = &s->emas[i];
    const double decay = schedule_edm_decay(1000 * e->halflife, batch, batch * k);
    reference_compare_number(r, group, reference_path(r, "ema%s_decay", e->text), decay, limit_value);
    optimizer_ema(t->table.size, decay, s->w, e->w);
    compare_flat(r, t, group, reference_path(r, "ema%s", e->text), e->w);
  }
}

/* The rate of step k: by the schedule; or what the step says of itself, where the file names no learning rate. */
static double rate_of(struct reference *r, const char *group, const struct schedule *schedule, int k) {
  if (isnan(schedule->rate)) return reference_number(r, group, "lr");
  const double rate = schedule_rate(schedule, (uint64_t)k - 1);
  reference_compare_number(r, group, "lr", rate, limit_value);
  return rate;
}

static void run_steps(struct reference *r, const char *prefix, const struct tensors *t, const struct optimizer *o,
                      const struct schedule *schedule) {
  const double batch = reference_number_or(r, "/", "batch", 1024);
  const size_t size = t->table.size;
  struct state s;
  state_init(&s, &t->table);
  int bad = read_flat(r, t, "step0", "params", s.w);
  memcpy(s.theirs, s.w, size * sizeof(float));
  if (!bad) find_emas(r, prefix, &s, &t->table);
  for (int k = 1; !bad; k++) {
    char group[400];
    snprintf(group, sizeof group, "%sstep%d", prefix, k);
    if (H5Lexists(r->file, group, H5P_DEFAULT) <= 0 || read_flat(r, t, group, "grad", s.g)) break;
    memcpy(s.before, s.w, size * sizeof(float));
    memcpy(s.theirs_before, s.theirs, size * sizeof(float));
    optimizer_step(o, &t->table, (uint64_t)k, rate_of(r, group, schedule, k), s.g, s.m, s.s, s.w, s.work);
    compare_flat(r, t, group, "params", s.w);
    bad = read_flat(r, t, group, "params", s.theirs);
    if (!bad) compare_step(r, t, group, s.w, s.before, s.theirs, s.theirs_before);
    step_emas(r, group, t, &s, batch, k);
  }
  state_free(&s);
}

/* The learning rate that an object names; else NAN where its first step names one, and SPEC's where nobody does. */
static double learning_rate(struct reference *r, const char *object, const char *prefix) {
  const int each = reference_has(r, reference_path(r, "%sstep1@lr", prefix));
  return reference_number_or(r, object, "learning_rate", each ? NAN : 1e-3);
}

static void check_muon(struct reference *r, struct tensors *t) {
  const struct optimizer muon = { .b2 = reference_number_or(r, "/", "adam_b2", 0.95) };
  const struct schedule warmup = { 0, learning_rate(r, "/", ""), 0, reference_number_or(r, "/", "warmup_steps", 0), 0 };
  table_place_second(&t->table, 0);
  run_steps(r, "", t, &muon, &warmup);
}

static void check_adamw(struct reference *r, const char *group, struct tensors *t) {
  char prefix[400];
  snprintf(prefix, sizeof prefix, "%s/", group);
  const struct optimizer adamw = { .adamw = 1, .b2 = reference_number_or(r, group, "adam_b2", 0.95),
                                   .weight_decay = reference_number_or(r, group, "weight_decay", 0) };
  const struct schedule constant = { 0, learning_rate(r, group, prefix), 0, 0, 0 };
  if (reference_number_or(r, group, "adam_b1", 0.9) != 0.9) reference_fail(r, reference_path(r, "%s@adam_b1", group), "is not 0.9");
  table_place_second(&t->table, 1);
  run_steps(r, prefix, t, &adamw, &constant);
}

void reference_optim(struct reference *r) {
  int steps = 0, adamw = 0;
  for (size_t i = 0; i < r->n_groups; i++) {
    steps |= reference_kind(r, r->groups[i], "step");
    adamw |= reference_kind(r, r->groups[i], "adamw");
  }
  if (!steps && !adamw) return;
  struct tensors t = { 0 };
  read_tensors(r, &t);
  if (!t.count) reference_fail(r, "step0/params", "holds no tensors to begin with");
  else if (steps) check_muon(r, &t);
  for (size_t i = 0; i < r->n_groups && t.count; i++)
    if (reference_kind(r, r->groups[i], "adamw")) check_adamw(r, r->groups[i], &t);
  tensors_free(&t);
}
