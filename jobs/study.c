/* study.c - pmf study: arms one after another, each a few times with other seeds; what has a result is left alone, so that the same
 * command goes on; when all have one, numbers, picture and verdict. */
#include "jobs/study.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/binding.h"
#include "io/classifier_file.h"
#include "io/folder.h"
#include "io/json.h"
#include "io/progress.h"
#include "io/words.h"
#include "jobs/child.h"
#include "jobs/jobs.h"
#include "mpi/world.h"
#include "src/base/status.h"

static char out[TEXT_MAX] = "runs/study", budget[TEXT_MAX] = "small", data[TEXT_MAX], config[TEXT_MAX], part[TEXT_MAX], arms[TEXT_MAX],
            idx[TEXT_MAX] = "/usr/share/datasets/fashion-mnist";
static long seeds = 3, steps, n, ranks;
static struct word words[] = {
  { .name = "out", .type = WORD_TEXT, .value = out,
    .help = "folder of all studies, which share trainings: OUT/NAME.csv, .png, .svg, .txt, and work in OUT/NAME, OUT/runs; runs/study" },
  { .name = "seeds", .type = WORD_INTEGER, .value = &seeds, .min = 1, .max = STUDY_SEEDS, .help = "of each arm: 1, 2, ...; one decides nothing; 3" },
  { .name = "budget", .type = WORD_TEXT, .value = budget, .help = "small: for two cores; large: for a night of a cluster; small" },
  { .name = "training.steps", .type = WORD_INTEGER, .value = &steps, .min = 1, .max = 1e9, .help = "of a training; the budget's" },
  { .name = "n", .type = WORD_INTEGER, .value = &n, .min = 2, .max = 1e7, .help = "images or points of a score; the budget's" },
  { .name = "ranks", .type = WORD_INTEGER, .value = &ranks, .min = 1, .max = 1 << 20, .help = "of a training; one a core" },
  { .name = "part", .type = WORD_TEXT, .value = part,
    .help = "K/N: every N-th training from the K-th on (cost: seed), where N such commands share a study; after a --prepare" },
  { .name = "arms", .type = WORD_TEXT, .value = arms, .help = "a list: these arms or groups alone; all" },
  { .name = "idx", .type = WORD_TEXT, .value = idx, .help = "folder of Fashion-MNIST's four IDX files" },
  { .name = "data", .type = WORD_TEXT, .value = data, .help = "a packed file instead of Fashion-MNIST" },
  { .name = "config", .type = WORD_TEXT, .value = config, .help = "FILE.yml instead of the study's preset" },
  { .name = "--prepare", .type = WORD_TEXT, .help = "pack, train the classifiers, and take what arms are compared with; no arm" },
};
enum { OUT, SEEDS, BUDGET, STEPS, N, RANKS, PART, ARMS, IDX, DATA, CONFIG, PREPARE, WORDS };

void study_help(void) {
  puts("usage: pmf study NAME [seeds=3] [budget=small|large] [out=DIR] [key=value ...]\n\n"
       "Repeats a finding of the paper: arms that differ in one setting see the same data, draws and budget; a\n"
       "claim holds where two arms differ, seed by seed, by more than the seeds make (Student's paired one-sided\n"
       "test at 5 %; an arm that is the best of several is chosen by the same numbers). Prints the verdict:\n"
       "reproduced, not reproduced or undecided. Stopped (exit code 75) and started again it goes on.\n"
       "Arms start ranks of their own: run it without mpirun.\n\nstudies:");
  for (const struct study *s = study_list; s->name; s++) {
    printf("  %-11s ", s->name);
    words_wrap(s->finding, 14);
  }
  puts("\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n  pmf study toy\n  pmf study steps ranks=2\n  pmf study times arms=triangle,equal seeds=2 training.steps=500");
}

int study_stopped(void) { return child_told(); }

void study_group(const char *name, char *group, size_t room) {
  const char *blank = strrchr(name, ' ');
  snprintf(group, room, "%.*s", blank ? (int)(blank - name) : (int)strlen(name), name);
}

