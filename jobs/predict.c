#include "jobs/predict.h"

#include "jobs/perception.h"
#include "jobs/rate.h"
#include "jobs/setup.h"
#include "src/base/status.h"
#include "src/optim/share.h"

static void count_evaluations(const struct settings *s, struct predicted *p) {
  const struct times times = setup_times(s);
  const struct guidance guidance = setup_guidance(s);
  enum { DRAWS = 1 << 15 };
  size_t evaluations = 0, tangents = 0;
  for (uint32_t i = 0; i < DRAWS; i++) {
    real t, r, w, t_min, t_max;
    int fm, drop;
    times_draw(&times, 1, 0, i, &t, &r, &fm);
    guidance_draw(&guidance, 1, 0, i, fm, &w, &t_min, &t_max, &drop);
    tangents += !fm;
    evaluations += !fm + (size_t)(!drop && (fm || (t_min <= t && t <= t_max)));
  }
  p->guidance = (double)evaluations / DRAWS;
  p->tangents = (double)tangents / DRAWS;
}

int predict(struct net *n, const struct settings *s, int ranks, size_t micro, struct predicted *p) {
  enum { ROWS = 1 << 14 };   /* larger products are no faster */
  const size_t all = micro * n->shape.T, rows = all < ROWS ? all : ROWS;
  *p = (struct predicted){ .flops = flops_net(n), .perceptual = perception_flops(s), .below = perception_share(s) };
  p->newton_schulz = s->training.optimizer == OPTIMIZER_MUON ? share_flops(&n->table) : 0;
  count_evaluations(s, p);
  p->gradient = p->flops.forward + p->flops.backward + p->guidance * p->flops.guidance + p->tangents * p->flops.tangent;
  p->gradient += p->perceptual * p->below;
  const int status = rate_measure(n, rows, rows / 2, 1.5, &p->rate);
  if (status) return status;
  p->seconds[0] = p->gradient * (double)s->training.batch_size / (double)ranks / p->rate;
  p->seconds[1] = p->newton_schulz > 0 ? setup_share(&n->table, s, ranks) / p->rate : 0;
  p->seconds[2] = p->seconds[0] + p->seconds[1];
  return STATUS_OK;
}
