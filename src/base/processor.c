#include "src/base/processor.h"

#include <stddef.h>
#include <strings.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

static int is_among(const char *name, const char *const *list) {
  for (; *list; list++)
    if (!strcasecmp(name, *list)) return 1;
  return 0;
}

static const char *const needs_avx512[] = { "SkylakeX", "Cooperlake", "SapphireRapids", NULL };
static const char *const needs_avx2[] = { "Haswell", "Zen", "Excavator", NULL };

#ifdef __x86_64__
static int has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
         && __builtin_cpu_supports("avx512vl");
}
static int has_avx512_bf16(void) { return __builtin_cpu_supports("avx512bf16"); }
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
static int has_avx512(void) { return 0; }
static int has_avx512_bf16(void) { return 0; }
static int has_avx2(void) { return 0; }
#endif

int processor_runs_core(const char *core) {
  if (!strcasecmp(core, "Cooperlake") || !strcasecmp(core, "SapphireRapids")) return has_avx512() && has_avx512_bf16();
  if (is_among(core, needs_avx512)) return has_avx512();
  return !is_among(core, needs_avx2) || has_avx2();
}

int processor_multiplies_bf16(void) { return has_avx512() && has_avx512_bf16(); }

const char *processor_better_core(const char *core) {
  if (has_avx512() && !is_among(core, needs_avx512)) return "SkylakeX";
  if (has_avx2() && !is_among(core, needs_avx512) && !is_among(core, needs_avx2)) return "Haswell";
  return NULL;
}

const char *processor_plainer_core(const char *core) {
  return is_among(core, needs_avx512) ? "Haswell" : is_among(core, needs_avx2) ? "Nehalem" : NULL;
}

void processor_flush_denormals(void) {
#ifdef __x86_64__
  enum { FLUSH_TO_ZERO = 1 << 15, DENORMALS_ARE_ZERO = 1 << 6 };
#pragma omp parallel
  _mm_setcsr(_mm_getcsr() | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
#endif
}
