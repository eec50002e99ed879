/* import.c - pmf import: weights that others trained, as a checkpoint. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/checkpoint.h"
#include "io/settings.h"
#include "io/words.h"
#include "jobs/import_sizes.h"
#include "jobs/jobs.h"
#include "jobs/setup.h"
#include "mpi/agree.h"
#include "src/base/status.h"

static const char mouth[] = "x_embedder.proj1.weight";   /* every net has one */

struct import {
  struct weights file;
  char prefix[WEIGHTS_NAME];       /* of the tensors that are taken */
  struct settings s;
  bool derived;                    /* the sizes, from shapes */
  struct import_sizes sizes;
  struct net net;
  struct table table;              /* the net's, without v head where the file has none */
  float *weights;                  /* [table.size] */
};

static char in[TEXT_MAX], out[TEXT_MAX], part[TEXT_MAX];
static struct word words[] = {
  { .name = "in", .type = WORD_TEXT, .value = in, .help = "the file: .safetensors, .pt or .pth" },
  { .name = "out", .type = WORD_TEXT, .value = out, .help = "the checkpoint to write, for example b16.h5" },
  { .name = "part", .type = WORD_TEXT, .value = part,
    .help = "where the file holds several nets: what the names of the one begin with, for example ema" },
};
enum { IN, OUT, PART, WORDS };

void import_help(void) {
  puts("usage: pmf import in=FILE out=FILE.h5 [preset=NAME | config=FILE.yml] [key=value ...]\n\n"
       "Reads weights that were released as .safetensors or by torch.save, and writes a checkpoint for\n"
       "sample, score, export, inspect and verify; `pmf train load_from=` begins with it. Nothing in the\n"
       "file is run. float32, float16 and bfloat16 are read; tensors of no use here are named and left out.\n"
       "Without preset= and config= the sizes of the net follow from the shapes; those of a published net\n"
       "bring its preset. Released weights have no head for v, which only training needs.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n"
       "  pmf import in=pMF-B-16.pt out=b16.h5\n"
       "  pmf import in=mine.safetensors out=mine.h5 config=mine.yml\n"
       "  pmf sample checkpoint=b16.h5 classes=207,360 n=16 out=dogs.png\n\n"
       "settings: pmf help settings");
}

static int read_words(int argc, char **argv, struct settings *s) {
  const int status = settings_load(s, argc, argv, words, WORDS, NULL, 0);
  if (status) return status;
  if (!words[IN].given) return because(STATUS_BAD, "in= is missing: the file of weights, as in=pMF-B-16.pt");
  if (!words[OUT].given) return because(STATUS_BAD, "out= is missing: the checkpoint to write, as out=b16.h5");
  if (!access(out, F_OK)) return because(STATUS_BAD, "out=%s is there already, and import replaces nothing", out);
  return STATUS_OK;
}

/* Lines on standard error, at most 20 of a kind. The names come from the file: what a terminal obeys is left out. */
__attribute__((format(printf, 2, 3))) static void say(size_t *said, const char *format, ...) {
  char line[768];
  va_list args;
  if (++*said > 20) return;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  for (char *c = line; *c; c++)
    if (iscntrl((unsigned char)*c)) *c = '?';
  fprintf(stderr, "%s\n", line);
}
static void say_rest(size_t said) {
  if (said > 20) fprintf(stderr, "... and %zu more\n", said - 20);
}

/* What stands before the name of every net's first tensor; *also: of another net in the file. False where there is none. */
static bool find_prefix(const struct weights *f, char prefix[WEIGHTS_NAME], char also[WEIGHTS_NAME]) {
  size_t found = 0;
  const size_t wanted = strlen(part);
  for (size_t i = 0; i < f->count; i++) {
    const char *name = f->tensors[i].name;
    const size_t n = strlen(name), m = sizeof mouth - 1;
    if (n < m || strcmp(name + n - m, mouth) || (n > m && name[n - m - 1] != '.')) continue;
    if (wanted && (strncmp(name, part, wanted) || name[wanted] != '.')) continue;
    snprintf(found++ ? also : prefix, WEIGHTS_NAME, "%.*s", (int)(n - m), name);
  }
  if (found < 2) *also = 0;
  return found > 0;
}

static int choose_prefix(struct import *p) {
  char also[WEIGHTS_NAME] = "";
  if (!find_prefix(&p->file, p->prefix, also))
    return because(STATUS_BAD, "%s: no net of this kind in it: no tensor %s%s%s", p->file.path, part, *part ? "..." : "",
                   mouth);
  if (*also)
    return because(STATUS_BAD, "%s: several nets in it: the names of one begin with %s, of another with %s; expected part= to"
                   " say which", p->file.path, p->prefix, also);
  return STATUS_OK;
}

