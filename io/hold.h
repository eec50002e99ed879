/* hold.h - the errors of MPI-IO, held back while HDF5 writes a file on all ranks together.
 * A rank on which a write fails leaves a collective halfway: OMPIO's where it writes for others, HDF5 1.10's before the file's view
 * is set back on all ranks. The others would wait for it for ever. Between hold_begin and hold_end each rank therefore writes what
 * is its own for itself, also where HDF5 asks for a collective write, and HDF5 hears of no error; all ranks come to the end, and
 * hold_end says how it went. What was not written then HDF5 takes for written: the file is to be thrown away.
 * hold.c stands between HDF5 and the MPI library by MPI's profiling interface: MPI_File_write_at, MPI_File_write_at_all,
 * MPI_File_sync, MPI_File_set_size. Outside of the two calls these do as ever.
 * Memory: statics. Ranks: local; the thread that calls MPI. */
#ifndef IO_HOLD_H
#define IO_HOLD_H

void hold_begin(void);
/* NULL: no error since hold_begin; else MPI's words for the first, until the next hold_begin. */
const char *hold_end(void);
#endif
