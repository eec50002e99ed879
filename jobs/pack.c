#include <errno.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "io/dataset.h"
#include "io/folder_list.h"
#include "io/hdf.h"
#include "io/idx.h"
#include "io/settings.h"
#include "io/shapes.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/pack.h"
#include "mpi/agree.h"
#include "src/base/status.h"

/* What the user asked for. */
struct order {
  char idx[TEXT_MAX], folder[TEXT_MAX], heldout[TEXT_MAX], upscale[TEXT_MAX], manifest[TEXT_MAX], out[TEXT_MAX];
  long n, size, channels, seed, holdout, classes, first;
};
enum source { FROM_IDX, FROM_FOLDER, FROM_SHAPES };
enum { OUT, IDX, CLASSES, FIRST, FOLDER, HELDOUT, MANIFEST, CHANNELS, UPSCALE, COUNT, SIZE, SEED, HOLDOUT, WORDS };
#define SEED_MAX 9007199254740992.0          /* exact in double */
#define FASHION_LABELS 0x97e6779495a8b4baU   /* XXH64 of Fashion-MNIST's 60000 training labels, a byte each */

static struct order default_order(void) {
  return (struct order) { .n = 20000, .size = 64, .channels = 3, .seed = 1, .upscale = "no" };
}

static void make_words(struct order *o, struct word words[WORDS]) {
  const struct word table[WORDS] = {
    [OUT] = { .name = "out", .type = WORD_TEXT, .value = o->out, .help = "the file to write, for example data/set.h5" },
    [IDX] = { .name = "idx", .type = WORD_TEXT, .value = o->idx,
              .help = "folder with the four IDX files of a set like MNIST, plain or .gz; t10k is held out" },
    [CLASSES] = { .name = "classes", .type = WORD_INTEGER, .value = &o->classes, .min = 1, .max = 256,
                  .help = "idx: number of classes; without it as many as the training labels name" },
    [FIRST] = { .name = "first", .type = WORD_INTEGER, .value = &o->first, .min = 1, .max = 1e9,
                .help = "idx: as many training images alone, the first; all" },
    [FOLDER] = { .name = "folder", .type = WORD_TEXT, .value = o->folder,
                 .help = "folder of class folders of PNG and JPEG files; needs size=" },
    [HELDOUT] = { .name = "heldout", .type = WORD_TEXT, .value = o->heldout,
                  .help = "folder: another such folder, of the same classes, to be held out" },
    [MANIFEST] = { .name = "manifest", .type = WORD_TEXT, .value = o->manifest,
                   .help = "folder: FILE.csv that pmf check-data wrote of it: takes what is good there and has not changed since" },
    [CHANNELS] = { .name = "channels", .type = WORD_INTEGER, .value = &o->channels, .min = 1, .max = 3,
                   .help = "folder: 3 for colour (default), 1 for grey" },
    [UPSCALE] = { .name = "upscale", .type = WORD_TEXT, .value = o->upscale,
                  .help = "folder: yes takes pictures smaller than size= too (no)" },
    [COUNT] = { .name = "n", .type = WORD_INTEGER, .value = &o->n, .min = 1, .max = 1e9,
                .help = "shapes: training images (20000)" },
    [SIZE] = { .name = "size", .type = WORD_INTEGER, .value = &o->size, .min = 1, .max = 4096,
               .help = "pixels a side (shapes: 64); with idx= that of the files" },
    [SEED] = { .name = "seed", .type = WORD_INTEGER, .value = &o->seed, .min = 0, .max = SEED_MAX,
               .help = "shapes: another seed draws other images; folder: holds others out (1)" },
    [HOLDOUT] = { .name = "holdout", .type = WORD_INTEGER, .value = &o->holdout, .min = 0, .max = 1e9,
                  .help = "shapes, folder: held-out images; by default a tenth (folder: at most 10000)" },
  };
  memcpy(words, table, sizeof table);
}

