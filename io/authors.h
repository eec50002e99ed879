/* authors.h - settings files of the authors' public training code (the .yml in its configs) load as they are. Here is what they
 * say in other words, and what they say that means nothing here: their loggers', loaders' and devices' keys.
 * Source: their configs and the code that reads them. The lists are explicit, so that a misspelt key is in none of them.
 * Errors: none but where said. Ranks: local. */
#ifndef IO_AUTHORS_H
#define IO_AUTHORS_H
#include <stdbool.h>
#include <stddef.h>

/* Our name of a key of theirs; the key itself where it has no other. */
const char *authors_key(const char *key);
/* Our word for a value of theirs; the value itself where it has no other. key: by our name. */
const char *authors_value(const char *key, const char *value);
/* Whether it is a key or a section of theirs that means nothing here. */
bool authors_only(const char *key);
/* Some of those would mean something with another value than the usual one: then there is another way to say it here.
 * Errors: STATUS_BAD, naming that. where: file:line. */
int authors_check(const char *key, const char *value, const char *where);
/* The names that authors_key and authors_only know, one after another; NULL after the last. */
const char *authors_name(size_t i);
#endif
