/* processor.h - what this processor can do, and the mode that its floating-point units work in. Ranks: local. Errors: none. */
#ifndef BASE_PROCESSOR_H
#define BASE_PROCESSOR_H

/* The kernels that OpenBLAS should use here, where those it has chosen (`core`, as matmul_core names them) leave half of the
 * speed: it does not know some processors and takes AVX-512 ones for Haswell, or AVX2 ones for older. NULL: core is right. */
const char *processor_better_core(const char *core);
/* Older kernels that do without the newest instructions of those, where `core` is under suspicion. NULL: none that we know. */
const char *processor_plainer_core(const char *core);
/* Whether kernels of that name run here. */
int processor_runs_core(const char *core);
/* Whether it multiplies bf16 faster than float: AVX512_BF16, which every processor with AMX_BF16 has too. */
int processor_multiplies_bf16(void);
/* Denormal numbers become zero, in this thread and in all of OpenMP's: they cost many cycles each and carry nothing here. */
void processor_flush_denormals(void);
#endif
