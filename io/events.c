#include "io/events.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/crc32c.h"
#include "io/event.pb-c.h"
#include "io/folder.h"
#include "src/base/status.h"

/* Bytes before and after an event; of an event without a picture, the longest note of skipped images among them. */
enum { HEAD = 12, TAIL = 4, EVENT_MAX = 1 << 16, METRICS_MAX = 32, TAG_MAX = 64 };
static const char *const start_of_name = "events.out.tfevents.";

uint32_t events_mask(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8; }

static void put(uint64_t value, int bytes, uint8_t *to) {
  for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

static int give_up(struct events *e, int cause) {
  fclose(e->f);
  e->f = NULL;
  return because(STATUS_IO, "%s: %s; no more is written for TensorBoard", e->path, strerror(cause));
}

static int write_event(struct events *e, uint64_t step, Event *event) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  event->wall_time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  event->step = (int64_t)step;
  const size_t n = event__get_packed_size(event);
  if (HEAD + n + TAIL > e->room) return because(STATUS_IO, "%s: an event of %zu bytes is too long", e->path, n);
  put(n, 8, e->record);
  put(events_mask(crc32c(8, e->record)), 4, e->record + 8);
  event__pack(event, e->record + HEAD);
  put(events_mask(crc32c(n, e->record + HEAD)), 4, e->record + HEAD + n);
  if (fwrite(e->record, 1, HEAD + n + TAIL, e->f) < HEAD + n + TAIL || fflush(e->f)) return give_up(e, errno);
  return STATUS_OK;
}

static int write_values(struct events *e, uint64_t step, size_t n, Summary__Value **values) {
  Summary summary = SUMMARY__INIT;
  Event event = EVENT__INIT;
  summary.n_value = n;
  summary.value = values;
  event.what_case = EVENT__WHAT_SUMMARY;
  event.summary = &summary;
  return write_event(e, step, &event);
}

int events_go_on(struct events *e, uint64_t step) {
  SessionLog log = SESSION_LOG__INIT;
  Event event = EVENT__INIT;
  if (!e->f) return STATUS_OK;
  log.status = SESSION_LOG__STATUS__START;
  event.what_case = EVENT__WHAT_SESSION_LOG;
  event.session_log = &log;
  return write_event(e, step + 1, &event);
}

static int write_text(struct events *e, uint64_t step, const char *tag, const char *text) {
  ProtobufCBinaryData string = { strlen(text), (uint8_t *)text };
  SummaryMetadata__PluginData plugin = SUMMARY_METADATA__PLUGIN_DATA__INIT;
  SummaryMetadata metadata = SUMMARY_METADATA__INIT;
  Tensor tensor = TENSOR__INIT;
  Summary__Value value = SUMMARY__VALUE__INIT, *values[] = { &value };
  plugin.plugin_name = "text";
  metadata.plugin_data = &plugin;
  metadata.data_class = SUMMARY_METADATA__DATA_CLASS__TENSOR;
  tensor.dtype = TENSOR__TYPE__STRING;
  tensor.n_string_val = 1;
  tensor.string_val = &string;
  value.tag = (char *)tag;
  value.metadata = &metadata;
  value.value_case = SUMMARY__VALUE__VALUE_TENSOR;
  value.tensor = &tensor;
  return write_values(e, step, 1, values);
}

/* TensorBoard takes text for Markdown. */
int events_verbatim(struct events *e, const char *tag, uint64_t step, const char *text) {
  static const char *const fence = "```\n";
  if (!e->f) return STATUS_OK;
  const size_t room = strlen(text) + 2 * strlen(fence) + 1;
  char *fenced = malloc(room);
  if (!fenced) return because(STATUS_NOMEM, "no memory for a text of %zu bytes", room);
  snprintf(fenced, room, "%s%s%s", fence, text, fence);
  const int status = write_text(e, step, tag, fenced);
  free(fenced);
  return status;
}

/* "save failed", "bytes" -> "save_failed/bytes" */
static void make_tag(const char *event, const char *name, char tag[static TAG_MAX]) {
  snprintf(tag, TAG_MAX, "%s/%s", event, name);
  for (char *c = tag; *c; c++)
    if (*c == ' ') *c = '_';
}

