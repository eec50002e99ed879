#include "src/base/bf16.h"

/* Below this a team of threads costs more than it saves. */
enum { WORTH_THREADS = 1 << 14 };

void bf16_pack(size_t rows, size_t cols, const float *x, size_t ld, uint16_t *y) {
#pragma omp parallel for if (rows * cols > WORTH_THREADS)
  for (size_t r = 0; r < rows; r++) {
    const float *from = x + r * ld;
    uint16_t *to = y + r * cols;
#pragma omp simd
    for (size_t c = 0; c < cols; c++) to[c] = bf16_from(from[c]);
  }
}

void bf16_round(size_t rows, size_t cols, const float *x, size_t ld, float *y) {
#pragma omp parallel for if (rows * cols > WORTH_THREADS)
  for (size_t r = 0; r < rows; r++) {
    const float *from = x + r * ld;
    float *to = y + r * cols;
#pragma omp simd
    for (size_t c = 0; c < cols; c++) to[c] = bf16_value(bf16_from(from[c]));
  }
}
