#include <math.h>
#include <stdio.h>

#include "io/json.h"
#include "jobs/over_seeds.h"
#include "jobs/perception.h"
#include "jobs/score_classifier.h"

static void put_rows(const struct classifier_scores *c, cJSON *o) {
  cJSON *list = cJSON_AddArrayToObject(o, "scores");
  for (size_t i = 0; i < c->n_rows; i++) {
    const struct classifier_row *r = &c->rows[i];
    cJSON *item = cJSON_CreateObject();
    const struct sweep_point *point = &r->point;
    cJSON_AddStringToObject(item, "images", point->name);
    json_put(item, "evaluations", r->evaluations ? (double)r->evaluations : NAN);
    if (r->evaluations) {
      cJSON_AddStringToObject(item, "ema", point->ema);
      json_put(item, "omega", point->omega), json_put(item, "t_min", point->t_min), json_put(item, "t_max", point->t_max);
      json_put(item, "seed", (double)point->seed);
    }
    json_put(item, "n", (double)r->score.n);
    json_put(item, "fid_classifier", r->score.frechet);
    json_put(item, "clipped", r->score.clipped);
    cJSON_AddBoolToObject(item, "rank_deficient", score_rank_deficient(&r->score));
    json_put(item, "kid_classifier", r->score.kernel);
    json_put(item, "agreement", r->score.agreement);
    json_put(item, "of_class_means", r->score.frechet / c->class_means);
    if (c->words->diversity) {
      json_put(item, "precision", r->precision), json_put(item, "recall", r->recall);
      json_put(item, "memorised", r->nearest.memorised), json_put(item, "nearest", r->nearest.distance);
    }
    if (c->training) {
      const struct score_splits splits = score_classifier_splits(r);
      score_splits_json(item, "fid_classifier", "kid_classifier", &splits);
    }
    cJSON_AddItemToArray(list, item);
  }
}

static void put_over_seeds(const struct classifier_scores *c, cJSON *o) {
  const size_t seeds = c->words->sweep->seeds;
  if (seeds < 2) return;
  cJSON *list = cJSON_AddArrayToObject(o, "over_seeds");
  for (size_t i = score_classifier_setting(c, 0); i < c->n_rows; i = score_classifier_setting(c, i + seeds)) {
    const struct over_seeds setting = score_classifier_seeds(c, i);
    cJSON_AddItemToArray(list, over_seeds_json(&setting));
  }
}

char *score_classifier_json(const struct classifier_scores *c) {
  cJSON *o = cJSON_CreateObject();
  cJSON_AddStringToObject(o, "checkpoint", c->t.path);
  json_put(o, "step", (double)c->t.step);
  json_put(o, "images_seen", (double)c->t.images_seen);
  const int sweep = sweep_is(c->words->sweep);   /* then each row has its own */
  if (sweep) cJSON_AddNullToObject(o, "ema");
  else cJSON_AddStringToObject(o, "ema", c->t.ema);
  json_put(o, "omega", sweep ? NAN : c->sampler.omega);
  json_put(o, "t_min", sweep ? NAN : c->sampler.t_min);
  json_put(o, "t_max", sweep ? NAN : c->sampler.t_max);
  json_put(o, "seed", c->words->sweep->seeds > 1 ? NAN : (double)sweep_seed(c->words->sweep, &c->t.s));
  json_put(o, "n", (double)c->n);
  cJSON_AddStringToObject(o, "data", c->data_path);
  cJSON_AddStringToObject(o, "reference", "held-out");
  json_put(o, "reference_n", (double)c->data.count[SPLIT_HELDOUT]);
  if (c->training) json_put(o, "train_n", (double)c->training);
  cJSON *by = cJSON_AddObjectToObject(o, "classifier");
  cJSON_AddStringToObject(by, "file", c->judge_path);
  cJSON_AddStringToObject(by, "hash", c->judge.hash);
  json_put(by, "accuracy", c->judge.accuracy);
  json_put(by, "features", CLASSIFIER_FEATURES);
  json_put(by, "kernel", (double)c->judge.net.kernel);
  json_put(by, "seed", (double)c->judge.seed);
  cJSON_AddStringToObject(by, "trained_on", evaluator_trained_on(c->role));
  cJSON_AddBoolToObject(by, "another_in_loss", perception_by_classifier(&c->t.s));
  cJSON_AddBoolToObject(o, "few_samples", c->n < SCORE_FEW);
  cJSON_AddBoolToObject(o, "rank_deficient", score_classifier_deficient(c));
  if (c->words->diversity)
    json_put(o, "nearest_heldout", c->held_out.distance), json_put(o, "memorised_heldout", c->held_out.memorised);
  put_rows(c, o);
  put_over_seeds(c, o);
  return json_line(o);
}
