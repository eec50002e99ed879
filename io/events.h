/* events.h - RUN/tensorboard/events.out.tfevents.SECONDS.HOST.PID: what metrics.jsonl has, texts and pictures, as TensorBoard
 * reads them. A file of its own for each start, and records that are flushed as they are written (TFRecord):
 *   length u64, crc of it u32, an Event of io/event.proto, crc of that u32;   little-endian, crc: events_mask(crc32c)
 * A start that goes on from step s says that steps after s, which stand in the files before it, do not count; so does a rollback.
 * Memory: of the events, taken by events_open; events_close, harmless on a zeroed one and after any error.
 * Errors: STATUS_IO with the reason; a file that could not be written is closed, and of it nothing more is written. Ranks: local;
 * rank 0 writes. */
#ifndef IO_EVENTS_H
#define IO_EVENTS_H
#include <stdint.h>
#include <stdio.h>

#include "io/metrics.h"

struct events {
  FILE *f;                /* NULL: nothing is written, and that is no error */
  char path[4200];
  size_t room, picture_room;
  uint8_t *record, *picture;   /* [room] and [picture_room] */
};
/* picture: bytes of the largest PNG file that will come. Errors: STATUS_NOMEM too. */
int events_open(struct events *e, const char *run, uint64_t step, size_t picture);
/* Steps after `step` that were written so far do not count. */
int events_go_on(struct events *e, uint64_t step);
/* A line of metrics: each number that is finite as EVENT/NAME, the note (may be NULL) as text EVENT/note. */
int events_metrics(struct events *e, const char *event, uint64_t step, const struct metric *metrics, size_t count,
                   const char *note);
/* A text as it is, line by line. Errors: STATUS_NOMEM too. */
int events_verbatim(struct events *e, const char *tag, uint64_t step, const char *text);
/* The PNG file at path, as it is. */
int events_picture(struct events *e, const char *tag, uint64_t step, const char *path);
void events_close(struct events *e);
/* What stands in a record for a crc, so that the crc of a record that holds records is not constant. */
uint32_t events_mask(uint32_t crc);
#endif
