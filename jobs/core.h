/* core.h - the kernels of OpenBLAS, settled before anything else runs. They are chosen when the library is loaded, by the
 * environment, so a better choice means to start the program once more.
 * A run keeps the choice that it began with (RUN/blas_core), so that it goes on with the same bits; a processor that cannot
 * run it takes its own and says so. OPENBLAS_CORETYPE set by the user is left alone. */
#ifndef JOBS_CORE_H
#define JOBS_CORE_H

/* Before MPI and threads: returns, or replaces the process by itself under OPENBLAS_CORETYPE. */
void core_choose(char **argv);
/* One line on a choice that was not the library's own, or that should have been another; else empty. */
void core_describe(char text[static 256]);
/* Rank 0, once the run's folder is there: remembers the choice. Errors: STATUS_IO. */
int core_remember(const char *run);
#endif