/* A word "key=..." among the user's? */
static bool given(int argc, char **argv, const char *key) {
  const size_t n = strlen(key);
  for (int i = 0; i < argc; i++)
    if (!strncmp(argv[i], key, n) && argv[i][n] == '=') return true;
  return false;
}

/* The settings once more, with the sizes that the file tells as if the user had written them; the user's own win. */
static int derive(struct import *p, int argc, char **argv) {
  char text[IMPORT_SIZES + 1][96], **all = calloc((size_t)argc + IMPORT_SIZES + 1, sizeof *all);
  int n = 0, status = all ? STATUS_OK : because(STATUS_NOMEM, "no memory for the words");
  if (!status) status = import_sizes_read(&p->sizes, &p->file, p->prefix);
  if (!status && *p->sizes.preset) {
    snprintf(text[n], sizeof text[n], "preset=%s", p->sizes.preset);
    all[n] = text[n], n++;
  }
  for (int i = 0; i < IMPORT_SIZES && !status && !*p->sizes.preset; i++) {
    if (given(argc, argv, p->sizes.list[i].key)) continue;
    snprintf(text[n], sizeof text[n], "%s=%ld", p->sizes.list[i].key, p->sizes.list[i].value);
    all[n] = text[n], n++;
  }
  if (!status) {
    if (argc) memcpy(all + n, argv, (size_t)argc * sizeof *all);
    status = settings_load(&p->s, argc + n, all, words, WORDS, NULL, 0);
  }
  free(all);
  return status;
}

/* The weights of the file are what is sampled. */
static int settle(struct import *p, int argc, char **argv) {
  int status = STATUS_OK;
  p->derived = !given(argc, argv, "preset") && !given(argc, argv, "config") && !given(argc, argv, "model.model_str");
  if (p->derived) status = derive(p, argc, argv);
  if (!status && !given(argc, argv, "sampling.ema")) status = settings_set(&p->s, "sampling.ema", "raw", NULL);
  if (!status && strcmp(p->s.sampling.ema, "raw"))
    status = because(STATUS_BAD, "sampling.ema=%s: imported weights are raw, whatever they were", p->s.sampling.ema);
  if (!status) status = settings_check(&p->s);
  if (status) return status;
  const struct net_config config = setup_net(&p->s);
  status = net_init(&p->net, &config, p->s.training.optimizer == OPTIMIZER_ADAMW);
  if (status) return status;
  p->table = net_without_v_head(&p->net);
  for (size_t i = p->table.count; i < p->net.table.count; i++)   /* one of them, and all are expected */
    if (weights_find(&p->file, p->prefix, p->net.table.tensors[i].name)) {
      p->table = p->net.table;
      break;
    }
  return STATUS_OK;
}

static bool same_shape(const struct tensor *t, const struct weights_tensor *x) {
  bool same = x->rank == (size_t)t->rank;
  for (size_t d = 0; same && d < x->rank; d++) same = x->shape[d] == t->shape[d];
  return same;
}

static const char *shape_text(char text[96], const struct tensor *t) {
  int used = snprintf(text, 96, "[");
  for (int d = 0; d < t->rank; d++) used += snprintf(text + used, 96 - (size_t)used, "%s%zu", d ? "," : "", t->shape[d]);
  snprintf(text + used, 96 - (size_t)used, "]");
  return text;
}

/* A block that this net has not: the file's net is a deeper one. */
static bool is_block(const char *name) {
  return !strncmp(name, "shared_blocks.", 14) || !strncmp(name, "u_heads.", 8) || !strncmp(name, "v_heads.", 8);
}

/* Every tensor of the net is there, with its shape, and there is as much in the file as they take. All that differs is said. */
static int match(const struct import *p) {
  char found[128], expected[96];
  size_t missing = 0, wrong = 0, said = 0, bytes = 0;
  const size_t n = strlen(p->prefix);
  for (size_t i = 0; i < p->table.count; i++) {
    const struct tensor *t = &p->table.tensors[i];
    const struct weights_tensor *x = weights_find(&p->file, p->prefix, t->name);
    shape_text(expected, t);
    if (!x) {
      missing++;
      say(&said, "%s%s: missing, expected %s", p->prefix, t->name, expected);
    } else if (!same_shape(t, x) || x->kind->number == NUMBER_OTHER) {
      wrong++;
      say(&said, "%s: %s, expected %s", x->name, weights_text(found, x), expected);
    } else {
      bytes += x->size * x->kind->bytes;
    }
  }
  for (size_t i = 0; i < p->file.count; i++) {
    const char *name = p->file.tensors[i].name;
    if (!strncmp(name, p->prefix, n) && is_block(name + n) && !table_find(&p->table, name + n))
      say(&said, "%s: not in the net", name);
  }
  say_rest(said);
  if (said)
    return because(STATUS_BAD, "%s: %zu tensors do not fit: %zu missing, %zu of another shape or kind, %zu that the net has"
                   " not; are the sizes those of another net?", p->file.path, said, missing, wrong, said - missing - wrong);
  if (bytes > p->file.size)
    return because(STATUS_BAD, "%s: %zu bytes for tensors of %zu: several share theirs", p->file.path, p->file.size, bytes);
  return STATUS_OK;
}

