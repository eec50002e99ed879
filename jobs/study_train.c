/* An arm of images: the program itself packs, trains and scores, each as a process of its own on ranks of its own. Trainings lie in
 * OUT/runs under a number made of their words, so that arms and studies of equal ones share them. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/folder.h"
#include "jobs/child.h"
#include "jobs/study.h"
#include "src/base/status.h"

enum { PATH = TEXT_MAX + 128, LINE = 1 << 16, EXIT_DIVERGED = 70, EXIT_SAVED = 75 };

/* Where a measure stands in a row of scores; from: small is to be good. Another one is pmf plan's. */
static const struct figure { const char *measure, *field; double from; } figures[] = {
  { "FID[classifier]", "fid_classifier", 0 }, { "KID[classifier]", "kid_classifier", 0 }, { "label disagreement", "agreement", 1 },
  { "1 - recall", "recall", 1 }, { "1 - precision", "precision", 1 }, { "memorised", "memorised", 0 },
};
static const char gigaflops[] = "Gflop an image";

static unsigned long long number_of(const char *text) { return (unsigned long long)XXH64(text, strlen(text), 0); }

/* The last line of a log that is the program's, not its launcher's. */
static void last_words(const char *path, char words[256]) {
  char line[256];
  FILE *f = fopen(path, "r");
  *words = 0;
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, "pmf", 3)) memcpy(words, line, sizeof line);
  words[strcspn(words, "\n")] = 0;
  if (f) fclose(f);
}

int study_child(const struct study_job *j, long ranks, const struct child_words *w, char *json, size_t room, int *diverged) {
  char log[PATH];
  int code;
  snprintf(log, sizeof log, "%s/log.txt", j->folder);
  const int status = child_run(ranks, w, log, json, room, &code);
  if (status) return status;
  if (diverged) *diverged = code == EXIT_DIVERGED;
  if (!code || (diverged && *diverged)) return STATUS_OK;
  if (code == EXIT_SAVED || study_stopped()) return because(STATUS_SAVED, "stopped; the same command goes on");
  char words[256];
  last_words(log, words);
  return because(STATUS_BAD, "%s ended with exit code %d; its last words in %s: %s", w->list[0], code, log, words);
}

static int is_drawn(const char *data) { return data && !strncmp(data, "shapes", strlen("shapes")); }

/* path[PATH]: the packed file of an arm's data (study.h), made if it is not there. */
static int pack(const struct study_job *j, const char *data, char *path) {
  char from[STUDY_TEXT];
  struct child_words w = { .count = 0 };
  if (!data && *j->data) {
    snprintf(path, PATH, "%s", j->data);
    return STATUS_OK;
  }
  if (is_drawn(data)) snprintf(from, sizeof from, "%s", data);
  else snprintf(from, sizeof from, "idx=%s%s%s", j->idx, data ? " " : "", data ? data : "");
  snprintf(path, PATH, "%s/data.%016llx.h5", j->out, number_of(from));
  if (!access(path, R_OK)) return STATUS_OK;
  fprintf(stderr, "packing %s into %s\n", from, path);
  child_word(&w, "pack");
  if (!is_drawn(data)) child_word(&w, "idx=%s", j->idx);
  child_split(&w, data);
  child_word(&w, "out=%s", path);
  return study_child(j, 1, &w, NULL, 0, NULL);
}

/* Whose held-out images and classifier judge an arm: where it learns from a part of the images, those of all. */
static const char *judged_by(const struct study_arm *a) { return is_drawn(a->data) ? a->data : NULL; }

int study_judged_alike(const struct study_arm *a, const struct study_arm *b) {
  const char *of_a = judged_by(a), *of_b = judged_by(b);
  return of_a && of_b ? !strcmp(of_a, of_b) : of_a == of_b;
}