/* What each source takes beside out=. */
static int check_words(const struct order *o, const struct word *words, enum source source) {
  static const char *const names[] = { [FROM_IDX] = "idx=DIR", [FROM_FOLDER] = "folder=DIR", [FROM_SHAPES] = "shapes" };
  static const struct { int word; bool takes[3]; const char *wanted_by; } rules[] = {
    { CLASSES,  { [FROM_IDX] = true },                          "idx=DIR" },
    { FIRST,    { [FROM_IDX] = true },                          "idx=DIR" },
    { COUNT,    { [FROM_SHAPES] = true },                       "shapes" },
    { SEED,     { [FROM_SHAPES] = true, [FROM_FOLDER] = true }, "shapes and folder=DIR" },
    { HOLDOUT,  { [FROM_SHAPES] = true, [FROM_FOLDER] = true }, "shapes and folder=DIR" },
    { HELDOUT,  { [FROM_FOLDER] = true },                       "folder=DIR" },
    { MANIFEST, { [FROM_FOLDER] = true },                       "folder=DIR" },
    { CHANNELS, { [FROM_FOLDER] = true },                       "folder=DIR" },
    { UPSCALE,  { [FROM_FOLDER] = true },                       "folder=DIR" },
  };
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (words[rules[i].word].given && !rules[i].takes[source])
      return because(STATUS_BAD, "%s= goes with %s only, not with %s", words[rules[i].word].name, rules[i].wanted_by,
                     names[source]);
  if (source == FROM_SHAPES && o->size < SHAPES_SIZE_MIN)
    return because(STATUS_BAD, "size=%ld: shapes need at least %d pixels a side", o->size, SHAPES_SIZE_MIN);
  if (source != FROM_FOLDER) return STATUS_OK;
  if (!words[SIZE].given) return because(STATUS_BAD, "size= is missing: expected pixels a side, as size=64");
  if (o->channels == 2) return because(STATUS_BAD, "channels=2: expected 3 for colour or 1 for grey");
  if (strcmp(o->upscale, "yes") && strcmp(o->upscale, "no"))
    return because(STATUS_BAD, "upscale=%s: expected yes or no", o->upscale);
  if (words[HELDOUT].given && words[HOLDOUT].given)
    return because(STATUS_BAD, "holdout= and heldout=: expected one of them, a number of images to draw or their folder");
  return STATUS_OK;
}

/* out= and exactly one source, with the words of that source. */
static int read_order(int argc, char **argv, struct order *o, enum source *source) {
  struct word words[WORDS];
  char *bare[2] = { NULL, NULL };
  *o = default_order(), *source = FROM_IDX;
  make_words(o, words);
  int status = words_parse(argc, argv, words, WORDS, bare, 1);
  if (status) return status;
  if (bare[0] && strcmp(bare[0], "shapes"))
    return because(STATUS_BAD, "%s: not a source; expected idx=DIR, folder=DIR or shapes", bare[0]);
  const int sources = !!bare[0] + words[IDX].given + words[FOLDER].given;
  if (sources != 1)
    return because(STATUS_BAD, "%s: expected idx=DIR, folder=DIR or shapes",
                   sources ? "more than one source" : "nothing to pack");
  if (!words[OUT].given) return because(STATUS_BAD, "out= is missing: expected the file to write, as out=data/set.h5");
  *source = bare[0] ? FROM_SHAPES : words[IDX].given ? FROM_IDX : FROM_FOLDER;
  status = check_words(o, words, *source);
  if (!words[SIZE].given && *source == FROM_IDX) o->size = 0;
  if (!words[HOLDOUT].given) o->holdout = *source == FROM_FOLDER ? HOLDOUT_DEFAULT : o->n / 10;
  return status;
}

static bool is_checkpoint(const char *path) {
  char format[64] = "";
  hid_t file;
  if (access(path, F_OK) || hdf_open(&file, path)) return false;
  hdf_get_text(file, "format", format, sizeof format);
  H5Fclose(file);
  return !strcmp(format, "pmf-checkpoint");
}

