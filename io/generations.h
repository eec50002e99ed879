/* generations.h - what a checkpoint file was before: FILE.prev, FILE.prev2, ... from newer to older.
 * Ranks: local; what changes files is for one rank of the job that owns the folder. Memory: none. */
#ifndef IO_GENERATIONS_H
#define IO_GENERATIONS_H
#include <stddef.h>

enum { GENERATIONS_MAX = 16 };   /* FILE itself among them */
/* How many of a file stay when a new one takes its name, 2 .. GENERATIONS_MAX: those of all checkpoints of this process; 2. */
extern int generations_kept;

/* The name of generation g, cut to name[room]; 0 is FILE itself. */
void generations_name(const char *path, int g, size_t room, char *name);
/* Makes place for a new FILE: each generation becomes the one before, and the oldest is removed. Of what is damaged it knows nothing.
 * Returns 1; 0 where there is no FILE, and nothing moves; -1, with errno, where one cannot be renamed. A process that dies
 * within leaves each of them, but for the oldest, under some name. */
int generations_turn(const char *path);
/* Undoes that, also one that has failed, where the new FILE could not take its name. The oldest stays gone. */
void generations_turn_back(const char *path);
/* For a FILE of which no generation is to stay: what a process that died while it made a new one left is removed, FILE.tmp too.
 * Where there is no FILE the newest generation takes its name. */
void generations_tidy(const char *path);
/* Removes all but FILE. */
void generations_drop(const char *path);
#endif
