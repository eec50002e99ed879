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

const char *const study_scores[STUDY_MEASURES] = { "FID[classifier]", "KID[classifier]", "label disagreement", NULL };

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

/* One run of the program. *diverged: not an error here. */
static int run(const struct study_job *j, long ranks, const struct child_words *w, char *json, int *diverged) {
  char log[PATH];
  int code;
  snprintf(log, sizeof log, "%s/log.txt", j->folder);
  const int status = child_run(ranks, w, log, json, LINE, &code);
  if (status) return status;
  if (diverged) *diverged = code == EXIT_DIVERGED;
  if (!code || (diverged && *diverged)) return STATUS_OK;
  if (code == EXIT_SAVED || study_stopped()) return because(STATUS_SAVED, "stopped; the same command goes on");
  char words[256];
  last_words(log, words);
  return because(STATUS_BAD, "%s ended with exit code %d; its last words in %s: %s", w->list[0], code, log, words);
}

/* path[PATH]: the packed file of an arm, made if it is not there. */
static int pack(const struct study_job *j, const struct study_arm *a, char *path) {
  char from[STUDY_TEXT];
  struct child_words w = { .count = 0 };
  if (!a->data && *j->data) {
    snprintf(path, PATH, "%s", j->data);
    return STATUS_OK;
  }
  if (a->data) snprintf(from, sizeof from, "%s", a->data);
  else snprintf(from, sizeof from, "idx=%s", j->idx);
  snprintf(path, PATH, "%s/data.%016llx.h5", j->out, number_of(from));
  if (!access(path, R_OK)) return STATUS_OK;
  fprintf(stderr, "packing %s into %s\n", from, path);
  child_word(&w, "pack");
  if (a->data) child_split(&w, from);
  else child_word(&w, "%s", from);
  child_word(&w, "out=%s", path);
  return run(j, 1, &w, NULL, NULL);
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

/* Words that every training of the study begins with. */
static void begin_training(const struct study_job *j, const char *packed, struct child_words *w) {
  child_word(w, "train");
  if (*j->config) child_word(w, "config=%s", j->config);
  else child_word(w, "preset=%s", j->study->preset);
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
  return run(j, j->ranks, w, NULL, diverged);
}

static double figure(const cJSON *row, const char *name) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, name);
  return cJSON_IsNumber(v) ? v->valuedouble : INFINITY;
}

/* Of the row of that name, or (NULL) of the net's first. False: there is none. */
static int read_row(const char *json, const char *name, double *value) {
  cJSON *o = cJSON_Parse(json);
  const cJSON *row, *found = NULL;
  cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(o, "scores")) {
    const char *images = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "images"));
    const int wanted = name ? images && !strcmp(images, name) : cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(row, "evaluations"));
    if (wanted && !found) found = row;
  }
  if (found) {
    value[0] = figure(found, "fid_classifier"), value[1] = figure(found, "kid_classifier");
    value[2] = 1 - figure(found, "agreement"), value[3] = INFINITY;
  }
  cJSON_Delete(o);
  return found != NULL;
}

int study_train_run(const struct study_job *j, const struct study_arm *a, long seed, double *value) {
  char packed[PATH], folder[PATH], what[128], *json = malloc(LINE);
  struct child_words w = { .count = 0 }, s = { .count = 0 };
  int diverged = 0, status = json ? STATUS_OK : because(STATUS_NOMEM, "no memory for a line of JSON");
  if (!status) status = pack(j, a, packed);
  if (!status) {
    begin_training(j, packed, &w);
    child_split(&w, a->train);
    child_word(&w, "training.steps=%ld", j->steps);
    child_word(&w, "training.seed=%ld", seed);
    snprintf(what, sizeof what, "%.64s, seed %ld,", a->name, seed);
    status = train(j, &w, what, folder, &diverged);
  }
  for (int m = 0; m < STUDY_MEASURES; m++) value[m] = INFINITY;
  if (!status && !diverged) {
    child_word(&s, "score");
    child_word(&s, "run=%s", folder);
    child_word(&s, "n=%ld", j->n);
    child_split(&s, a->score ? a->score : "steps=1");
    child_split(&s, "context=no --json");
    status = run(j, j->ranks, &s, json, NULL);
    if (!status && !read_row(json, NULL, value)) status = because(STATUS_BAD, "pmf score of %s printed no score", folder);
  }
  free(json);
  return status;
}

/* A net of one step serves: its context is the data's. Its score makes the classifier. */
int study_train_context(const struct study_job *j, const struct study_arm *a, double floor[], double ceiling[]) {
  char packed[PATH], folder[PATH], *json = malloc(LINE), name[64];
  struct child_words w = { .count = 0 }, s = { .count = 0 };
  int diverged, status = json ? STATUS_OK : because(STATUS_NOMEM, "no memory for a line of JSON");
  if (!status) status = pack(j, a, packed);
  if (!status) {
    begin_training(j, packed, &w);
    if (a->data) child_split(&w, a->train);
    child_word(&w, "training.steps=1");
    status = train(j, &w, "one step, for what scores are compared with,", folder, &diverged);
  }
  if (status) {
    free(json);
    return status;
  }
  snprintf(name, sizeof name, "context%ld.json", j->n);
  char path[PATH + 80];
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
    status = run(j, j->ranks, &s, json, NULL);
    if (!status) status = folder_write(folder, name, json);
  }
  if (!status && (!read_row(json, "training images", floor) || !read_row(json, "class means", ceiling)))
    status = because(STATUS_BAD, "pmf score of %s printed no context", folder);
  free(json);
  return status;
}