/* The folder of the file is made if only it is missing. */
static int prepare_folder(const char *out) {
  char copy[TEXT_MAX];
  struct stat facts;
  if (!stat(out, &facts) && !S_ISREG(facts.st_mode))
    return because(STATUS_BAD, "out=%s: is there and is not a file", out);
  if (is_checkpoint(out)) return because(STATUS_BAD, "out=%s: is a checkpoint, which pack does not replace", out);
  snprintf(copy, sizeof copy, "%s", out);
  const char *folder = dirname(copy);
  if (mkdir(folder, 0777) && errno != EEXIST)
    return because(STATUS_BAD, "out=%s: the folder %s cannot be made: %s", out, folder, strerror(errno));
  if (stat(folder, &facts) || !S_ISDIR(facts.st_mode))
    return because(STATUS_BAD, "out=%s: %s is not a folder", out, folder);
  if (access(folder, W_OK))
    return because(STATUS_BAD, "out=%s: %s cannot be written to: %s", out, folder, strerror(errno));
  return STATUS_OK;
}

/* Names of the classes: the order's source knows them, or they are numbers. */
typedef char class_name[CLASS_NAME_MAX];

static class_name *name_classes(size_t classes, const char *const *names) {
  class_name *list = calloc(classes, sizeof *list);
  for (size_t i = 0; list && i < classes; i++) {
    if (names) snprintf(list[i], sizeof *list, "%s", names[i]);
    else snprintf(list[i], sizeof *list, "%zu", i);
  }
  return list;
}

/* IDX files hold no names; Fashion-MNIST is known by its training labels. */
static const char *const *idx_names(const struct images *train) {
  static const char *const fashion[] = { "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker",
                                         "bag", "ankle boot" };
  uint8_t *labels = malloc(train->count);
  if (!labels) return NULL;
  for (size_t i = 0; i < train->count; i++) labels[i] = (uint8_t)train->labels[i];
  const uint64_t hash = XXH64(labels, train->count, 0);
  free(labels);
  return train->classes == 10 && hash == FASHION_LABELS ? fashion : NULL;
}

/* Image i of the split is picture first + i of the seed. */
static int draw(const struct order *o, uint64_t first, long count, struct images *m) {
  const size_t size = (size_t)o->size, bytes = size * size * SHAPES_CHANNELS;
  *m = (struct images) { .count = (size_t)count, .size = size, .channels = SHAPES_CHANNELS, .classes = SHAPES };
  m->pixels = m->count < SIZE_MAX / bytes ? malloc(m->count * bytes + 1) : NULL;   /* there may be none */
  m->labels = malloc((m->count + 1) * sizeof *m->labels);
  if (!m->pixels || !m->labels)
    return because(STATUS_NOMEM, "no memory for %ld images of %ld x %ld pixels: fewer (n=) or smaller ones (size=) fit",
                   count, o->size, o->size);
  for (size_t i = 0; i < m->count; i++)
    m->labels[i] = shapes_draw((uint64_t)o->seed, first + i, size, m->pixels + i * bytes);
  return STATUS_OK;
}

static void free_images(struct images *m) {
  free(m->pixels);
  free(m->labels);
}

/* Both splits of the source, to be freed also after an error. */
static int collect(const struct order *o, bool shapes, struct images part[2]) {
  struct idx x;
  int status;
  if (shapes) {
    status = draw(o, 0, o->n, &part[SPLIT_TRAIN]);
    return status ? status : draw(o, (uint64_t)o->n, o->holdout, &part[SPLIT_HELDOUT]);
  }
  status = idx_read(&x, o->idx, (size_t)o->classes);
  memcpy(part, x.part, sizeof x.part);   /* its arrays are ours now */
  if (!status && o->size && (size_t)o->size != part[SPLIT_TRAIN].size)
    status = because(STATUS_BAD, "size=%ld: the images of %s have %zu pixels a side; resizing comes in a later version",
                     o->size, o->idx, part[SPLIT_TRAIN].size);
  return status;
}

int pack_report(const char *out) {
  struct dataset d;
  struct stat facts;
  char name[4 * CLASS_NAME_MAX];
  const int status = dataset_open(&d, out);
  if (status) return status;
  if (stat(out, &facts)) facts.st_size = 0;
  printf("%s: %zu images of %zu x %zu pixels, %zu channel%s, %zu classes, %lld bytes\n", out, d.count[0] + d.count[1],
         d.image_size, d.image_size, d.channels, d.channels == 1 ? "" : "s", d.classes, (long long)facts.st_size);
  printf("classes: ");
  for (size_t i = 0; i < d.classes; i++) printf("%s%s", i ? ", " : "", folder_list_escape(d.class_names[i], name, sizeof name));
  printf("\ntrain %zu images, held out %zu", d.count[SPLIT_TRAIN], d.count[SPLIT_HELDOUT]);
  dataset_close(&d);
  return STATUS_OK;
}

