/* safetensors.h - weights as one .safetensors file: 8 bytes of header length (little endian), a JSON header padded with
 * blanks to a multiple of 8, then the tensors' float32 one behind the other, in the table's order. Read through weights.h.
 * Source: the format's description at huggingface.co/docs/safetensors. Ranks: local. */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H
#include <stdbool.h>
#include <stddef.h>

#include "src/base/table.h"

/* Writes the tensors for which wanted() holds (NULL: all), each under prefix + name, as path.tmp, then fsync and rename.
 * data: a flat array laid out by the table. note: kept as __metadata__.description; may be NULL.
 * Errors: STATUS_IO, and then the file at path is as it was; STATUS_NOMEM. */
int safetensors_write(const char *path, const struct table *table, const float *data, const char *prefix,
                      bool (*wanted)(const struct tensor *), const char *note);
#endif
