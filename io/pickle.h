/* pickle.h - a Python pickle as a tree of values, as far as a file of PyTorch weights needs one. Nothing is run: a call stays
 * what is called and its arguments, and only names that the caller knows may be called or used at all.
 * Source: the operations of CPython's pickletools, protocols 2 to 5; those of lists, tuples, dicts, numbers and texts.
 * Memory: values belong to struct pickle, texts to the caller's data, which must outlive them. It takes at most 64 MiB and,
 * while it reads, 24 bytes for each of the data, whatever they say.
 * Errors: STATUS_BAD, naming file and byte; STATUS_NOMEM. Ranks: local. */
#ifndef IO_PICKLE_H
#define IO_PICKLE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pickle_kind {
  PICKLE_NONE, PICKLE_BOOL, PICKLE_INTEGER, PICKLE_LONG, PICKLE_REAL, PICKLE_TEXT, PICKLE_TUPLE, PICKLE_LIST, PICKLE_DICT,
  PICKLE_GLOBAL, PICKLE_CALL, PICKLE_PERSISTENT, PICKLE_MARK
};
struct pickle_value {
  enum pickle_kind kind;
  int64_t integer;                /* BOOL, INTEGER */
  const char *text;               /* TEXT: UTF-8, LONG: little endian, without a zero behind; GLOBAL: "module.name", with one */
  size_t length;
  struct pickle_value **items;    /* TUPLE, LIST; DICT: key, value, key, value; CALL: GLOBAL, TUPLE; PERSISTENT: the id */
  size_t count, room;
  struct pickle_value *before;    /* PERSISTENT: the one made before it */
};
struct pickle {
  struct pickle_piece *pieces;
  size_t bytes;                   /* of all pieces */
  struct pickle_value *last;      /* PERSISTENT, made last */
};
/* Reads the pickle at the beginning of data[size]; *used: its length. knows: may this GLOBAL stand in it? An OrderedDict
 * becomes a DICT; the state that an object is given (BUILD) is left out. path: how errors name the file. p starts as zero;
 * several pickles may share it. */
int pickle_read(struct pickle *p, const char *path, const unsigned char *data, size_t size, bool (*knows)(const char *global),
                const struct pickle_value **value, size_t *used);
/* Harmless on a zeroed one, and after any error. */
void pickle_free(struct pickle *p);
/* Is it this text? */
bool pickle_is(const struct pickle_value *v, const char *text);
#endif
