/* checkpoint_io.h - by which way a checkpoint's arrays go to the file. The files are the same.
 * ompio, romio: all ranks, through Open MPI's own MPI-IO or ROMIO; rank0: brought to rank 0, which writes alone.
 * Ranks: local, but every rank must choose the same. Errors: none. */
#ifndef IO_CHECKPOINT_IO_H
#define IO_CHECKPOINT_IO_H

/* In the order of the setting checkpoint.io. auto: as the environment (mpirun --mca io ...) or else Open MPI chooses. */
enum { CHECKPOINT_AUTO, CHECKPOINT_OMPIO, CHECKPOINT_ROMIO, CHECKPOINT_RANK0 };

/* From now on, all checkpoints of this process. Which of MPI's two ways is in force is settled for good when the first file is
 * opened through MPI; later choices of the other one are without effect. */
void checkpoint_io_choose(int io);
int checkpoint_io_is_rank0(void);
/* What is in force, for people: "ompio, without data sieving". In a buffer of its own. */
const char *checkpoint_io_name(void);
/* OMPIO with data sieving in writes: it has been seen to write wrong values (EXPECTATIONS H1). */
int checkpoint_io_is_unsafe(void);
#endif