/* Has the training in this folder come to its end? */
static int is_done(const char *folder) {
  char path[PATH + 16], word[16] = "";
  snprintf(path, sizeof path, "%s/status", folder);
  FILE *f = fopen(path, "r");
  if (f && fscanf(f, "%15s", word) != 1) *word = 0;
  if (f) fclose(f);
  return !strcmp(word, "done");
}

void study_words(const struct study_job *j, const char *job, struct child_words *w) {
  child_word(w, "%s", job);
  if (*j->config) child_word(w, "config=%s", j->config);
  else child_word(w, "preset=%s", j->study->preset);
}

/* Words that every training of the study begins with. */
static void begin_training(const struct study_job *j, const char *packed, struct child_words *w) {
  study_words(j, "train", w);
  child_word(w, "data=%s", packed);
  child_split(w, j->study->common);
}

/* Trains in OUT/runs/NUMBER, whose name goes to folder[PATH], unless that has been done. */
static int train(const struct study_job *j, struct child_words *w, const char *what, char *folder, int *diverged) {
  char all[CHILD_TEXT] = "";
  *diverged = 0;
  for (size_t i = 0; i < w->count && i < CHILD_WORDS; i++) strcat(strcat(all, w->list[i]), " ");   /* all has the room of w->text */
  snprintf(folder, PATH, "%s/runs/%016llx", j->out, number_of(all) ^ j->config_hash);
  if (is_done(folder)) return STATUS_OK;
  fprintf(stderr, "training %s in %s\n", what, folder);
  child_word(w, "run=%s", folder);
  return study_child(j, j->ranks, w, NULL, 0, diverged);
}

static double number_in(const cJSON *o, const char *name) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
  return cJSON_IsNumber(v) ? v->valuedouble : INFINITY;
}

/* The hash of the classifier that made these scores. */
static void read_judge(const char *json, char judge[STUDY_JUDGE]) {
  cJSON *o = cJSON_Parse(json);
  const cJSON *by = cJSON_GetObjectItemCaseSensitive(o, "classifier");
  const char *hash = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(by, "hash"));
  snprintf(judge, STUDY_JUDGE, "%s", hash ? hash : "");
  cJSON_Delete(o);
}

/* Of the row of that name, or (NULL) of the net's first; measures that are no scores stay. False: there is no such row. */
static int read_row(const struct study_job *j, const char *json, const char *name, double *value) {
  cJSON *o = cJSON_Parse(json);
  const cJSON *row, *found = NULL;
  cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(o, "scores")) {
    const char *images = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "images"));
    const int wanted = name ? images && !strcmp(images, name) : cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(row, "evaluations"));
    if (wanted && !found) found = row;
  }
  for (int m = 0; found && m < STUDY_MEASURES && j->study->measures[m]; m++)
    for (size_t k = 0; k < sizeof figures / sizeof *figures; k++) {
      if (strcmp(j->study->measures[m], figures[k].measure)) continue;
      const double x = number_in(found, figures[k].field);
      value[m] = figures[k].from > 0 && isfinite(x) ? figures[k].from - x : x;
    }
  cJSON_Delete(o);
  return found != NULL;
}

/* Does the study measure that? -1: no. */
static int place_of(const struct study_job *j, const char *measure) {
  for (int m = 0; m < STUDY_MEASURES && j->study->measures[m]; m++)
    if (!strcmp(j->study->measures[m], measure)) return m;
  return -1;
}

/* What an arm's gradient of one image takes, counted. */
static int plan(const struct study_job *j, const struct study_arm *a, char *json, double *gflop) {
  struct child_words w = { .count = 0 };
  study_words(j, "plan", &w);
  child_split(&w, j->study->common);
  child_split(&w, a->train);
  child_word(&w, "--json");
  const int status = study_child(j, 1, &w, json, LINE, NULL);
  if (status) return status;
  cJSON *o = cJSON_Parse(json);
  *gflop = number_in(o, "gradient_flops_per_image") / 1e9;
  cJSON_Delete(o);
  return STATUS_OK;
}

