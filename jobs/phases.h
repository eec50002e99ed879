/* phases.h - where the time of a step goes, by phase. A phase lasts until the next one begins.
 * NULL in place of a struct phases: nothing is measured. Units: seconds. Errors: none. Ranks: local. */
#ifndef JOBS_PHASES_H
#define JOBS_PHASES_H

enum phase { PHASE_OTHER, PHASE_DATA, PHASE_DRAW, PHASE_GUIDANCE, PHASE_FORWARD, PHASE_PERCEPTUAL, PHASE_BACKWARD, PHASE_REDUCE,
             PHASE_OPTIMIZER, PHASE_EMA, PHASES };
struct phases {
  double seconds[PHASES], since;
  enum phase now;
};
extern const char *const phase_name[PHASES];
void phases_begin(struct phases *p, enum phase phase);
/* Begins anew, with all at zero. */
void phases_reset(struct phases *p);
#endif
