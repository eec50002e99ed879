/* memory.h - the memory of this process and of its node, as Linux reports it. Units: bytes. Errors: 0 where it cannot be
 * read. Ranks: local. */
#ifndef IO_MEMORY_H
#define IO_MEMORY_H
#include <stddef.h>

/* Resident now, and the most so far (VmRSS, VmHWM). */
size_t memory_now(void);
size_t memory_peak(void);
/* Of what is resident the part that no file is behind, and of that the part in huge pages (Anonymous, AnonHugePages). */
size_t memory_anonymous(void);
size_t memory_huge(void);
/* What may still be taken on this node without swapping: MemAvailable, or less where a control group (a job's under Slurm, a
 * container's) has less left; a MiB where that is used up, as 0 is not known. */
size_t memory_available(void);
/* What the groups in such a file as /proc/self/cgroup have left, those above them too, of either version of control groups, mounted
 * at `root`; pages of files count as free. SIZE_MAX: no limit. */
size_t memory_group_left(const char *groups, const char *root);
#endif
