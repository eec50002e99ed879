/* stop.h - reasons of this process to end a run early: a signal (USR1, TERM, INT; CONT is none), the file RUN/stop, the time.
 * A handler only sets a flag; whoever trains asks at the step boundary, and the ranks agree (EXPECTATIONS C12-C14, C19).
 * Errors: none. Ranks: local. */
#ifndef IO_STOP_H
#define IO_STOP_H

/* Installs the handlers; call before MPI_Init has work under way. */
void stop_install(void);
/* Removes RUN/stop if it was there before this program began. */
void stop_clear(const char *run);
/* Reasons; where ranks have several, the greatest is the one that is told. STOP_SAVES is for the caller to find. */
enum stop { STOP_NOT, STOP_SAVES, STOP_TIME, STOP_FILE, STOP_INT, STOP_TERM, STOP_USR1 };
/* Why to stop now. run: where to look for the file (looked at every 5 seconds), NULL: not at all.
 * deadline: on progress_clock's scale, 0: none. */
enum stop stop_reason(const char *run, double deadline);
/* "signal USR1"; of STOP_NOT "". */
const char *stop_text(enum stop reason);
#endif
