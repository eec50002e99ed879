/* json.h - members of a JSON object that others have written. Ranks: local. */
#ifndef IO_JSON_H
#define IO_JSON_H
#include <cjson/cJSON.h>

/* NAN where the object has no such member, or one that is no number. */
double json_number(const cJSON *o, const char *name);
/* Likewise ""; the object's own. */
const char *json_text(const cJSON *o, const char *name);
#endif
