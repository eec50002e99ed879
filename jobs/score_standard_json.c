#include <math.h>

#include "io/json.h"
#include "jobs/over_seeds.h"
#include "jobs/score_standard.h"

static void put_over_seeds(const struct standard_scores *j, cJSON *o) {
  const size_t seeds = j->words->sweep->seeds;
  if (seeds < 2) return;
  cJSON *list = cJSON_AddArrayToObject(o, "over_seeds");
  for (size_t i = 0; i < j->n_rows; i += seeds) {
    const struct over_seeds setting = score_standard_seeds(j, i);
    cJSON_AddItemToArray(list, over_seeds_json(&setting));
  }
}

int score_standard_json(const struct standard_scores *j) {
  cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "scores");
  char fid[64];
  score_standard_name(j, fid);
  cJSON_AddStringToObject(o, "of", j->from_net ? j->t.path : j->words->images);
  if (j->from_net && !sweep_is(j->words->sweep)) cJSON_AddStringToObject(o, "ema", j->t.ema);
  json_put(o, "seed", j->from_net && j->words->sweep->seeds < 2 ? (double)j->generate.seed : NAN);
  cJSON_AddStringToObject(o, "reference", *j->statistics ? j->statistics : j->data_path);
  cJSON_AddStringToObject(o, "split", *j->statistics && !j->known ? "statistics" : j->split == SPLIT_TRAIN ? "train" : "held-out");
  cJSON_AddStringToObject(o, "network", j->standard.facts.hash);
  cJSON_AddStringToObject(o, "network_sha256", j->standard.facts.sha256[0]);
  cJSON_AddStringToObject(o, "fid_name", fid);
  for (size_t i = 0; i < j->n_rows; i++) {
    const struct standard_score *r = &j->rows[i].score;
    cJSON *item = cJSON_CreateObject();
    const struct sweep_point *point = &j->rows[i].point;
    cJSON_AddStringToObject(item, "images", point->name);
    if (j->from_net) {
      cJSON_AddStringToObject(item, "ema", point->ema);
      json_put(item, "omega", point->omega), json_put(item, "t_min", point->t_min), json_put(item, "t_max", point->t_max);
      json_put(item, "seed", (double)point->seed);
    }
    json_put(item, "n", (double)r->n), json_put(item, "reference_n", r->reference ? (double)r->reference : NAN);
    json_put(item, "fid", r->fid), json_put(item, "clipped", r->clipped), json_put(item, "fid_infinite", r->fid_infinite);
    json_put(item, "inception_score", r->is), json_put(item, "inception_score_deviation", r->is_deviation);
    json_put(item, "kid", r->kid), json_put(item, "kid_deviation", r->kid_deviation);
    json_put(item, "kid_subsets", (double)r->kid_subsets);
    json_put(item, "precision", r->precision), json_put(item, "recall", r->recall);
    cJSON_AddBoolToObject(item, "rank_deficient", score_standard_deficient(r));
    if (j->training) {
      const struct score_splits splits = score_standard_splits(&j->rows[i]);
      json_put(item, "train_n", (double)j->training);
      score_splits_json(item, "fid", "kid", &splits);
    }
    cJSON_AddItemToArray(list, item);
  }
  put_over_seeds(j, o);
  return json_print(o);
}
