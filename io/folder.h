/* folder.h - the folder of a run: made when missing, and small text files in it that are never half-written.
 * Errors: STATUS_IO with the reason; STATUS_BAD where the name is taken by something else. Ranks: local; rank 0 writes. */
#ifndef IO_FOLDER_H
#define IO_FOLDER_H

enum { FOLDER_WHO = 256 };
/* Makes the folder and those above it. */
int folder_make(const char *path);
/* Writes text as FOLDER/name, by a name of this process's own (disk_temporary) and rename. */
int folder_write(const char *folder, const char *name, const char *text);
/* One job at a time in a folder: takes FOLDER/lock, *lock >= 0 then (nothing if it is taken by this call's earlier self,
 * *lock >= 0 on entry). A folder that is not there, or a file system without locks, is no error and leaves *lock = -1; *refused
 * is the errno of the latter, else 0. The system gives the lock back when the process ends, however it ends. Errors: STATUS_BAD,
 * naming who has it: process, host, Slurm's job. */
int folder_lock(const char *folder, int *lock, int *refused);
/* Has another process the lock? Nothing is taken or made. who: as it has written itself down. */
int folder_held(const char *folder, char who[FOLDER_WHO]);
void folder_unlock(int lock);
#endif
