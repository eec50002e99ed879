/* import.c - pmf import: weights that others trained, as a checkpoint. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/checkpoint.h"
#include "io/settings.h"
#include "io/words.h"
#include "jobs/import_match.h"
#include "jobs/import_network.h"
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

static char in[TEXT_MAX], out[TEXT_MAX], part[TEXT_MAX], heads[TEXT_MAX];
static struct word words[] = {
  { .name = "in", .type = WORD_TEXT, .value = in, .help = "the file: .safetensors, .pt or .pth" },
  { .name = "out", .type = WORD_TEXT, .value = out, .help = "the checkpoint to write, for example b16.h5" },
  { .name = "part", .type = WORD_TEXT, .value = part,
    .help = "where the file holds several nets: what the names of the one begin with, for example ema" },
  { .name = "heads", .type = WORD_TEXT, .value = heads, .help = "with VGG-16 as in=: the file of LPIPS' weights" },
};
enum { IN, OUT, PART, HEADS, WORDS };

void import_help(void) {
  puts("usage: pmf import in=FILE out=FILE.h5 [preset=NAME | config=FILE.yml] [key=value ...]\n\n"
       "Reads weights that were released as .safetensors or by torch.save, and writes a checkpoint for\n"
       "sample, score, export, inspect and verify; `pmf train load_from=` begins with it. Nothing in the\n"
       "file is run. float32, float16 and bfloat16 are read; tensors of no use here are named and left out.\n"
       "Without preset= and config= the sizes of the net follow from the shapes; those of a published net\n"
       "bring its preset. Released weights have no head for v, which only training needs.\n"
       "Networks that look at images are recognised by their tensors and become a file for\n"
       "model.lpips_weights, model.convnext_weights and pmf score inception=: VGG-16 of torchvision\n"
       "(with heads=: LPIPS v0.1's), ConvNeXt-V2\n"
       "of Hugging Face, Inception of pytorch-fid. The SHA-256 of what was read is printed and kept.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n"
       "  pmf import in=pMF-B-16.pt out=b16.h5\n"
       "  pmf import in=mine.safetensors out=mine.h5 config=mine.yml\n"
       "  pmf import in=vgg16.pth heads=vgg.pth out=lpips.h5\n"
       "  pmf sample checkpoint=b16.h5 classes=207,360 n=16 out=dogs.png\n\n"
       "settings: pmf help settings");
}

static const char *given_heads(void) { return words[HEADS].given ? heads : NULL; }

static int read_words(int argc, char **argv, struct settings *s) {
  const int status = settings_load(s, argc, argv, words, WORDS, NULL, 0);
  if (status) return status;
  if (!words[IN].given) return because(STATUS_BAD, "in= is missing: the file of weights, as in=pMF-B-16.pt");
  if (!words[OUT].given) return because(STATUS_BAD, "out= is missing: the checkpoint to write, as out=b16.h5");
  if (!access(out, F_OK)) return because(STATUS_BAD, "out=%s is there already, and import replaces nothing", out);
  return STATUS_OK;
}

static int choose_prefix(struct import *p) {
  char also[WEIGHTS_NAME] = "";
  if (!import_prefix(&p->file, mouth, part, p->prefix, also))
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

/* A block that this net has not: the file's net is a deeper one. */
static bool is_block(const char *name) {
  return !strncmp(name, "shared_blocks.", 14) || !strncmp(name, "u_heads.", 8) || !strncmp(name, "v_heads.", 8);
}

static int read_all(struct import *p, const struct import_part *all) {
  p->weights = calloc(p->table.size, sizeof *p->weights);   /* what lies between tensors is zero */
  return p->weights ? import_read(all, p->weights) : because(STATUS_NOMEM, "no memory for %zu weights", p->table.size);
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
  if (!status && import_is_network(&p->file)) return import_network(&p->file, given_heads(), out, argc, argv);
  if (!status && given_heads()) status = because(STATUS_BAD, "heads=%s: they belong to VGG-16, which %s is not", heads, in);
  if (!status) status = choose_prefix(p);
  if (!status) status = settle(p, argc, argv);
  const struct import_part all = { &p->file, p->prefix, 0, &p->table, is_block };
  if (!status) status = import_match(&all);
  if (!status) status = read_all(p, &all);
  if (!status) status = save(p);
  if (status) return status;
  import_tell_unused(&all);
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
