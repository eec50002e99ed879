#include "io/json.h"

#include <math.h>

double json_number(const cJSON *o, const char *name) {
  const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);
  return cJSON_IsNumber(n) ? n->valuedouble : NAN;
}

const char *json_text(const cJSON *o, const char *name) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
  return text ? text : "";
}
