/* json.h - members of a JSON object that others have written, and lines of JSON of our own. Ranks: local. */
#ifndef IO_JSON_H
#define IO_JSON_H
#include <cjson/cJSON.h>

/* NAN where the object has no such member, or one that is no number. */
double json_number(const cJSON *o, const char *name);
/* Likewise ""; the object's own. */
const char *json_text(const cJSON *o, const char *name);
/* A number of an object, or null where it is none (NAN, infinite). */
void json_put(cJSON *o, const char *name, double value);
/* The object as one line of UTF-8, for cJSON_free; NULL without memory. The object is freed. */
char *json_line(cJSON *o);
/* Likewise, printed on standard output. Errors: STATUS_NOMEM. */
int json_print(cJSON *o);
#endif
