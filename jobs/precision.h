/* precision.h - training.precision settled on this machine: linear layers multiply in float32, or in bf16 with float32 sums.
 * All else, and every job but those that train, is float32. Errors: none. */
#ifndef JOBS_PRECISION_H
#define JOBS_PRECISION_H
#include "io/settings.h"
#include "mpi/world.h"
#include "src/base/matmul.h"

/* What this processor would take, if all ranks' are like it. Local. */
enum matmul_precision precision_here(const struct settings *s);
/* COLLECTIVE. From here on linear layers multiply as s says. auto takes bf16 where every rank's processor gains by it. */
void precision_choose(const struct world *w, const struct settings *s);
/* Local. Until the next choice products are those of jobs that do not train, `pmf sample` and `pmf score` among them. */
void precision_plain(void);
/* What was chosen: f32, bf16, or bf16_rounded (inputs rounded, products float32). */
const char *precision_name(void);
/* One line on what was chosen and why; empty where float32 was asked for. */
void precision_describe(char text[static 256]);
#endif
