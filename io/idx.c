#include "io/idx.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "src/base/status.h"

enum { PATH_SIZE = 4096, SIDE_MAX = 4096, PIECE = 1 << 20 };

struct source {
  char path[PATH_SIZE];
  gzFile gz;
};

/* Why reading ended early; also when gzread was content with fewer bytes. */
static int unreadable(struct source *s, uint64_t expected, uint64_t got) {
  int code;
  const char *text = gzerror(s->gz, &code);
  if (code == Z_ERRNO) return because(STATUS_BAD, "%s: cannot be read: %s", s->path, strerror(errno));
  if (code == Z_MEM_ERROR) return because(STATUS_NOMEM, "%s: no memory to unpack it", s->path);
  if (code == Z_DATA_ERROR) return because(STATUS_BAD, "%s: damaged gzip data (%s)", s->path, text);
  return because(STATUS_BAD, "%s: cut short: its header promises %llu bytes of data, it holds %llu", s->path,
                 (unsigned long long)expected, (unsigned long long)got);
}

/* name or name.gz of the folder. */
static int source_open(struct source *s, const char *folder, const char *name) {
  static const char *const ends[] = { "", ".gz" };
  for (int i = 0; i < 2; i++) {
    if ((size_t)snprintf(s->path, sizeof s->path, "%s/%s%s", folder, name, ends[i]) >= sizeof s->path)
      return because(STATUS_BAD, "%.200s...: the name of the folder is too long", folder);
    errno = 0;
    s->gz = gzopen(s->path, "rb");
    if (s->gz) return STATUS_OK;
    if (errno != ENOENT)
      return because(STATUS_BAD, "%s: cannot be opened: %s", s->path, errno ? strerror(errno) : "no memory");
  }
  if (access(folder, F_OK)) return because(STATUS_BAD, "%s: no such folder", folder);
  return because(STATUS_BAD, "%s/%s: missing, also with .gz; expected the four IDX files of a set like MNIST", folder, name);
}

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The sizes that follow the magic number 0, 0, type 8 (unsigned byte), rank. */
static int read_header(struct source *s, int rank, uint32_t *sizes) {
  uint8_t head[16];
  const unsigned bytes = 4 + 4 * (unsigned)rank;
  const int got = gzread(s->gz, head, bytes);
  if (got < 0) return unreadable(s, bytes, 0);
  if (got < (int)bytes) return because(STATUS_BAD, "%s: cut short: %d bytes, its header alone has %u", s->path, got, bytes);
  if (big_endian(head) != 0x800u + (unsigned)rank)
    return because(STATUS_BAD, "%s: not an IDX file of bytes of rank %d: it begins with %08x, expected %08x", s->path, rank,
                   (unsigned)big_endian(head), 0x800u + (unsigned)rank);
  for (int i = 0; i < rank; i++) sizes[i] = big_endian(head + 4 + 4 * i);
  return STATUS_OK;
}

/* Exactly n bytes and then the end. The block grows with what arrives: a header may promise what the file has not. */
static int read_bytes(struct source *s, uint64_t n, uint8_t **bytes) {
  uint8_t *block = NULL, extra;
  uint64_t room = 0, got = 0;
  int piece = 1;
  while (got < n && piece > 0) {
    if (got == room) {
      room = room ? 2 * room : PIECE;
      if (room > n) room = n;
      uint8_t *larger = room <= SIZE_MAX ? realloc(block, (size_t)room) : NULL;
      if (!larger) {
        free(block);
        return because(STATUS_NOMEM, "%s: no memory for %llu bytes", s->path, (unsigned long long)room);
      }
      block = larger;
    }
    piece = gzread(s->gz, block + got, (unsigned)(room - got < PIECE ? room - got : PIECE));
    if (piece > 0) got += (uint64_t)piece;
  }
  int status = got < n || piece < 0 ? unreadable(s, n, got) : STATUS_OK;
  if (!status) {   /* reading on also makes zlib compare its checksum */
    const int more = gzread(s->gz, &extra, 1);
    int code;
    gzerror(s->gz, &code);
    if (more < 0) status = unreadable(s, n, got);
    if (more == 0 && code == Z_BUF_ERROR) status = because(STATUS_BAD, "%s: cut short: its gzip data lacks the end", s->path);
    if (more > 0)
      status = because(STATUS_BAD, "%s: too long: bytes follow the %llu that its header promises", s->path,
                       (unsigned long long)n);
  }
  if (status) free(block);
  else *bytes = block;
  return status;
}