/* --- what is asked for ------------------------------------------------------------------------------------------------- */

static int find_study(const char *name, const struct study **found) {
  const char *names[64];
  size_t count = 0;
  for (const struct study *s = study_list; s->name && count < 64; s++) {
    names[count++] = s->name;
    if (!strcmp(s->name, name)) {
      *found = s;
      return STATUS_OK;
    }
  }
  const char *nearest = words_nearest(name, names, count);
  if (nearest) return because(STATUS_BAD, "unknown study %s; did you mean %s?", name, nearest);
  return because(STATUS_BAD, "unknown study %s; pmf study --help lists them", name);
}

/* Is it in the list "a,b c,d", itself or its group? */
static int listed(const char *list, const char *name) {
  char group[64];
  study_group(name, group, sizeof group);
  for (const char *at = list;; at++) {
    const size_t length = strcspn(at, ",");
    if ((length == strlen(name) && !strncmp(at, name, length)) || (length == strlen(group) && !strncmp(at, group, length))) return 1;
    at += length;
    if (!*at) return 0;
  }
}

static int choose_arms(struct study_job *j) {
  for (const struct study_arm *a = j->study->arms; a->name; a++)
    if ((j->large || !a->large) && (!words[ARMS].given || listed(arms, a->name))) j->arms[j->n_arms++] = a;
  return j->n_arms ? STATUS_OK : because(STATUS_BAD, "arms=%s: the study %s has none of them", arms, j->study->name);
}

static int read_part(struct study_job *j) {
  char rest;
  j->part = j->parts = 1;
  if (!words[PART].given) return STATUS_OK;
  const int whole = sscanf(part, "%ld/%ld%c", &j->part, &j->parts, &rest) == 2;
  if (whole && j->part >= 1 && j->part <= j->parts) return STATUS_OK;
  return because(STATUS_BAD, "part=%s: expected K/N with 1 <= K <= N", part);
}

/* Zero where it cannot be read, which access has refused before. */
static unsigned long long hash_of_file(const char *path) {
  char *text = NULL;
  size_t room = 0;
  FILE *f = *path ? fopen(path, "r") : NULL;
  const ssize_t n = f ? getdelim(&text, &room, 0, f) : 0;
  const unsigned long long hash = n > 0 ? XXH3_64bits(text, (size_t)n) : 0;
  free(text);
  if (f) fclose(f);
  return hash;
}

/* Of a packed file's images and labels. */
static int hash_of_images(const char *path, unsigned long long *hash) {
  char of[2][CLASSIFIER_HASH] = { "", "" };
  *hash = 0;
  for (int split = 0; split < 2 && *path; split++) {
    const int status = classifier_file_split(path, split, of[split]);
    if (status) return status;
    *hash = XXH64(of[split], strlen(of[split]), *hash);
  }
  return STATUS_OK;
}

static int read_words(struct study_job *j, int argc, char **argv) {
  char *bare[1];
  struct binding here;
  int status = words_parse(argc, argv, words, WORDS, bare, 1);
  if (status) return status;
  if (!bare[0]) return because(STATUS_BAD, "expected the name of a study; pmf study --help lists them");
  status = find_study(bare[0], &j->study);
  if (status) return status;
  if (world_launched()) return because(STATUS_BAD, "study starts its ranks itself: run it without mpirun, with ranks=");
  j->large = !strcmp(budget, "large");
  if (!j->large && strcmp(budget, "small")) return because(STATUS_BAD, "budget=%s: expected small or large", budget);
  if (strlen(out) > TEXT_MAX - 96) return because(STATUS_BAD, "out=%.64s...: the name is too long", out);
  snprintf(j->out, sizeof j->out, "%s", out);
  snprintf(j->folder, sizeof j->folder, "%s/%s", out, j->study->name);
  snprintf(j->data, sizeof j->data, "%s", data);
  snprintf(j->config, sizeof j->config, "%s", config);
  snprintf(j->idx, sizeof j->idx, "%s", idx);
  if (*config && access(config, R_OK)) return because(STATUS_BAD, "config=%s: %s", config, strerror(errno));
  if (*data && access(data, R_OK)) return because(STATUS_BAD, "data=%s: %s", data, strerror(errno));
  j->config_hash = hash_of_file(config);
  j->seeds = seeds;
  j->steps = words[STEPS].given ? steps : j->study->budget[j->large].steps;
  j->n = words[N].given ? n : j->study->budget[j->large].n;
  binding_read(&here, 1, "");
  j->ranks = words[RANKS].given ? ranks : binding_cores(&here) > 1 ? binding_cores(&here) : 1;
  status = choose_arms(j);
  if (!status) status = read_part(j);
  return status ? status : hash_of_images(data, &j->data_hash);
}

