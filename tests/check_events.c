/* Event files for TensorBoard, read back by protobuf-c: the frame of a record, what stands in it, and that a damaged byte shows.
 * The known answers of the crc are RFC 3720's (B.4). TensorBoard's own reader is in tensorboard.sh, where there is one. */
#include <dirent.h>
#include <unistd.h>

#include "io/crc32c.h"
#include "io/event.pb-c.h"
#include "io/events.h"
#include "io/png.h"
#include "src/base/status.h"
#include "tests/folder.h"
#include "tests/harness.h"

enum { FILE_MOST = 1 << 18, EVENTS_MOST = 16 };
static char folder[256], picture[300];
static struct events e;
static uint8_t bytes[FILE_MOST];
static size_t length;

static uint64_t little(const uint8_t *at, int n) {
  uint64_t value = 0;
  while (n-- > 0) value = value << 8 | at[n];
  return value;
}

/* The records of bytes[length]: how many are whole and right, from the first on; they go to event[], the caller's to free. */
static size_t records(Event **event) {
  size_t n = 0;
  for (const uint8_t *at = bytes; at + 16 <= bytes + length && n < EVENTS_MOST; n++) {
    const uint64_t size = little(at, 8);
    if (little(at + 8, 4) != events_mask(crc32c(8, at)) || size > (uint64_t)(bytes + length - at) - 16) break;
    if (little(at + 12 + size, 4) != events_mask(crc32c(size, at + 12))) break;
    event[n] = event__unpack(NULL, size, at + 12);
    ck_assert_ptr_nonnull(event[n]);
    at += 16 + size;
  }
  return n;
}
static void let_go(size_t n, Event **event) {
  for (size_t i = 0; i < n; i++) event__free_unpacked(event[i], NULL);
}

static void read_bytes(void) {
  FILE *f = fopen(e.path, "rb");
  ck_assert_ptr_nonnull(f);
  length = fread(bytes, 1, sizeof bytes, f);
  fclose(f);
}

static void open_at(uint64_t step) {
  ck_assert_msg(!events_open(&e, folder, step, 4096), "%s", status_reason());
}

START_TEST(crc_has_the_known_answers) {
  uint8_t b[32] = { 0 };
  ck_assert_uint_eq(crc32c(9, "123456789"), 0xe3069283);
  ck_assert_uint_eq(crc32c(32, b), 0x8a9136aa);
  memset(b, 0xff, sizeof b);
  ck_assert_uint_eq(crc32c(32, b), 0x62a8ab43);
  for (int i = 0; i < 32; i++) b[i] = (uint8_t)i;
  ck_assert_uint_eq(crc32c(32, b), 0x46dd794e);
  ck_assert_uint_eq(crc32c(0, b), 0);
  ck_assert_uint_eq(events_mask(0), 0xa282ead8);
  ck_assert_uint_eq(events_mask(0x00018000), 0xa282ead8 + 3);   /* the lowest 15 bits go round to the top */
} END_TEST

