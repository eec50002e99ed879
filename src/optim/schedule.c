#include "src/optim/schedule.h"

#include <math.h>

double schedule_rate(const struct schedule *c, uint64_t done) {
  const double k = (double)done, W = c->warmup, S = c->steps, pi = 3.14159265358979323846;
  if (k < W) return c->rate * k / W;
  if (!c->cosine) return c->rate;
  const double span = S - 2 * W, x = span > 0 ? fmin(1, (k - W) / span) : 1;
  return c->rate * (c->min_factor + (1 - c->min_factor) * (1 + cos(pi * x)) / 2);
}

double schedule_edm_decay(double halflife, double batch, double seen) {
  return pow(0.5, batch / fmin(halflife, 0.05 * seen));
}