static int read_images(const char *folder, const char *name, struct images *m) {
  struct source s;
  uint32_t sizes[3];
  int status = source_open(&s, folder, name);
  if (status) return status;
  status = read_header(&s, 3, sizes);
  if (!status && sizes[0] == 0) status = because(STATUS_BAD, "%s: holds no images", s.path);
  if (!status && sizes[1] != sizes[2])
    status = because(STATUS_BAD, "%s: images of %u x %u pixels, expected square ones", s.path, sizes[1], sizes[2]);
  if (!status && (sizes[1] < 1 || sizes[1] > SIDE_MAX))
    status = because(STATUS_BAD, "%s: images of %u x %u pixels, expected 1 to %d a side", s.path, sizes[1], sizes[2],
                     SIDE_MAX);
  if (!status) {
    m->count = sizes[0], m->size = sizes[1], m->channels = 1;
    status = read_bytes(&s, (uint64_t)sizes[0] * sizes[1] * sizes[2], &m->pixels);
  }
  gzclose(s.gz);
  return status;
}

/* The labels of m's images. */
static int read_labels(const char *folder, const char *name, struct images *m) {
  struct source s;
  uint32_t count = 0;
  uint8_t *bytes = NULL;
  int status = source_open(&s, folder, name);
  if (status) return status;
  status = read_header(&s, 1, &count);
  if (!status && count != m->count)
    status = because(STATUS_BAD, "%s: %u labels for %zu images", s.path, count, m->count);
  if (!status) status = read_bytes(&s, count, &bytes);
  if (!status) {
    m->labels = malloc(m->count * sizeof *m->labels);
    if (!m->labels) status = because(STATUS_NOMEM, "%s: no memory for %zu labels", s.path, m->count);
  }
  for (size_t i = 0; !status && i < m->count; i++) m->labels[i] = bytes[i];
  free(bytes);
  gzclose(s.gz);
  return status;
}

/* As many classes as the training labels name, from 0 without a gap: one stray label would otherwise add classes. */
static int find_classes(const char *folder, const struct images *train, size_t *classes) {
  bool named[256] = { false };
  int largest = 0, gap = 0;
  for (size_t i = 0; i < train->count; i++) {
    named[train->labels[i]] = true;
    if (train->labels[i] > largest) largest = train->labels[i];
  }
  while (gap <= largest && named[gap]) gap++;
  if (gap <= largest)
    return because(STATUS_BAD, "%s: a training label is %d but none is %d: expected labels from 0 without a gap, "
                   "or classes=%d", folder, largest, gap, largest + 1);
  *classes = (size_t)largest + 1;
  return STATUS_OK;
}

static int check_labels(const char *folder, const char *name, const struct images *m) {
  for (size_t i = 0; i < m->count; i++)
    if ((size_t)m->labels[i] >= m->classes)
      return because(STATUS_BAD, "%s/%s: label %d of image %zu is out of range, expected 0 to %zu", folder, name,
                     m->labels[i], i, m->classes - 1);
  return STATUS_OK;
}

int idx_read(struct idx *x, const char *folder, size_t classes) {
  static const char *const images[2] = { "train-images-idx3-ubyte", "t10k-images-idx3-ubyte" };
  static const char *const labels[2] = { "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte" };
  struct images *train = &x->part[SPLIT_TRAIN], *heldout = &x->part[SPLIT_HELDOUT];
  *x = (struct idx) { 0 };
  int status = STATUS_OK;
  for (int i = 0; i < 2 && !status; i++) {
    status = read_images(folder, images[i], &x->part[i]);
    if (!status) status = read_labels(folder, labels[i], &x->part[i]);
  }
  if (!status && heldout->size != train->size)
    status = because(STATUS_BAD, "%s/%s: images of %zu pixels a side, those of %s have %zu", folder, images[1],
                     heldout->size, images[0], train->size);
  if (!status && !classes) status = find_classes(folder, train, &classes);
  for (int i = 0; i < 2 && !status; i++) {
    x->part[i].classes = classes;
    status = check_labels(folder, labels[i], &x->part[i]);
  }
  return status;
}

void idx_free(struct idx *x) {
  for (int i = 0; i < 2; i++) {
    free(x->part[i].pixels);
    free(x->part[i].labels);
  }
  *x = (struct idx) { 0 };
}
