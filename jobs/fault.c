#include "jobs/fault.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/base/status.h"

static const char *const names[FAULTS] = { "nan", "tangent", "flip", "sleep", "away", "away_save", "product", "slow" };

static struct { int on; uint64_t first, last; double seconds; } faults[FAULTS];   /* that are for this rank */

static int wrong(const char *text) {
  return because(STATUS_BAD, "PMF_FAULT: %.100s: expected nan, tangent, flip, sleep, away, away_save, product or slow, then"
                 " perhaps :rank=R, :step=A..B, :seconds=S", text);
}

/* One fault: its kind and what follows. */
static int read_one(char *text, int this_rank) {
  char *rest, *word = strtok_r(text, ":", &rest);
  int kind = 0, rank = this_rank;
  unsigned long long first = 0, last = UINT64_MAX;
  double seconds = 0;
  while (kind < FAULTS && (!word || strcmp(word, names[kind]))) kind++;
  if (kind == FAULTS) return wrong(text);
  while ((word = strtok_r(NULL, ":", &rest))) {
    char more;
    if (sscanf(word, "rank=%d%c", &rank, &more) == 1 || sscanf(word, "seconds=%lf%c", &seconds, &more) == 1) continue;
    if (sscanf(word, "step=%llu..%llu%c", &first, &last, &more) == 2) continue;
    if (sscanf(word, "step=%llu%c", &first, &more) != 1) return wrong(word);
    last = first;
  }
  if (rank != this_rank) return STATUS_OK;
  faults[kind].on = 1;
  faults[kind].first = first;
  faults[kind].last = last;
  faults[kind].seconds = seconds;
  return STATUS_OK;
}

int fault_read(int rank) {
  const char *asked = getenv("PMF_FAULT");
  char text[512], *rest;
  int status = STATUS_OK;
  memset(faults, 0, sizeof faults);
  snprintf(text, sizeof text, "%s", asked ? asked : "");
  for (char *one = strtok_r(text, ",", &rest); one && !status; one = strtok_r(NULL, ",", &rest)) status = read_one(one, rank);
  return status;
}

int fault_strikes(enum fault fault, uint64_t batch) {
  return faults[fault].on && batch >= faults[fault].first && batch <= faults[fault].last;
}

void fault_flip(const struct table *t, real *weights) {
  size_t i = 0;
  while (i + 1 < t->count && t->tensors[i].rule != RULE_ADAM) i++;
  real *x = weights + t->tensors[i].offset, *largest = x;
  for (size_t j = 1; j < t->tensors[i].size; j++)
    if (fabs((double)x[j]) > fabs((double)*largest)) largest = &x[j];
  uint32_t bits;
  float value = (float)*largest;
  memcpy(&bits, &value, sizeof bits);
  bits ^= 1u << 22;
  memcpy(&value, &bits, sizeof bits);
  *largest = (real)value;
}

void fault_sleep(uint64_t batch) {
  if (!fault_strikes(FAULT_SLEEP, batch)) return;
  const double s = faults[FAULT_SLEEP].seconds;
  const struct timespec t = { (time_t)s, (long)((s - (double)(time_t)s) * 1e9) };
  nanosleep(&t, NULL);
}

void fault_stay_away(enum fault fault, uint64_t batch) {
  while (fault_strikes(fault, batch)) pause();
}