static void join_words(int argc, char **argv, char *text, size_t n) {
  size_t at = (size_t)snprintf(text, n, "pmf pack");
  for (int i = 0; i < argc && at < n; i++) at += (size_t)snprintf(text + at, n - at, " %s", argv[i]);
}

/* What one rank does alone: the whole set fits in its memory. */
static int pack(const struct order *o, bool shapes, const char *command) {
  struct images part[2] = { { 0 }, { 0 } };
  class_name *names = NULL;
  char source[TEXT_MAX + 64];
  size_t dropped = 0;
  int status = collect(o, shapes, part);
  if (!status) {
    names = name_classes(part[0].classes, shapes ? shapes_names : idx_names(&part[0]));
    if (!names) status = because(STATUS_NOMEM, "no memory for class names");
  }
  struct images *train = &part[SPLIT_TRAIN];   /* all of which had to be there for the names */
  if (o->first && (size_t)o->first < train->count) train->count = (size_t)o->first;
  if (shapes) snprintf(source, sizeof source, "shapes, seed %ld", o->seed);
  else snprintf(source, sizeof source, "IDX files of %s", o->idx);
  if (!status) status = dataset_write(o->out, &part[0], &part[1], names, source, command, &dropped);
  if (!status) status = pack_report(o->out);
  if (!status) printf(" (%zu dropped: their pixels occur in train or twice)\n", dropped);
  for (int i = 0; i < 2; i++) free_images(&part[i]);
  free(names);
  return status;
}

int pack_run(const struct world *w, int argc, char **argv) {
  struct order o;
  enum source source;
  char command[4 * TEXT_MAX];
  int status = agree(w->comm, read_order(argc, argv, &o, &source));
  if (!status) status = agree(w->comm, w->rank == 0 ? prepare_folder(o.out) : STATUS_OK);
  if (status) return status;
  join_words(argc, argv, command, sizeof command);
  if (source != FROM_FOLDER) return agree(w->comm, w->rank == 0 ? pack(&o, source == FROM_SHAPES, command) : STATUS_OK);
  const struct folder_order f = {
    .folder = o.folder, .heldout = o.heldout, .manifest = o.manifest, .out = o.out, .command = command, .size = o.size, .channels = o.channels,
    .holdout = o.holdout, .seed = (uint64_t)o.seed, .upscale = !strcmp(o.upscale, "yes"),
  };
  return pack_folder(w, &f);
}

void pack_help(void) {
  struct order o = default_order();
  struct word words[WORDS];
  make_words(&o, words);
  printf("usage: pmf pack idx=DIR | folder=DIR | shapes   out=FILE.h5 [words]\n\n"
         "Packs labelled images into one HDF5 file for pmf train: uint8 pixels, labels and class names, a\n"
         "training and a held-out split that share no image, checksums. An existing FILE.h5 is replaced once\n"
         "the new one is complete.\n"
         "`folder` takes DIR/CLASS/FILE, PNG or JPEG, on all ranks: the largest centred square, resized to\n"
         "size= with the bytes that published statistics are made from. EXIF's orientation is ignored. Files\n"
         "that cannot be used are left out and named, all of them in FILE.h5.left_out.txt; pmf check-data\n"
         "names the bad ones beforehand.\n"
         "`shapes` draws circles, squares, triangles, stars, rings, crosses, moons and hearts: data without\n"
         "a download.\n\n");
  words_help(words, WORDS);
  printf("\nexamples:\n"
         "  pmf pack idx=/usr/share/datasets/fashion-mnist out=data/fashion.h5\n"
         "  mpirun -n 4 pmf pack folder=photos size=256 out=data/photos.h5\n"
         "  mpirun -n 4 pmf pack folder=photos size=256 manifest=photos.csv out=data/photos.h5\n"
         "  pmf pack shapes n=20000 size=64 out=data/shapes64.h5\n");
}