/* --- results of arms --------------------------------------------------------------------------------------------------- */

/* All that a result depends on but the seed; a result of something else is none. */
static void describe(const struct study_job *j, const struct study_arm *a, char text[STUDY_TEXT]) {
  const struct study *s = j->study;
  snprintf(text, STUDY_TEXT, "%s %s %s steps=%ld | score n=%ld %s%s%s | data %s | config %llx",
           *j->config ? j->config : s->preset ? s->preset : "", s->common ? s->common : "", a->train ? a->train : "", j->steps, j->n,
           a->score ? a->score : "", s->score ? " " : "", s->score ? s->score : "",
           a->data ? a->data : *j->data ? j->data : j->idx, j->config_hash);
  const size_t length = strlen(text);
  if (!a->data && *j->data) snprintf(text + length, STUDY_TEXT - length, " | images %llx", j->data_hash);
}

static void result_name(const struct study_arm *a, long seed, char name[128]) {
  snprintf(name, 128, "%s.%ld.json", a->name, seed);
  for (char *c = name; *c; c++)
    if (*c == ' ' || *c == '/') *c = '_';
}

static struct study_result read_result(const struct study_job *j, const struct study_arm *a, long seed) {
  struct study_result r = { .there = 0 };
  char name[128], path[TEXT_MAX + 256], now[STUDY_TEXT], *text = NULL;
  size_t room = 0;
  result_name(a, seed, name);
  snprintf(path, sizeof path, "%s/%s", j->folder, name);
  FILE *f = fopen(path, "r");
  if (f && getdelim(&text, &room, 0, f) > 0) {
    cJSON *o = cJSON_Parse(text);
    const char *words_then = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "words"));
    const char *judge = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "judge"));
    const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(o, "seconds"), *list = cJSON_GetObjectItemCaseSensitive(o, "values");
    describe(j, a, now);
    r.there = words_then && !strcmp(words_then, now) && judge && cJSON_GetArraySize(list) == STUDY_MEASURES;
    if (r.there) snprintf(r.judge, sizeof r.judge, "%s", judge);
    r.seconds = cJSON_IsNumber(seconds) ? seconds->valuedouble : 0;
    for (int m = 0; m < STUDY_MEASURES && r.there; m++) {
      const cJSON *v = cJSON_GetArrayItem(list, m);
      r.value[m] = cJSON_IsNumber(v) ? v->valuedouble : INFINITY;
    }
    cJSON_Delete(o);
  }
  free(text);
  if (f) fclose(f);
  return r;
}

static int write_result(const struct study_job *j, const struct study_arm *a, long seed, const struct study_result *r) {
  char name[128], now[STUDY_TEXT];
  describe(j, a, now);
  result_name(a, seed, name);
  cJSON *o = cJSON_CreateObject();
  cJSON_AddStringToObject(o, "study", j->study->name);
  cJSON_AddStringToObject(o, "arm", a->name);
  cJSON_AddNumberToObject(o, "seed", (double)seed);
  cJSON_AddStringToObject(o, "words", now);
  cJSON_AddStringToObject(o, "judge", r->judge);
  cJSON_AddNumberToObject(o, "seconds", r->seconds);
  cJSON *list = cJSON_AddArrayToObject(o, "values");
  for (int m = 0; m < STUDY_MEASURES; m++)
    cJSON_AddItemToArray(list, isfinite(r->value[m]) ? cJSON_CreateNumber(r->value[m]) : cJSON_CreateNull());
  char *text = json_line(o);
  if (!text) return because(STATUS_NOMEM, "no memory for a result");
  const int status = folder_write(j->folder, name, text);
  cJSON_free(text);
  return status;
}

