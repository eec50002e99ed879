/* An arm of images: the program itself packs, trains and scores, each as a process of its own on ranks of its own. Trainings lie in
 * OUT/runs under a number made of their words, so that arms and studies of equal ones share them. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/disk.h"
#include "io/folder.h"
#include "jobs/child.h"
#include "jobs/evaluator.h"
#include "jobs/study.h"
#include "src/base/status.h"

enum { PATH = TEXT_MAX + 128, LINE = 1 << 16, EXIT_HUNG = 76, EXIT_KILLED = 128, SIGNALS = 64, POLL = 3 };   /* POLL: seconds */

/* Where a measure stands in a row of scores; from: small is to be good. Another one is pmf plan's. */
static const struct figure { const char *measure, *field; double from; } figures[] = {
  { "FID[classifier]", "fid_classifier", 0 }, { "KID[classifier]", "kid_classifier", 0 }, { "label disagreement", "agreement", 1 },
  { "1 - recall", "recall", 1 }, { "1 - precision", "precision", 1 }, { "memorised", "memorised", 0 },
};
static const char gigaflops[] = "Gflop an image";

static unsigned long long number_of(const char *text) { return (unsigned long long)XXH64(text, strlen(text), 0); }

/* The last line of a log, from this place on, that is the program's, not its launcher's. */
static void last_words(const char *path, long from, char words[256]) {
  char line[256];
  FILE *f = fopen(path, "r");
  *words = 0;
  if (f && fseek(f, from, SEEK_SET)) rewind(f);
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, "pmf", 3)) memcpy(words, line, sizeof line);
  words[strcspn(words, "\n")] = 0;
  if (f) fclose(f);
}

static long length_of(const char *path) {
  FILE *f = fopen(path, "r");
  const long length = f && !fseek(f, 0, SEEK_END) ? ftell(f) : 0;
  if (f) fclose(f);
  return length;
}

/* What hung, or was killed (for memory, or with its node), may do better next time. */
static int is_worth_another(int code) { return code == EXIT_HUNG || (code > EXIT_KILLED && code <= EXIT_KILLED + SIGNALS); }

static int status_of(int code) {
  for (int s = STATUS_OK; s <= STATUS_NOMEM; s++)
    if (code == status_exit_code(s)) return s;
  return is_worth_another(code) ? STATUS_SAVED : STATUS_BAD;
}

/* Parts write at once, each a log of its own. */
static void log_name(const struct study_job *j, char path[PATH]) {
  if (j->parts > 1) snprintf(path, PATH, "%s/log.%ld.txt", j->folder, j->part);
  else snprintf(path, PATH, "%s/log.txt", j->folder);
}

int study_child(const struct study_job *j, long ranks, const struct child_words *w, char *json, size_t room, int *diverged) {
  char log[PATH], words[256];
  int code;
  log_name(j, log);
  const long from = length_of(log);
  int status = child_run(ranks, w, log, json, room, &code);
  if (status) return status;
  status = status_of(code);
  if (diverged) *diverged = status == STATUS_DIVERGED;
  if (!status || (diverged && *diverged)) return STATUS_OK;
  if (code == status_exit_code(STATUS_SAVED) || study_stopped()) return because(STATUS_SAVED, "stopped; the same command goes on");
  last_words(log, from, words);
  return because(status, "%s ended with exit code %d%s; its last words in %s: %s", w->list[0], code,
                 is_worth_another(code) ? " (hung or killed: the same command goes on)" : "", log, words);
}

static int is_drawn(const char *data) { return data && !strncmp(data, "shapes", strlen("shapes")); }

/* path[PATH]: the packed file of an arm's data (study.h), made if it is not there; under a name of this process's own until it is
 * whole, as other parts may make it, too. */
