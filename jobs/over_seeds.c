#include "jobs/over_seeds.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "io/json.h"

struct over_seeds over_seeds(const struct sweep_point *first, size_t seeds) {
  struct over_seeds o = { .seeds = seeds };
  snprintf(o.images, sizeof o.images, "%.*s", first->stem, first->name);
  return o;
}

void over_seeds_add(struct over_seeds *o, const char *name, const double *x) {
  const double n = (double)o->seeds;
  double mean = 0, square = 0;
  assert(o->count < OVER_SEEDS_NUMBERS);
  for (size_t i = 0; i < o->seeds; i++) mean += x[i] / n;
  for (size_t i = 0; i < o->seeds; i++) square += (x[i] - mean) * (x[i] - mean);
  o->number[o->count].name = name;
  o->number[o->count].mean = mean;
  o->number[o->count++].deviation = n > 1 ? sqrt(square / (n - 1)) : NAN;
}

cJSON *over_seeds_json(const struct over_seeds *o) {
  cJSON *item = cJSON_CreateObject();
  cJSON_AddStringToObject(item, "images", o->images);
  json_put(item, "seeds", (double)o->seeds);
  for (size_t k = 0; k < o->count; k++) {
    char deviation[64];
    snprintf(deviation, sizeof deviation, "%s_deviation", o->number[k].name);
    json_put(item, o->number[k].name, o->number[k].mean);
    json_put(item, deviation, o->number[k].deviation);
  }
  return item;
}
