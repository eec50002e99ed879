#include "io/json.h"

#include <math.h>
#include <stdio.h>

#include "io/utf8.h"
#include "src/base/status.h"

double json_number(const cJSON *o, const char *name) {
  const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);
  return cJSON_IsNumber(n) ? n->valuedouble : NAN;
}

const char *json_text(const cJSON *o, const char *name) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
  return text ? text : "";
}

void json_put(cJSON *o, const char *name, double value) {
  if (isfinite(value)) cJSON_AddNumberToObject(o, name, value);
  else cJSON_AddNullToObject(o, name);
}

char *json_line(cJSON *o) {
  char *text = cJSON_PrintUnformatted(o);
  cJSON_Delete(o);
  if (text) utf8_mend(text);
  return text;
}

int json_print(cJSON *o) {
  char *text = json_line(o);
  if (!text) return because(STATUS_NOMEM, "no memory for a line of JSON");
  puts(text);
  cJSON_free(text);
  return STATUS_OK;
}