static int pack(const struct study_job *j, const char *data, char *path) {
  char from[STUDY_TEXT], made[PATH];
  struct child_words w = { .count = 0 };
  if (!data && *j->data) {
    snprintf(path, PATH, "%s", j->data);
    return STATUS_OK;
  }
  if (is_drawn(data)) snprintf(from, sizeof from, "%s", data);
  else snprintf(from, sizeof from, "idx=%s%s%s", j->idx, data ? " " : "", data ? data : "");
  snprintf(path, PATH, "%s/data.%016llx.h5", j->out, number_of(from));
  if (!access(path, R_OK)) return STATUS_OK;
  if (disk_temporary(path, made, sizeof made)) return because(STATUS_BAD, "%s: the name is too long", path);
  fprintf(stderr, "packing %s into %s\n", from, path);
  child_word(&w, "pack");
  if (!is_drawn(data)) child_word(&w, "idx=%s", j->idx);
  child_split(&w, data);
  child_word(&w, "out=%s", made);
  const int status = study_child(j, 1, &w, NULL, 0, NULL);
  return status || !rename(made, path) ? status : because(STATUS_IO, "%s: %s", path, strerror(errno));
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

/* Until no other study, or part, is at work in this folder. */
static int wait_for(const char *folder) {
  char who[FOLDER_WHO];
  for (int told = 0; folder_held(folder, who); told = 1) {
    if (study_stopped()) return because(STATUS_SAVED, "stopped while it waited for %s; the same command goes on", folder);
    if (!told) fprintf(stderr, "waiting for the training in %s, at which another is at work: %s\n", folder, who);
    nanosleep(&(struct timespec){ .tv_sec = POLL }, NULL);
  }
  return STATUS_OK;
}

/* Trains on these images in OUT/runs/NUMBER, whose name goes to folder[PATH], unless that has been done. */
static int train(const struct study_job *j, const char *packed, struct child_words *w, const char *what, char *folder,
                 int *diverged) {
  char all[CHILD_TEXT] = "";
  *diverged = 0;
  for (size_t i = 0; i < w->count && i < CHILD_WORDS; i++) strcat(strcat(all, w->list[i]), " ");   /* all has the room of w->text */
  const unsigned long long images = strcmp(packed, j->data) ? 0 : j->data_hash;
  snprintf(folder, PATH, "%s/runs/%016llx", j->out, number_of(all) ^ j->config_hash ^ images);
  child_word(w, "run=%s", folder);
  for (;;) {
    char who[FOLDER_WHO];
    int status = wait_for(folder);
    if (status || is_done(folder)) return status;
    fprintf(stderr, "training %s in %s\n", what, folder);
    status = study_child(j, j->ranks, w, NULL, 0, diverged);
    if (status == STATUS_BAD && folder_held(folder, who)) continue;   /* another one was quicker */
    if (status || *diverged || is_done(folder)) return status;
    return because(STATUS_SAVED, "the training in %s has not come to its end; the same command goes on", folder);
  }
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

/* Where the last checkpoint is damaged a score takes the one before. */
static int check_step(const char *json, const char *folder, long steps) {
  cJSON *o = cJSON_Parse(json);
  const double step = number_in(o, "step");
  cJSON_Delete(o);
  if (step == (double)steps) return STATUS_OK;
  return because(STATUS_BAD, "%s was scored at step %g, not %ld: is its last checkpoint damaged? Remove %s/status, and the same"
                 " command trains on", folder, step, steps, folder);
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
    status = train(j, packed, &w, what, folder, &diverged);
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
    if (!status) status = check_step(json, folder, j->steps);
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
    status = train(j, packed, &w, "one step, for what scores are compared with,", folder, &diverged);
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
    if (!status) status = check_step(json, folder, 1);
    if (!status) status = folder_write(folder, name, json);
  }
  if (!status && (!read_row(j, json, "training images", c->floor) || !read_row(j, json, "class means", c->ceiling)))
    status = because(STATUS_BAD, "pmf score of %s printed no context", folder);
  if (!status) read_judge(json, c->judge);
  free(json);
  return status;
}

/* By its words: does a term of the loss look through networks? */
static int looks_through(const struct study_arm *a) {
  return strstr(a->train, "model.lpips=true") || strstr(a->train, "model.convnext=true");
}

/* A training of one step makes the classifier that it looks through. */
static int make_loss(const struct study_job *j, const struct study_arm *a, const char *packed) {
  char classifier[PATH + 16], folder[PATH];
  struct child_words w = { .count = 0 };
  int diverged;
  evaluator_path(packed, EVALUATOR_LOSS, classifier, sizeof classifier);
  if (!access(classifier, R_OK)) return STATUS_OK;
  begin_training(j, packed, &w);
  child_split(&w, a->train);
  child_word(&w, "training.steps=1");
  return train(j, packed, &w, "one step, for the classifier in the loss,", folder, &diverged);
}

int study_train_prepare(const struct study_job *j) {
  char packed[PATH];
  int status = STATUS_OK;
  for (size_t i = 0; i < j->n_arms && !status; i++) {
    status = pack(j, j->arms[i]->data, packed);
    if (!status && looks_through(j->arms[i])) status = make_loss(j, j->arms[i], packed);
  }
  return status;
}
