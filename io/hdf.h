/* hdf.h - the few things we ask of HDF5, each in one call: open, attributes, small datasets.
 * Datasets are contiguous, allocated when made and never filled: parallel writers need that, and MPI-IO in
 * Open MPI 4.1 breaks on chunks (EXPECTATIONS H3, H9).
 * Errors: 0 is success; -1 a failure whose cause is remembered for hdf_because. HDF5 prints nothing. Ranks: local. */
#ifndef IO_HDF_H
#define IO_HDF_H
#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

/* Before MPI_Init. HDF5 then leaves it to the end of the process to tidy up, and not to MPI_Finalize, where HDF5 1.10 crashes over
 * a file whose disk takes nothing more. So every file is to be closed, by H5Fclose or hdf_close. */
void hdf_start(void);
/* Opens for reading. Errors: STATUS_BAD: missing, not HDF5, cut; STATUS_IO: it is there and cannot be read now (no permission, a
 * lock refused, a file system that fails), which says nothing of its content. Close with H5Fclose. */
int hdf_open(hid_t *file, const char *path);
/* Right after a failed HDF5 call: remembers the innermost entry of its error stack; returns -1. */
int hdf_fail(void);
/* STATUS_IO with "path: what: what the last failure was". */
int hdf_because(const char *path, const char *what);
/* Closes a file that was written by this process alone. Where the disk does not take what is left to write, HDF5 would keep the
 * file, and the room it takes, until the process ends; it then gets a file without a name to end in. 0 or -1. */
int hdf_close(hid_t file);
/* Stops HDF5 from printing its error stacks (in this process, from now on). */
void hdf_quiet(void);

/* Makes the dataset and writes data, unless that is NULL. */
int hdf_put(hid_t at, const char *name, hid_t type, int rank, const hsize_t *dims, const void *data);
/* Reads a whole dataset of that rank, all of which the file holds, into malloc'ed *data (the caller frees it, also an empty one),
 * with one zero element behind it; dims receives its shape. */
int hdf_get(hid_t at, const char *name, hid_t type, int rank, hsize_t *dims, void **data);
/* Attributes of the root. Text is cut to room - 1 characters. */
int hdf_put_number(hid_t file, const char *name, uint64_t value);
int hdf_get_number(hid_t file, const char *name, uint64_t *value);
int hdf_put_real(hid_t file, const char *name, double value);
int hdf_get_real(hid_t file, const char *name, double *value);
int hdf_put_text(hid_t file, const char *name, const char *text);
int hdf_get_text(hid_t file, const char *name, char *text, size_t room);
/* Fixed-length text of so many bytes; close with H5Tclose. */
hid_t hdf_text_type(size_t bytes);

/* All attributes of the root that are text or whole numbers, as text, in the order of their names. */
struct hdf_attribute { char name[64], value[512]; };
/* Returns how many it stored, at most n; -1 on failure. */
int hdf_attributes(hid_t file, struct hdf_attribute *list, int n);
#endif
