#include "jobs/precision.h"

#include <stdio.h>

#include "src/base/onednn.h"

static char chosen[256];
static enum matmul_precision precision = MATMUL_F32;

/* bf16: it can be done, here or everywhere. */
static enum matmul_precision choice(const struct settings *s, int bf16) {
  if (s->training.precision != PRECISION_F32 && bf16) return MATMUL_BF16;
  return s->training.precision == PRECISION_BF16 ? MATMUL_ROUNDED : MATMUL_F32;
}

enum matmul_precision precision_here(const struct settings *s) { return choice(s, !matmul_bf16_missing()); }

const char *precision_name(void) {
  return precision == MATMUL_BF16 ? "bf16" : precision == MATMUL_ROUNDED ? "bf16_rounded" : "f32";
}

void precision_choose(const struct world *w, const struct settings *s) {
  const char *missing = matmul_bf16_missing();
  int here = !missing, everywhere;
  MPI_Allreduce(&here, &everywhere, 1, MPI_INT, MPI_MIN, w->comm);
  if (here && !everywhere) missing = "on some ranks a processor with AVX512_BF16 or oneDNN";
  precision = choice(s, everywhere);
  *chosen = 0;
  if (precision == MATMUL_BF16) {
    snprintf(chosen, sizeof chosen, "linear layers: products in bf16 by oneDNN %s, sums and all else float32",
             onednn_version());
  } else if (precision == MATMUL_ROUNDED) {
    snprintf(chosen, sizeof chosen, "warning: training.precision=bf16 gains nothing here (missing: %s): linear layers round"
             " their inputs to bf16 and multiply in float32", missing);
  } else if (s->training.precision == PRECISION_AUTO) {
    snprintf(chosen, sizeof chosen, "linear layers: float32 (training.precision=auto; bf16 lacks %s)", missing);
  }
  matmul_set_precision(precision);
  matmul_set_piece(s->training.reproducible ? MATMUL_PIECE : 0);
}

void precision_plain(void) {
  matmul_set_precision(MATMUL_F32);
  matmul_set_piece(0);
}

void precision_describe(char text[static 256]) { snprintf(text, 256, "%s", chosen); }
