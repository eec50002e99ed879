/* An arm that is not trained: seconds and counted work of a gradient, on generated images. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

#include "jobs/study.h"
#include "src/base/status.h"

enum { LINE = 1 << 16 };

int study_cost_run(const struct study_job *j, const struct study_arm *a, long seed, struct study_result *r) {
  double *value = r->value;
  struct child_words w = { .count = 0 };
  char json[LINE];
  study_words(j, "bench", &w);
  child_word(&w, "step");
  child_split(&w, j->study->common);
  child_split(&w, a->train);
  child_word(&w, "training.batch_size=%ld", j->n);
  child_word(&w, "training.seed=%ld", seed);
  child_word(&w, "steps=%ld", j->steps);
  child_word(&w, "--json");
  const int status = study_child(j, 1, &w, json, sizeof json, NULL);
  if (status) return status;
  cJSON *o = cJSON_Parse(json);
  const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(o, "gradient_seconds"), *rate = cJSON_GetObjectItemCaseSensitive(o, "gradient_gflops"),
              *share = cJSON_GetObjectItemCaseSensitive(o, "gradient_share");
  const int found = cJSON_IsNumber(seconds) && cJSON_IsNumber(rate) && cJSON_IsNumber(share);
  for (int m = 0; m < STUDY_MEASURES; m++) value[m] = INFINITY;
  if (found) {
    value[0] = seconds->valuedouble / (double)j->n;
    value[1] = rate->valuedouble * value[0];
    value[2] = 1 - share->valuedouble;
  }
  cJSON_Delete(o);
  return found ? STATUS_OK : because(STATUS_BAD, "pmf bench step printed no seconds of a gradient");
}

/* There is nothing to compare with. */
int study_cost_context(const struct study_job *j, const struct study_arm *a, struct study_context *c) {
  (void)j, (void)a;
  for (int m = 0; m < STUDY_MEASURES; m++) c->floor[m] = c->ceiling[m] = NAN;
  return STATUS_OK;
}