/* --- the work ---------------------------------------------------------------------------------------------------------- */

static int equal(const char *a, const char *b) { return !strcmp(a ? a : "", b ? b : ""); }

/* One training for both arms? Where there are no words of one there is none to share. */
static int shared(const struct study_arm *a, const struct study_arm *b) {
  return a == b || (a->train && b->train && equal(a->train, b->train) && equal(a->data, b->data));
}

/* Which training of the study an arm belongs to: it is one part's. */
static long training_of(const struct study_job *j, size_t arm) {
  long count = 0;
  for (size_t i = 0; i < j->n_arms; i++) {
    size_t k = 0;
    while (!shared(j->arms[k], j->arms[i])) k++;
    if (shared(j->arms[i], j->arms[arm])) break;
    count += k == i;
  }
  return count;
}

static int run_arm(struct study_job *j, size_t i, long seed) {
  const struct study_arm *a = j->arms[i];
  struct study_result *r = &j->results[i][seed - 1];
  const double began = progress_clock();
  int status = j->study->run(j, a, seed, r);
  if (status) return status;
  r->seconds = progress_clock() - began;
  r->there = 1;
  status = write_result(j, a, seed, r);
  if (!status)
    fprintf(stderr, "%s, seed %ld: %s %.4g, after %.0f s\n", a->name, seed, j->study->measures[0], r->value[0], r->seconds);
  return status;
}

/* All arms with one seed, then with the next, so that what is stopped has as many of each. */
static int run_arms(struct study_job *j) {
  int status = STATUS_OK;
  for (long seed = 1; seed <= j->seeds && !status; seed++)
    for (size_t i = 0; i < j->n_arms && !status; i++) {
      struct study_result *r = &j->results[i][seed - 1];
      *r = read_result(j, j->arms[i], seed);
      const long piece = j->study->timed ? seed - 1 : training_of(j, i) * j->seeds + seed - 1;
      if (r->there || piece % j->parts != j->part - 1) continue;
      status = study_stopped() ? because(STATUS_SAVED, "stopped; the same command goes on") : run_arm(j, i, seed);
    }
  return status;
}

/* Other parts may have gone on meanwhile. */
static size_t missing(struct study_job *j) {
  size_t count = 0;
  for (size_t i = 0; i < j->n_arms; i++)
    for (long s = 0; s < j->seeds; s++) {
      if (!j->results[i][s].there) j->results[i][s] = read_result(j, j->arms[i], s + 1);
      count += !j->results[i][s].there;
    }
  return count;
}

/* What the arms of each kind of data are compared with is there afterwards, and with it data and classifier. */
static int prepare(const struct study_job *j) {
  struct study_context c;
  int status = STATUS_OK;
  for (size_t i = 0; i < j->n_arms && !status; i++) {
    size_t k = 0;
    while (!equal(j->arms[k]->data, j->arms[i]->data)) k++;
    if (k == i) status = j->study->context(j, j->arms[i], &c);
  }
  return status || !j->study->prepare ? status : j->study->prepare(j);
}

static int study(struct study_job *j, int argc, char **argv) {
  int status = read_words(j, argc, argv);
  if (status) return status;
  if (!(j->results = calloc(j->n_arms, sizeof *j->results))) return because(STATUS_NOMEM, "no memory for the results");
  child_listen();
  status = folder_make(j->folder);
  if (!status) status = prepare(j);
  if (status || words[PREPARE].given) return status;
  status = run_arms(j);
  if (status) return status;
  const size_t left = missing(j);
  if (!left) return study_tell(j);
  printf("part %s is done; %zu results of other parts are still missing\n", part, left);
  return STATUS_OK;
}

int study_alone(int argc, char **argv) {
  static struct study_job j;
  const int status = study(&j, argc, argv);
  free(j.results);
  return status;
}
