/* watchdog.h - a thread that looks on (mpi/watch.h) and ends this process when nothing has moved for too long: an MPI job in
 * which one rank stays away waits for ever, without an error (EXPECTATIONS G14, H4).
 * It writes one line about this rank to standard error, leaves the other ranks the time to write theirs, and ends the process
 * with WATCHDOG_EXIT by _exit: MPI may be called by one thread only, and no handler of the C library should wait for what hangs.
 * Launchers kill the other ranks then (mpirun by itself, srun with --kill-on-bad-exit).
 * SIGUSR2 asks for the line and ends nothing. Time in which the process was stopped does not count.
 * Errors: STATUS_NOMEM where no thread can be had. Ranks: local. One watchdog a process. */
#ifndef IO_WATCHDOG_H
#define IO_WATCHDOG_H

enum { WATCHDOG_EXIT = 76 };

/* Until the watchdog is there SIGUSR2 does nothing. */
void watchdog_prepare(void);
/* limit: seconds in which something must move, or ten times the longest step if that is more; 0: SIGUSR2 alone.
 * rank, ranks: for the line. */
int watchdog_start(int rank, int ranks, double limit);
/* A step took so long. */
void watchdog_step(double seconds);
/* From now on so many times the limit: a start, a save, a score, a grid or a rollback moves data for long, while the others wait.
 * 1: as it was. */
void watchdog_patience(double times);
/* From now on a process that is ended so adds its line to this file too: word for the next start. NULL: no more. The path is the
 * caller's and stays as it is. */
void watchdog_leave(const char *path);
/* Ends the thread, if there is one. */
void watchdog_stop(void);
#endif
