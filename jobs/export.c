#include <hdf5.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/checkpoint.h"
#include "io/safetensors.h"
#include "io/settings.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "src/base/status.h"
#include "src/net/net.h"

/* What the user asked for. */
struct order { char in[TEXT_MAX], out[TEXT_MAX], ema[TEXT_MAX], v_head[TEXT_MAX]; };
enum { IN, OUT, EMA, V_HEAD, WORDS };

static void make_words(struct order *o, struct word words[WORDS]) {
  const struct word table[WORDS] = {
    [IN] = { .name = "in", .type = WORD_TEXT, .value = o->in, .help = "the folder of a run, or a checkpoint file" },
    [OUT] = { .name = "out", .type = WORD_TEXT, .value = o->out,
              .help = "the file to write, for example fashion.safetensors" },
    [EMA] = { .name = "ema", .type = WORD_TEXT, .value = o->ema,
              .help = "raw, or an average as ema500; without it the run's sampling.ema" },
    [V_HEAD] = { .name = "v_head", .type = WORD_TEXT, .value = o->v_head,
                 .help = "yes: also the head for v, which only training needs (no)" },
  };
  memcpy(words, table, sizeof table);
}

static int read_order(int argc, char **argv, struct order *o) {
  struct word words[WORDS];
  *o = (struct order) { .v_head = "no" };
  make_words(o, words);
  const int status = words_parse(argc, argv, words, WORDS, NULL, 0);
  if (status) return status;
  if (!words[IN].given)
    return because(STATUS_BAD, "in= is missing: expected the folder of a run or a checkpoint, as in=runs/fashion");
  if (!words[OUT].given)
    return because(STATUS_BAD, "out= is missing: expected the file to write, as out=fashion.safetensors");
  if (H5Fis_hdf5(o->out) > 0)   /* a slip of the words would cost a run */
    return because(STATUS_BAD, "out=%s is an HDF5 file, which export does not replace; expected a name as fashion.safetensors",
                   o->out);
  if (strcmp(o->v_head, "yes") && strcmp(o->v_head, "no"))
    return because(STATUS_BAD, "v_head=%s: expected yes or no", o->v_head);
  return STATUS_OK;
}

/* A run's newest sound checkpoint, or the file itself. */
static int find_input(const char *in, char path[PATH_MAX]) {
  struct stat facts;
  char warning[1024] = "";
  if (stat(in, &facts) || !S_ISDIR(facts.st_mode)) {
    snprintf(path, PATH_MAX, "%s", in);
    return STATUS_OK;
  }
  const int status = checkpoint_find(MPI_COMM_SELF, in, false, path, PATH_MAX, warning, sizeof warning);
  if (status) return status;
  if (!*path) return because(STATUS_BAD, "in=%s: holds no checkpoint.h5", in);
  if (*warning) fprintf(stderr, "pmf export: %s; using %s\n", warning, path);
  return STATUS_OK;
}

/* The array that is meant by ema=, or by the run's settings: raw weights are the array `weights`. */
static int choose_array(const char *path, const struct checkpoint_info *info, const char *ema, struct flat *flat) {
  char wanted[TEXT_MAX], known[512] = "raw";
  snprintf(wanted, sizeof wanted, "%s", ema);
  if (!*ema) {
    struct settings *s = malloc(sizeof *s);
    if (!s) return because(STATUS_NOMEM, "no memory for settings");
    settings_default(s);
    const int status = settings_parse(s, info->settings, strlen(info->settings), path);
    snprintf(wanted, sizeof wanted, "%s", *s->sampling.ema ? s->sampling.ema : "raw");
    free(s);
    if (status) return status;
  }
  for (size_t i = 0; i < info->n_flats; i++) {
    const char *name = info->flats[i].name;
    const bool raw = !strcmp(name, "weights");
    if (!strcmp(wanted, raw ? "raw" : name) && (raw || !strncmp(name, "ema", 3))) {
      *flat = info->flats[i];
      return flat->size == info->table.size ? STATUS_OK
        : because(STATUS_BAD, "%s: array %s has %zu elements, its index says %zu", path, name, flat->size, info->table.size);
    }
    if (!strncmp(name, "ema", 3)) {
      const size_t used = strlen(known);
      snprintf(known + used, sizeof known - used, ", %s", name);
    }
  }
  return because(STATUS_BAD, "ema=%s: %s holds %s", wanted, path, known);
}

static bool without_v_head(const struct tensor *t) { return !net_in_v_head(t); }

static int write_weights(const struct order *o, const char *path, const struct checkpoint_info *info, struct flat *flat) {
  char note[256];
  bool (*wanted)(const struct tensor *) = strcmp(o->v_head, "yes") ? without_v_head : NULL;
  const char *kind = strcmp(flat->name, "weights") ? flat->name : "raw";
  if (!wanted && !setup_has_v_head(&info->table))
    return because(STATUS_BAD, "v_head=yes: %s has no v head, as imported weights", path);
  flat->data = malloc(flat->size * sizeof(float) + 1);
  if (!flat->data) return because(STATUS_NOMEM, "%s: no memory for %zu weights", path, flat->size);
  int status = checkpoint_load(MPI_COMM_SELF, path, flat, 1);
  snprintf(note, sizeof note, "pixel MeanFlow, %s weights at step %llu, %llu images seen", kind,
           (unsigned long long)info->step, (unsigned long long)info->images_seen);
  if (!status) status = safetensors_write(o->out, &info->table, flat->data, "net.", wanted, note);
  free(flat->data);
  if (status) return status;
  size_t tensors = 0, parameters = 0;
  for (size_t i = 0; i < info->table.count; i++) {
    const struct tensor *t = &info->table.tensors[i];
    if (wanted && !wanted(t)) continue;
    tensors++;
    parameters += t->size;
  }
  printf("%s: %zu tensors, %zu parameters, %s weights of %s at step %llu\n", o->out, tensors, parameters, kind, path,
         (unsigned long long)info->step);
  return STATUS_OK;
}

static int export_one(int argc, char **argv) {
  struct order o;
  char path[PATH_MAX];
  struct checkpoint_info info = { 0 };
  struct flat flat;
  int status = read_order(argc, argv, &o);
  if (!status) status = find_input(o.in, path);
  if (!status) status = checkpoint_info(path, &info);
  if (!status) status = choose_array(path, &info, o.ema, &flat);
  if (!status) status = write_weights(&o, path, &info, &flat);
  checkpoint_info_free(&info);
  return status;
}

int export_run(const struct world *w, int argc, char **argv) {
  return agree(w->comm, w->rank == 0 ? export_one(argc, argv) : STATUS_OK);
}

void export_help(void) {
  struct order o = { .v_head = "no" };
  struct word words[WORDS];
  make_words(&o, words);
  printf("usage: pmf export in=RUN|FILE.h5 out=FILE.safetensors [words]\n\n"
         "Writes the weights of a checkpoint as safetensors, float32, under the names of the authors'\n"
         "PyTorch checkpoints (net.blocks.0...). Of a run it takes the newest checkpoint that is sound.\n"
         "FILE.safetensors is replaced once the new one is complete.\n\n");
  words_help(words, WORDS);
  printf("\nexamples:\n"
         "  pmf export in=runs/fashion out=fashion.safetensors\n"
         "  pmf export in=runs/fashion/checkpoint.h5 out=raw.safetensors ema=raw v_head=yes\n");
}