/* The tensors under the prefix that are none of the net's; of the others only how many. */
static void tell_unused(const struct import *p) {
  char text[128];
  size_t said = 0, elsewhere = 0;
  const size_t n = strlen(p->prefix);
  for (size_t i = 0; i < p->file.count; i++) {
    const struct weights_tensor *x = &p->file.tensors[i];
    if (strncmp(x->name, p->prefix, n)) elsewhere++;
    else if (!table_find(&p->table, x->name + n)) say(&said, "left out: %s: %s", x->name, weights_text(text, x));
  }
  say_rest(said);
  if (elsewhere) fprintf(stderr, "left out: %zu tensors whose names do not begin with %s\n", elsewhere, p->prefix);
}

static int read_all(struct import *p) {
  p->weights = calloc(p->table.size, sizeof *p->weights);   /* what lies between tensors is zero */
  if (!p->weights) return because(STATUS_NOMEM, "no memory for %zu weights", p->table.size);
  for (size_t i = 0; i < p->table.count; i++) {
    const struct tensor *t = &p->table.tensors[i];
    const struct weights_tensor *x = weights_find(&p->file, p->prefix, t->name);
    const int status = weights_read(&p->file, x, p->weights + t->offset);
    if (status) return status;
    for (size_t j = t->offset; j < t->offset + t->size; j++)
      if (!isfinite(p->weights[j])) return because(STATUS_BAD, "%s: tensor %s holds %f", p->file.path, x->name, p->weights[j]);
  }
  return STATUS_OK;
}

static int save(const struct import *p) {
  char *text = settings_text(&p->s);
  if (!text) return because(STATUS_NOMEM, "no memory for the settings' text");
  const struct flat weights = flat_whole("weights", p->weights, p->table.size);
  const int status = checkpoint_save(MPI_COMM_SELF, out, &p->table, 0, 0, text, &weights, 1);
  free(text);
  return status;
}

/* What was assumed, and what the file has not. */
static void tell(const struct import *p) {
  const struct settings *s = &p->s;
  fprintf(stderr, "%s: %s, names begin with '%s'\n", p->file.path, p->file.format, p->prefix);
  if (*p->sizes.preset)
    fprintf(stderr, "its sizes are those of %s, whose settings are taken\n", p->sizes.preset);
  else if (p->derived)
    fprintf(stderr, "from its shapes: images of %ld x %ld x %ld in patches of %ld, %ld classes, depth %ld with heads of %ld,"
            " width %ld, %ld attention heads; not in them, as given or by default: model.noise_scale=%g, sampling.omega=%g,"
            " sampling.t_min=%g, sampling.t_max=%g\n", s->dataset.image_size, s->dataset.image_size, s->dataset.image_channels,
            s->model.patch_size, s->dataset.num_classes, s->model.depth, s->model.aux_head_depth, s->model.hidden_size,
            s->model.num_heads, s->model.noise_scale, s->sampling.omega, s->sampling.t_min, s->sampling.t_max);
  if (!setup_has_v_head(&p->table))
    fprintf(stderr, "no v head, as in released weights: sampling and scores do not need it; training asks for"
            " model.init_v_head=fresh\n");
}

static int import(struct import *p, int argc, char **argv) {
  int status = read_words(argc, argv, &p->s);
  if (!status) status = weights_open(&p->file, in);
  if (!status) status = choose_prefix(p);
  if (!status) status = settle(p, argc, argv);
  if (!status) status = match(p);
  if (!status) status = read_all(p);
  if (!status) status = save(p);
  if (status) return status;
  tell_unused(p);
  tell(p);
  printf("%s: %zu tensors, %zu parameters\n", out, p->table.count, table_parameters(&p->table));
  return STATUS_OK;
}

static int import_one(int argc, char **argv) {
  struct import *p = calloc(1, sizeof *p);
  if (!p) return because(STATUS_NOMEM, "no memory for an import");
  p->file.fd = -1;
  const int status = import(p, argc, argv);
  weights_close(&p->file);
  net_free(&p->net);
  free(p->weights);
  free(p);
  return status;
}

int import_run(const struct world *w, int argc, char **argv) {
  return agree(w->comm, w->rank == 0 ? import_one(argc, argv) : STATUS_OK);
}
