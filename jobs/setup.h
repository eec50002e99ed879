/* setup.h - from the words of the settings to the structs of the mathematics. Errors: none (settings_check came before).
 * Ranks: local. */
#ifndef JOBS_SETUP_H
#define JOBS_SETUP_H
#include "io/settings.h"
#include "mpi/reduction.h"
#include "src/flow/guidance.h"
#include "src/flow/objective.h"
#include "src/flow/sampler.h"
#include "src/flow/times.h"
#include "src/optim/optimizer.h"
#include "src/optim/schedule.h"

struct net_config setup_net(const struct settings *s);
/* Does this table, of a checkpoint, have a head for v? Imported weights may have none. */
int setup_has_v_head(const struct table *t);
struct times setup_times(const struct settings *s);
struct guidance setup_guidance(const struct settings *s);
struct objective_config setup_objective(const struct settings *s);
/* Do owners alone have moments and EMAs (training.shard)? */
int setup_sharded(const struct settings *s, int ranks);
/* Do ranks help owners with large matrices (mpi/crew.h)? Not where bits must not depend on how many there are. */
int setup_crews(const struct settings *s, int ranks);
/* Sets the owners of the table's tensors and, where ranks help, their crews. Returns the most flops that a rank gets. */
double setup_share(struct table *t, const struct settings *s, int ranks);
/* How gradients travel. */
struct reduction_config setup_reduction(const struct settings *s, int ranks);
struct optimizer setup_optimizer(const struct settings *s);
/* The guidance scale of images of so many evaluations. */
double setup_omega(const struct settings *s, size_t steps);
struct sampler setup_sampler(const struct settings *s);
/* Steps of the whole run: training.steps, or num_epochs of floor(images/batch) steps. */
uint64_t setup_steps(const struct settings *s, size_t images);
/* Steps from one checkpoint to the next, by every_steps or every_epochs; 0: not counted in steps. */
uint64_t setup_save_steps(const struct settings *s, size_t images);
struct schedule setup_schedule(const struct settings *s, size_t images);
/* The decay of EMA number i at the step that makes `seen` images seen. */
double setup_ema_decay(const struct settings *s, int i, double seen);
/* The array's name in a checkpoint: "ema" and the number. */
void setup_ema_name(const struct settings *s, int i, char name[static 32]);
#endif
