/* child.h - this program run by itself, on ranks of its own. The child is asked to save and end (SIGUSR1) when this process is told
 * to stop (INT, TERM, USR1) or dies. Ranks: local; not from within MPI. */
#ifndef JOBS_CHILD_H
#define JOBS_CHILD_H
#include <stddef.h>

enum { CHILD_WORDS = 96, CHILD_TEXT = 8192 };
/* Words of a command line, gathered one by one. */
struct child_words { char *list[CHILD_WORDS + 1]; size_t count; char text[CHILD_TEXT]; size_t used; };
/* One word, printf style: blanks in it stay. What does not fit is told by child_run. */
void child_word(struct child_words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Words between blanks; NULL: none. */
void child_split(struct child_words *w, const char *words);

/* From now on signals are kept for child_told, and handed on. */
void child_listen(void);
/* Has this process been told to stop? */
int child_told(void);

/* Runs it on `ranks` ranks (1: without a launcher; else by mpirun, or what MPIRUN names) and waits. Standard error and output are
 * added to the file `log`; the last line of its output that starts an object is in json[room] (may be NULL). *code: its exit code.
 * Errors: STATUS_IO: it cannot be started; STATUS_MISSING: there is no launcher. */
int child_run(long ranks, const struct child_words *w, const char *log, char *json, size_t room, int *code);
#endif