START_TEST(what_is_written_is_read_back) {
  Event *event[EVENTS_MOST];
  const struct metric m[] = { { "loss", 0.1 }, { "none", NAN }, { "grad_norm", 2e9 } };
  const uint8_t u8[6 * 5 * 3] = { 7 };
  open_at(41);
  ck_assert_int_eq(events_metrics(&e, "save failed", 42, m, 3, "disk"), STATUS_OK);
  ck_assert_int_eq(png_write(picture, 6, 5, 3, u8), STATUS_OK);
  ck_assert_int_eq(events_picture(&e, "samples/raw", 43, picture), STATUS_OK);
  ck_assert_int_eq(events_verbatim(&e, "settings", 44, "a: 1\n"), STATUS_OK);
  ck_assert_int_eq(events_go_on(&e, 40), STATUS_OK);
  read_bytes();
  const size_t n = records(event);
  ck_assert_uint_eq(n, 7);

  ck_assert_str_eq(event[0]->file_version, "brain.Event:2");   /* of older ones TensorBoard would pass over the next */
  ck_assert_int_eq(event[1]->session_log->status, SESSION_LOG__STATUS__START);
  ck_assert_int_eq(event[1]->step, 42);                        /* the first step that does not count any more */
  for (size_t i = 0; i < n; i++) ck_assert(event[i]->wall_time > 1.6e9 && event[i]->wall_time < 1e11);

  ck_assert_int_eq(event[2]->step, 42);
  ck_assert_uint_eq(event[2]->summary->n_value, 2);
  ck_assert_str_eq(event[2]->summary->value[0]->tag, "save_failed/loss");
  ck_assert(event[2]->summary->value[0]->simple_value == 0.1f);
  ck_assert_str_eq(event[2]->summary->value[1]->tag, "save_failed/grad_norm");
  ck_assert(event[2]->summary->value[1]->simple_value == 2e9f);
  const Summary__Value *note = event[3]->summary->value[0], *image = event[4]->summary->value[0];
  ck_assert_str_eq(note->tag, "save_failed/note");
  ck_assert_str_eq(note->metadata->plugin_data->plugin_name, "text");
  ck_assert_mem_eq(note->tensor->string_val[0].data, "disk", 4);

  ck_assert_str_eq(image->tag, "samples/raw");
  ck_assert_int_eq(image->image->width, 6);
  ck_assert_int_eq(image->image->height, 5);
  ck_assert_int_eq(image->image->colorspace, 3);
  FILE *f = fopen(picture, "rb");
  uint8_t png[4096];
  ck_assert_uint_eq(fread(png, 1, sizeof png, f), image->image->encoded_image_string.len);
  fclose(f);
  ck_assert_mem_eq(png, image->image->encoded_image_string.data, image->image->encoded_image_string.len);

  const ProtobufCBinaryData text = event[5]->summary->value[0]->tensor->string_val[0];
  ck_assert_uint_eq(text.len, strlen("```\na: 1\n```\n"));
  ck_assert_mem_eq(text.data, "```\na: 1\n```\n", text.len);
  ck_assert_int_eq(event[6]->session_log->status, SESSION_LOG__STATUS__START);
  ck_assert_int_eq(event[6]->step, 41);
  let_go(n, event);
  events_close(&e);
} END_TEST

START_TEST(a_damaged_byte_ends_the_reading) {
  Event *event[EVENTS_MOST];
  open_at(0);
  ck_assert_int_eq(events_metrics(&e, "step", 1, &(struct metric){ "loss", 1 }, 1, NULL), STATUS_OK);
  read_bytes();
  size_t n = records(event);
  ck_assert_uint_eq(n, 3);
  let_go(n, event);
  for (size_t i = 0; i < length; i++) {
    bytes[i] ^= 4;
    n = records(event);
    ck_assert_msg(n < 3, "byte %zu of %zu is another, and all is read", i, length);
    let_go(n, event);
    bytes[i] ^= 4;
  }
  events_close(&e);
} END_TEST

START_TEST(a_later_start_has_the_later_name) {
  char before[sizeof e.path];
  open_at(0);
  for (int i = 0; i < 3; i++) {
    strcpy(before, e.path);
    events_close(&e);
    open_at(0);
    ck_assert_msg(strcmp(before, e.path) < 0, "%s before %s", before, e.path);
  }
  events_close(&e);
} END_TEST

START_TEST(what_cannot_be_written_is_said_once_and_ends_it) {
  const struct metric m = { "loss", 1 };
  open_at(0);
  fclose(e.f);
  e.f = fopen("/dev/full", "wb");
  ck_assert_int_eq(events_metrics(&e, "step", 1, &m, 1, NULL), STATUS_IO);
  ck_assert_ptr_nonnull(strstr(status_reason(), e.path));
  ck_assert_int_eq(events_metrics(&e, "step", 2, &m, 1, NULL), STATUS_OK);
  events_close(&e);
  open_at(0);
  ck_assert_int_eq(events_picture(&e, "x", 1, "/no/such.png"), STATUS_IO);
  ck_assert_int_eq(events_picture(&e, "x", 1, "/bin/sh"), STATUS_IO);   /* longer than any picture may be */
  ck_assert_int_eq(events_metrics(&e, "step", 1, &m, 1, NULL), STATUS_OK);
  events_close(&e);
} END_TEST

static void clear(void) {
  char name[600], inner[300];
  snprintf(inner, sizeof inner, "%s/tensorboard", folder);
  DIR *d = opendir(inner);
  for (struct dirent *entry; d && (entry = readdir(d));) {
    snprintf(name, sizeof name, "%s/%s", inner, entry->d_name);
    unlink(name);
  }
  if (d) closedir(d);
  unlink(picture);
  rmdir(inner);
  rmdir(folder);
}

int main(void) {
  new_folder(folder);
  snprintf(picture, sizeof picture, "%s/a.png", folder);
  const int code = run_tests("events", (const TTest *[]) {
    crc_has_the_known_answers, what_is_written_is_read_back, a_damaged_byte_ends_the_reading,
    a_later_start_has_the_later_name, what_cannot_be_written_is_said_once_and_ends_it, NULL });
  clear();
  return code;
}