static int diversity(const struct study_job *j) { return place_of(j, "1 - recall") >= 0 || place_of(j, "memorised") >= 0; }

int study_train_run(const struct study_job *j, const struct study_arm *a, long seed, struct study_result *r) {
  char packed[PATH], judging[PATH], folder[PATH], what[128], *json = malloc(LINE);
  struct child_words w = { .count = 0 }, s = { .count = 0 };
  int diverged = 0, status = json ? STATUS_OK : because(STATUS_NOMEM, "no memory for a line of JSON");
  if (!status) status = pack(j, a->data, packed);
  if (!status) status = pack(j, judged_by(a), judging);
  if (!status) {
    begin_training(j, packed, &w);
    child_split(&w, a->train);
    child_word(&w, "training.steps=%ld", j->steps);
    child_word(&w, "training.seed=%ld", seed);
    snprintf(what, sizeof what, "%.64s, seed %ld,", a->name, seed);
    status = train(j, &w, what, folder, &diverged);
  }
  for (int m = 0; m < STUDY_MEASURES; m++) r->value[m] = INFINITY;
  if (!status && place_of(j, gigaflops) >= 0) status = plan(j, a, json, &r->value[place_of(j, gigaflops)]);
  if (!status && !diverged) {
    child_word(&s, "score");
    child_word(&s, "run=%s", folder);
    child_word(&s, "data=%s", judging);
    child_word(&s, "n=%ld", j->n);
    child_split(&s, a->score ? a->score : "steps=1");
    child_split(&s, j->study->score);
    child_split(&s, "context=no --json");
    if (diversity(j)) child_word(&s, "diversity=yes");
    status = study_child(j, j->ranks, &s, json, LINE, NULL);
    if (!status && !read_row(j, json, NULL, r->value)) status = because(STATUS_BAD, "pmf score of %s printed no score", folder);
    if (!status) read_judge(json, r->judge);
  }
  free(json);
  return status;
}

/* A net of one step serves: its context is the data's. Its score makes the classifier. */
int study_train_context(const struct study_job *j, const struct study_arm *a, struct study_context *c) {
  char packed[PATH], folder[PATH], *json = malloc(LINE), name[128];
  struct child_words w = { .count = 0 }, s = { .count = 0 };
  int diverged, status = json ? STATUS_OK : because(STATUS_NOMEM, "no memory for a line of JSON");
  if (!status) status = pack(j, judged_by(a), packed);
  if (!status) {
    begin_training(j, packed, &w);
    if (is_drawn(a->data)) child_split(&w, a->train);
    child_word(&w, "training.steps=1");
    status = train(j, &w, "one step, for what scores are compared with,", folder, &diverged);
  }
  if (status) {
    free(json);
    return status;
  }
  for (int m = 0; m < STUDY_MEASURES; m++) c->floor[m] = c->ceiling[m] = NAN;
  snprintf(name, sizeof name, "context%ld%s%s%s.json", j->n, diversity(j) ? ".diversity" : "", j->study->score ? "." : "",
           j->study->score ? j->study->score : "");
  char path[PATH + 144];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "r");
  const size_t length = f ? fread(json, 1, LINE - 1, f) : 0;
  if (f) fclose(f);
  json[length] = 0;
  if (!length) {
    child_word(&s, "score");
    child_word(&s, "run=%s", folder);
    child_word(&s, "n=%ld", j->n);
    child_split(&s, "steps=1 --json");
    child_split(&s, j->study->score);
    if (diversity(j)) child_word(&s, "diversity=yes");
    status = study_child(j, j->ranks, &s, json, LINE, NULL);
    if (!status) status = folder_write(folder, name, json);
  }
  if (!status && (!read_row(j, json, "training images", c->floor) || !read_row(j, json, "class means", c->ceiling)))
    status = because(STATUS_BAD, "pmf score of %s printed no context", folder);
  if (!status) read_judge(json, c->judge);
  free(json);
  return status;
}
