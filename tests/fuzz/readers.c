#include "tests/fuzz/readers.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#include "io/history.h"
#include "io/idx.h"
#include "io/npz_read.h"
#include "io/pickle.h"
#include "io/picture.h"
#include "io/settings.h"
#include "io/weights.h"
#include "io/words.h"
#include "io/yaml.h"
#include "src/base/status.h"

/* ---- files ---- */

static char folder[64];

/* The folder is flat. */
static void remove_folder(void) {
  static const char *const names[] = { "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                       "t10k-labels-idx1-ubyte", "metrics.jsonl", "weights", "arrays.npz", "file.h5" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(scratch_path(names[i]));
  rmdir(folder);
}

const char *scratch_path(const char *name) {
  static char path[160];
  const char *elsewhere = getenv("TMPDIR");
  if (!*folder) {
    snprintf(folder, sizeof folder, "/dev/shm/pmf-readers.XXXXXX");
    if (!mkdtemp(folder)) {
      snprintf(folder, sizeof folder, "%.40s/readers.XXXXXX", elsewhere ? elsewhere : "/tmp");
      if (!mkdtemp(folder)) abort();
    }
    atexit(remove_folder);
  }
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

const char *scratch_put(const char *name, size_t n, const void *bytes) {
  const char *path = scratch_path(name);
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || close(fd)) abort();
  return path;
}

void scratch_judge(int status) {
  const char *reason = status_reason();
  if (status == STATUS_OK) return;
  if (status != STATUS_BAD && status != STATUS_NOMEM && status != STATUS_IO) abort();
  if (!*reason || strchr(reason, '\n')) abort();
  because(STATUS_OK, "%s", "");   /* the next one says its own */
}

/* A copy with a zero behind it; the caller frees it. */
static char *text_of(size_t n, const uint8_t *bytes) {
  char *text = malloc(n + 1);
  if (!text) abort();
  if (n) memcpy(text, bytes, n);
  text[n] = 0;
  return text;
}

/* ---- image sets ---- */

/* One of the four files is the input, by its first byte; the others are those of a sound set of 3 images of 2 x 2. */
static void read_idx(size_t n, const uint8_t *bytes) {
  static const uint8_t images[] = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
  static const uint8_t labels[] = { 0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 2 };
  static const char *const names[] = { "train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                       "t10k-labels-idx1-ubyte" };
  struct idx x;
  if (!n) return;
  for (int i = 0; i < 4; i++) {
    if (i == bytes[0] % 4) scratch_put(names[i], n - 1, bytes + 1);
    else if (i < 2) scratch_put(names[i], sizeof images, images);
    else scratch_put(names[i], sizeof labels, labels);
  }
  scratch_path("");
  const int status = idx_read(&x, folder, bytes[0] & 4 ? 3 : 0);
  scratch_judge(status);
  for (int i = 0; i < 2 && !status; i++)
    for (size_t j = 0; j < x.part[i].count; j++)
      if (x.part[i].labels[j] < 0 || (size_t)x.part[i].labels[j] >= x.part[i].classes) abort();
  idx_free(&x);
}

/* ---- settings ---- */

/* What a checkpoint keeps of settings must be read back the same. */
static void must_survive(const struct settings *s) {
  static struct settings back;
  char *text = settings_text(s), *again;
  if (!text) abort();
  settings_default(&back);
  if (settings_parse(&back, text, strlen(text), "copy") || !(again = settings_text(&back)) || strcmp(text, again)) abort();
  free(again);
  free(text);
}

static void read_yaml(size_t n, const uint8_t *bytes) {
  static struct settings s;
  struct yaml_entries y = { 0 };
  scratch_judge(yaml_entries_read(&y, (const char *)bytes, n, "text"));
  yaml_entries_free(&y);
  settings_default(&s);
  const int status = settings_parse(&s, (const char *)bytes, n, "text");
  scratch_judge(status);
  if (status) return;
  scratch_judge(settings_check(&s));
  must_survive(&s);
}

/* One word a line. Those that would open files of this machine are left out. */
static void read_words(size_t n, const uint8_t *bytes) {
  enum { WORDS = 64 };
  static struct settings s;
  char out[TEXT_MAX], *copy = text_of(n, bytes), *argv[WORDS], *bare[2], *rest;
  long count = 1;
  double rate = 1;
  int argc = 0;
  struct word words[] = { { "out", WORD_TEXT, out, 0, 0, false, "" }, { "n", WORD_INTEGER, &count, 1, 1e6, false, "" },
                          { "rate", WORD_REAL, &rate, -1, 1, false, "" }, { "--json", WORD_TEXT, out, 0, 0, false, "" } };
  for (char *word = strtok_r(copy, "\n", &rest); word && argc < WORDS; word = strtok_r(NULL, "\n", &rest))
    if (!strstr(word, "config")) argv[argc++] = word;
  const int status = settings_load(&s, argc, argv, words, 4, bare, 2);
  scratch_judge(status);
  if (!status) must_survive(&s);
  scratch_judge(words_parse(argc, argv, words, 4, bare, 2));
  free(copy);
}

/* ---- pictures ---- */

static uint32_t big_endian(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void decode(size_t n, const uint8_t *bytes) {
  struct picture p;
  const int status = picture_decode(n, bytes, &p);
  scratch_judge(status);
  if (!status && (p.fault || !p.rgb || p.orientation < 1 || p.orientation > 8)) abort();
  if (status == STATUS_BAD && !p.fault) abort();
  picture_free(&p);
}

/* The chunks of a PNG, without its signature; their checksums are made right, or nothing behind them would be looked
 * at. What claims more pixels than 1024 x 1024 is passed over here and below: all time would go into clearing them. */
static void read_png(size_t n, const uint8_t *bytes) {
  static const uint8_t signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
  uint8_t *all = malloc(8 + n);
  if (!all) abort();
  memcpy(all, signature, 8);
  if (n) memcpy(all + 8, bytes, n);
  bool fits = true;
  for (size_t at = 8, length; at + 12 <= 8 + n; at += 12 + length) {
    length = big_endian(all + at);
    if (length > 8 + n - at - 12) break;
    const uint32_t sum = (uint32_t)crc32(0, all + at + 4, (uInt)length + 4);
    for (int i = 0; i < 4; i++) all[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
    if (!memcmp(all + at + 4, "IHDR", 4) && length >= 8)
      fits = (uint64_t)big_endian(all + at + 8) * big_endian(all + at + 12) <= 1 << 20;
  }
  if (fits) decode(8 + n, all);
  free(all);
}

/* A JPEG from its second byte on. */
static void read_jpeg(size_t n, const uint8_t *bytes) {
  uint8_t *all = malloc(1 + n);
  if (!all) abort();
  all[0] = 0xff;
  if (n) memcpy(all + 1, bytes, n);
  bool fits = true;
  for (size_t i = 0; i + 9 <= 1 + n; i++)   /* whatever may be a frame's header */
    if (all[i] == 0xff && (all[i + 1] & 0xf0) == 0xc0)
      fits = fits && big_endian(all + i + 5) >> 16 <= 1 << 10 && (big_endian(all + i + 5) & 0xffff) <= 1 << 10;
  if (fits) decode(1 + n, all);
  free(all);
}

/* ---- weights ---- */

/* All tensors of the file "weights", as far as they can be read. */
static void read_tensors(void) {
  struct weights w;
  int status = weights_open(&w, scratch_path("weights"));
  scratch_judge(status);
  for (size_t i = 0; i < w.count && !status; i++) {
    const struct weights_tensor *t = &w.tensors[i];
    char text[128];
    if (t->bytes > w.size || t->size > t->bytes / t->kind->bytes) abort();
    float *x = malloc((t->size + 1) * sizeof *x);
    if (!x) abort();
    status = weights_read(&w, t, x);
    weights_text(text, t);
    if (weights_find(&w, "", t->name) != t) abort();
    scratch_judge(status);
    free(x);
  }
  weights_close(&w);
}

static void read_weights(size_t n, const uint8_t *bytes) {
  scratch_put("weights", n, bytes);
  read_tensors();
}

/* A zip of these entries, stored. */
static void put_zip(const char *name, size_t entries, const char *const *names, const size_t *sizes, const void *const *bytes) {
  int code;
  zip_t *zip = zip_open(scratch_path(name), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (!zip) abort();
  for (size_t i = 0; i < entries; i++) {
    zip_source_t *source = zip_source_buffer(zip, bytes[i], sizes[i], 0);
    const zip_int64_t index = zip_file_add(zip, names[i], source, 0);
    if (index < 0 || zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0)) abort();
  }
  if (zip_close(zip)) abort();
}

/* The pickle of a state dict within a zip, whose checksums are right, and storages of 24 and 8 bytes. */
static void read_pickle_in_zip(size_t n, const uint8_t *bytes) {
  static const char *const names[] = { "archive/data.pkl", "archive/data/0", "archive/data/1" };
  static const uint8_t zeros[24];
  put_zip("weights", 3, names, (size_t[]){ n, 24, 8 }, (const void *[]){ bytes, zeros, zeros });
  read_tensors();
}

static bool knows_all(const char *global) { return *global != 'x'; }

static void read_pickle(size_t n, const uint8_t *bytes) {
  struct pickle p = { 0 };
  const struct pickle_value *value;
  size_t used;
  uint8_t *copy = (uint8_t *)text_of(n, bytes);
  const int status = pickle_read(&p, "file", copy, n, knows_all, &value, &used);
  scratch_judge(status);
  if (!status && used > n) abort();
  pickle_free(&p);
  free(copy);
}

/* ---- arrays of numpy ---- */

static void read_arrays(void) {
  struct npz_reader r;
  unsigned char to[4096];
  double number, numbers[6];
  char path[160];
  snprintf(path, sizeof path, "%s", scratch_path("arrays.npz"));
  int status = npz_reader_open(&r, path, "a");
  scratch_judge(status);
  for (size_t n; !status && r.done < r.size;) {
    n = r.size - r.done < sizeof to ? r.size - r.done : sizeof to;
    scratch_judge(status = npz_reader_next(&r, n, to));
  }
  npz_reader_close(&r);
  npz_has(path, "a");
  scratch_judge(npz_doubles(path, "a", 6, numbers));
  scratch_judge(npz_doubles(path, "a", 1, &number));
  scratch_judge(npz_text(path, "a", (char *)to, 64));
  if (memchr(to, 0, 64) == NULL) abort();
}

static void read_npz(size_t n, const uint8_t *bytes) {
  scratch_put("arrays.npz", n, bytes);
  read_arrays();
}

/* The .npy within a zip, whose checksum is right. */
static void read_npy(size_t n, const uint8_t *bytes) {
  put_zip("arrays.npz", 1, (const char *[]){ "a.npy" }, &n, (const void *[]){ bytes });
  read_arrays();
}

/* ---- lines of JSON ---- */

static void read_metrics(size_t n, const uint8_t *bytes) {
  struct history h;
  scratch_put("metrics.jsonl", n, bytes);
  const int status = history_read(&h, folder);
  scratch_judge(status);
  for (size_t i = 1; i < h.n_steps && !status; i++) if (!(h.steps[i].step > h.steps[i - 1].step)) abort();
  if (!status) history_images(&h, 1), history_minutes(&h, 1);
  history_free(&h);
}

const struct reader readers[] = {
  { "hdf", read_hdf }, { "idx", read_idx }, { "jpeg", read_jpeg }, { "metrics", read_metrics }, { "npy", read_npy }, { "npz", read_npz },
  { "pickle", read_pickle }, { "png", read_png }, { "torch", read_pickle_in_zip }, { "weights", read_weights },
  { "words", read_words }, { "yaml", read_yaml }, { NULL, NULL }
};

const struct reader *reader_named(const char *name) {
  for (const struct reader *r = readers; r->name; r++)
    if (!strcmp(r->name, name)) return r;
  return NULL;
}
