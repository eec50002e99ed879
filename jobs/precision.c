#include "jobs/precision.h"

#include <stdio.h>

#include "src/base/matmul.h"
#include "src/base/onednn.h"

static char chosen[256];

void precision_choose(const struct world *w, const struct settings *s) {
  const char *missing = matmul_bf16_missing();
  int here = !missing, everywhere;
  MPI_Allreduce(&here, &everywhere, 1, MPI_INT, MPI_MIN, w->comm);
  if (here && !everywhere) missing = "on some ranks a processor with AVX512_BF16 or oneDNN";
  enum matmul_precision precision = MATMUL_F32;
  *chosen = 0;
  if (s->training.precision != PRECISION_F32 && everywhere) {
    precision = MATMUL_BF16;
    snprintf(chosen, sizeof chosen, "linear layers: products in bf16 by oneDNN %s, sums and all else float32", onednn_version());
  } else if (s->training.precision == PRECISION_BF16) {
    precision = MATMUL_ROUNDED;
    snprintf(chosen, sizeof chosen, "warning: training.precision=bf16 gains nothing here (missing: %s): linear layers round"
             " their inputs to bf16 and multiply in float32", missing);
  } else if (s->training.precision == PRECISION_AUTO) {
    snprintf(chosen, sizeof chosen, "linear layers: float32 (training.precision=auto; bf16 lacks %s)", missing);
  }
  matmul_set_precision(precision);
}

void precision_describe(char text[static 256]) { snprintf(text, 256, "%s", chosen); }
