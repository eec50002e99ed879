#include "src/optim/adam.h"

#include <tgmath.h>

void adam_update(const struct adam *c, size_t n, uint64_t k, double rate, const real *g, real *m, real *s, real *w) {
  const double b1 = c->b1, b2 = c->b2, now = 1 - pow(b1, (double)k), next = 1 - pow(b1, (double)k + 1);
  const real momentum = (real)(c->nesterov ? b1 / next : 1 / now), gradient = (real)(c->nesterov ? (1 - b1) / now : 0);
  const real m_old = (real)b1, m_new = (real)(1 - b1), s_old = (real)b2, s_new = (real)(1 - b2);
  const real correction = (real)(1 / (1 - pow(b2, (double)k))), step = (real)rate, shrink = (real)(rate * c->decay);
  for (size_t i = 0; i < n; i++) {
    m[i] = m_old * m[i] + m_new * g[i];
    s[i] = s_old * s[i] + s_new * g[i] * g[i];
    const real d = momentum * m[i] + gradient * g[i];
    const real root = sqrt(s[i] * correction);
    w[i] -= step * d / (root + (real)1e-8) + shrink * w[i];
  }
}
