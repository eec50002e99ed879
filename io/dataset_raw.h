/* dataset_raw.h - what opening and checking a packed image set (dataset.h) share: its arrays lie raw and whole in the file, each with
 * the checksums of its blocks.
 * Errors: STATUS_BAD with the reason, STATUS_IO. Ranks: local. */
#ifndef IO_DATASET_RAW_H
#define IO_DATASET_RAW_H
#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

struct dataset_raw {
  int rank;
  hsize_t sizes[4];
  uint64_t offset, bytes, element;   /* in bytes */
  bool bytewise, whole;              /* elements are uint8; are int32 */
};
/* Opens the file both ways and checks that it is a whole dataset file of this version. dataset_file_close, also after an error. */
int dataset_file_open(const char *path, int *fd, hid_t *file, uint64_t *bytes);
void dataset_file_close(int fd, hid_t file);
/* Where the dataset of that name lies in a file of so many bytes. */
int dataset_find(hid_t file, const char *path, const char *name, uint64_t file_bytes, struct dataset_raw *r);
/* All n bytes at the offset. */
int dataset_read_at(int fd, const char *path, void *to, uint64_t n, uint64_t offset);

/* Compares share k of R of the blocks of one dataset with their stored sums; buffer[BLOCK_BYTES]. A block that differs or cannot be
 * read goes to `bad`, with its bytes in the array and the reason recorded; what that returns, unless STATUS_OK, ends it. */
typedef int dataset_bad_block(void *to, const char *name, uint64_t first_byte, uint64_t bytes);
struct dataset_part { int fd; hid_t file; const char *path, *name; uint64_t file_bytes; int k, R; };
int dataset_compare(const struct dataset_part *p, uint8_t *buffer, dataset_bad_block *bad, void *to);
/* The same of a small array: STATUS_BAD at the first block that differs. */
int dataset_compare_all(int fd, hid_t file, const char *path, const char *name, uint64_t file_bytes);
#endif
