/* tiny.h - a run small enough for a test: drawn shapes in a packed file of a temporary folder, and a net of some
 * thousand weights for them. Include harness.h with HARNESS_MPI before.
 * Errors: a test that cannot set itself up ends. Ranks: collective where it says so. */
#ifndef TESTS_TINY_H
#define TESTS_TINY_H
#include <ftw.h>
#include <unistd.h>

#include "io/dataset.h"
#include "io/settings.h"
#include "io/shapes.h"
#include "jobs/setup.h"
#include "mpi/world.h"
#include "src/base/status.h"
#include "tests/folder.h"

enum { TINY_SIZE = 8, TINY_IMAGES = 23 };

/* This process as a world of its own. */
static const struct world alone = { .comm = MPI_COMM_SELF, .rank = 0, .ranks = 1 };

static char tiny_folder[256];
static struct dataset tiny_data;

static inline void tiny_must(int status) {
  if (!status) return;
  fprintf(stderr, "rank %d: %s\n", world.rank, status_reason());
  MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
}

static inline void tiny_pack(const char *path) {
  static char names[SHAPES][CLASS_NAME_MAX];
  static uint8_t pixels[TINY_IMAGES + 1][TINY_SIZE][TINY_SIZE][SHAPES_CHANNELS];
  int32_t labels[TINY_IMAGES + 1];
  size_t dropped;
  for (int k = 0; k < SHAPES; k++) snprintf(names[k], sizeof names[k], "%s", shapes_names[k]);
  for (int i = 0; i <= TINY_IMAGES; i++) labels[i] = shapes_draw(3, (uint64_t)i, TINY_SIZE, &pixels[i][0][0][0]);
  const struct images train = { TINY_IMAGES, TINY_SIZE, SHAPES_CHANNELS, SHAPES, &pixels[0][0][0][0], labels };
  const struct images heldout = { 1, TINY_SIZE, SHAPES_CHANNELS, SHAPES, &pixels[TINY_IMAGES][0][0][0],
                                  labels + TINY_IMAGES };
  tiny_must(dataset_write(path, &train, &heldout, names, "shapes", "a test", &dropped));
}

/* COLLECTIVE. Makes the folder and the packed file in it, and opens that on every rank. */
static inline void tiny_open(void) {
  char path[300];
  if (world.rank == 0) new_folder(tiny_folder);
  MPI_Bcast(tiny_folder, sizeof tiny_folder, MPI_CHAR, 0, world.comm);
  snprintf(path, sizeof path, "%s/shapes.h5", tiny_folder);
  if (world.rank == 0) tiny_pack(path);
  MPI_Barrier(world.comm);
  tiny_must(dataset_open(&tiny_data, path));
}

static inline int tiny_remove(const char *path, const struct stat *s, int type, struct FTW *at) {
  (void)s, (void)type, (void)at;
  return remove(path);
}

/* COLLECTIVE. */
static inline void tiny_close(void) {
  dataset_close(&tiny_data);
  MPI_Barrier(world.comm);
  if (world.rank == 0) nftw(tiny_folder, tiny_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Settings in which every part of the step is at work. */
static inline struct settings tiny_settings(void) {
  struct settings s;
  settings_default(&s);
  s.dataset.image_size = TINY_SIZE;
  s.dataset.image_channels = SHAPES_CHANNELS;
  s.dataset.num_classes = SHAPES;
  s.dataset.use_flip = true;
  s.model.patch_size = 4;
  s.model.depth = 2;
  s.model.aux_head_depth = 1;
  s.model.hidden_size = 16;
  s.model.num_heads = 2;
  s.model.num_class_tokens = 2;
  s.model.num_time_tokens = s.model.num_cfg_tokens = s.model.num_interval_tokens = 1;
  s.model.noise_scale = 0.8;
  s.model.tr_uniform = true;
  s.training.batch_size = 6;
  s.training.seed = 5;
  s.training.steps = 40;
  s.training.learning_rate = 0.01;
  s.training.lr_schedule = SCHEDULE_COSINE;
  s.training.warmup_epochs = 1;
  s.training.ema_val = (struct list){ { 0.0015, 2 }, 2 };   /* a step or so; a twentieth of the images seen */
  snprintf(s.sampling.ema, sizeof s.sampling.ema, "ema2");
  tiny_must(settings_check(&s));
  return s;
}

static inline void tiny_net(struct net *n, const struct settings *s) {
  const struct net_config config = setup_net(s);
  tiny_must(net_init(n, &config, s->training.optimizer == OPTIMIZER_ADAMW));
}
#endif