int events_metrics(struct events *e, const char *event, uint64_t step, const struct metric *metrics, size_t count,
                   const char *note) {
  char tags[METRICS_MAX][TAG_MAX];
  Summary__Value value[METRICS_MAX], *values[METRICS_MAX];
  size_t n = 0;
  assert(count <= METRICS_MAX);
  if (!e->f) return STATUS_OK;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(metrics[i].value)) continue;
    make_tag(event, metrics[i].name, tags[n]);
    value[n] = (Summary__Value)SUMMARY__VALUE__INIT;
    value[n].tag = tags[n];
    value[n].value_case = SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
    value[n].simple_value = (float)metrics[i].value;
    values[n] = &value[n];
    n++;
  }
  const int status = n ? write_values(e, step, n, values) : STATUS_OK;
  if (status || !note) return status;
  make_tag(event, "note", tags[0]);
  return write_text(e, step, tags[0], note);
}

/* Four bytes of a PNG's head. */
static int32_t number(const uint8_t *at) {
  return (int32_t)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
}

int events_picture(struct events *e, const char *tag, uint64_t step, const char *path) {
  enum { WIDTH = 16, HEIGHT = 20, COLOUR = 25, LEAST = 33 };   /* places in the head; its length */
  Summary__Image image = SUMMARY__IMAGE__INIT;
  Summary__Value value = SUMMARY__VALUE__INIT, *values[] = { &value };
  if (!e->f) return STATUS_OK;
  FILE *f = fopen(path, "rb");
  if (!f) return because(STATUS_IO, "%s: %s", path, strerror(errno));
  const size_t n = fread(e->picture, 1, e->picture_room, f);
  const int more = fgetc(f) != EOF;
  fclose(f);
  if (n < LEAST || more)
    return because(STATUS_IO, "%s: %zu bytes%s are no picture for TensorBoard", path, n, more ? " and more" : "");
  image.width = number(e->picture + WIDTH);
  image.height = number(e->picture + HEIGHT);
  image.colorspace = e->picture[COLOUR] ? 3 : 1;
  image.encoded_image_string = (ProtobufCBinaryData){ n, e->picture };
  value.tag = (char *)tag;
  value.value_case = SUMMARY__VALUE__VALUE_IMAGE;
  value.image = &image;
  return write_values(e, step, 1, values);
}

/* TensorBoard reads the files of a folder by name: this one comes after those of starts before it, whatever the clock says. */
static long long stamp(const char *folder) {
  long long latest = time(NULL);
  DIR *d = opendir(folder);
  for (struct dirent *entry; d && (entry = readdir(d));)
    if (!strncmp(entry->d_name, start_of_name, strlen(start_of_name))) {
      const long long other = strtoll(entry->d_name + strlen(start_of_name), NULL, 10);
      if (other >= latest) latest = other + 1;
    }
  if (d) closedir(d);
  return latest;
}

static int begin(struct events *e, const char *run, uint64_t step) {
  char folder[4000], host[128] = "";
  Event event = EVENT__INIT;
  snprintf(folder, sizeof folder, "%s/tensorboard", run);
  const int status = folder_make(folder);
  if (status) return status;
  gethostname(host, sizeof host - 1);
  snprintf(e->path, sizeof e->path, "%s/%s%010lld.%s.%ld", folder, start_of_name, stamp(folder), host, (long)getpid());
  e->f = fopen(e->path, "wb");
  if (!e->f) return because(STATUS_IO, "%s: %s", e->path, strerror(errno));
  event.what_case = EVENT__WHAT_FILE_VERSION;
  event.file_version = "brain.Event:2";
  const int wrong = write_event(e, 0, &event);
  return wrong ? wrong : events_go_on(e, step);
}

int events_open(struct events *e, const char *run, uint64_t step, size_t picture) {
  *e = (struct events){ .room = EVENT_MAX + picture, .picture_room = picture };
  e->record = malloc(e->room + picture);
  if (!e->record) return because(STATUS_NOMEM, "no memory for events of %zu bytes", e->room + picture);
  e->picture = e->record + e->room;
  const int status = begin(e, run, step);
  if (status) events_close(e);
  return status;
}

void events_close(struct events *e) {
  if (e->f) fclose(e->f);
  free(e->record);
  *e = (struct events){ 0 };
}
