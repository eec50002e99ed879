/* check_data.c - pmf check-data: is every picture of a folder, or every image of a packed file, fit to be trained on? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/dataset.h"
#include "io/dataset_draft.h"
#include "io/progress.h"
#include "io/words.h"
#include "jobs/check_folder.h"
#include "jobs/jobs.h"
#include "mpi/agree.h"
#include "mpi/gather.h"
#include "mpi/reduce.h"
#include "src/base/status.h"

static char words_manifest[TEXT_MAX];
static struct word words[] = {
  { .name = "manifest", .type = WORD_TEXT, .value = words_manifest,
    .help = "FOLDER: a file FILE.csv to write, a line for each file: path, class, width, height, bytes, XXH64, state, reason" },
};
enum { MANIFEST, WORDS };

void check_data_help(void) {
  puts("usage: pmf check-data FOLDER | FILE.h5   [manifest=FILE.csv]\n\n"
       "FOLDER: class folders of PNG and JPEG files, as pmf pack folder= takes them. All ranks decode every\n"
       "file once; those that are cut, damaged, empty, too large, unreadable or no pictures are named, and\n"
       "the exit code is 65 if there are any. pmf pack leaves the same files out and names them in\n"
       "FILE.h5.left_out.txt, together with what only it can tell: pictures that are too small, copies.\n"
       "With pmf pack manifest=FILE.csv only files that the manifest calls good are packed, and none that\n"
       "has changed since.\n"
       "FILE.h5: a packed file. Every image is compared with its checksum and every block with its own,\n"
       "and the labels must be those of classes; what is bad is named by split and image number.\n\nwords:");
  words_help(words, WORDS);
  puts("\nexamples:\n"
       "  mpirun -n 4 pmf check-data photos manifest=photos.csv\n"
       "  mpirun -n 4 pmf pack folder=photos size=256 manifest=photos.csv out=data/photos.h5\n"
       "  pmf check-data data/photos.h5");
}

/* What is wrong with no image comes last. */
static int in_order(const void *a, const void *b) {
  const struct dataset_flaw *x = a, *y = b;
  const uint32_t split[2] = { (uint32_t)x->split, (uint32_t)y->split };
  if (split[0] != split[1]) return split[0] < split[1] ? -1 : 1;
  if (x->first != y->first) return x->first < y->first ? -1 : 1;
  return strcmp(x->why, y->why);
}

/* Prints them; ranges that two ranks found in parts are joined. Returns the images in them. */
static uint64_t print_flaws(struct dataset_flaw *flaw, size_t n) {
  uint64_t bad = 0, end = 0;
  int32_t split = -1;
  if (n) qsort(flaw, n, sizeof *flaw, in_order);
  for (size_t i = 0; i < n; i++) {
    struct dataset_flaw f = flaw[i];
    while (i + 1 < n && f.split >= 0 && flaw[i + 1].split == f.split && flaw[i + 1].first == f.end && !strcmp(flaw[i + 1].why, f.why))
      f.end = flaw[++i].end;
    if (f.split < 0) {
      printf("%s\n", f.why);
      continue;
    }
    if (f.split != split) split = f.split, end = 0;
    if (f.end > end) bad += f.end - (f.first > end ? f.first : end), end = f.end;
    printf("%s image%s %llu", dataset_splits[f.split], f.end - f.first > 1 ? "s" : "", (unsigned long long)f.first);
    if (f.end - f.first > 1) printf(" to %llu", (unsigned long long)f.end - 1);
    printf(": %s\n", f.why);
  }
  return bad;
}

static int report(const char *path, struct dataset_flaw *flaw, size_t n, double images, double seconds) {
  const uint64_t bad = print_flaws(flaw, n);
  printf("%s: %.0f images, %llu bad; %.0f images/s\n", path, images, (unsigned long long)bad, images / seconds);
  if (!n) return STATUS_OK;
  return because(STATUS_BAD, "%s: damaged: %llu of %.0f images are bad", path, (unsigned long long)bad, images);
}

/* COLLECTIVE. */
static int check_packed(const struct world *w, const char *path) {
  struct dataset_flaws flaws = { 0 };
  void *all = NULL;
  size_t n;
  const double began = progress_clock();
  int status = agree(w->comm, dataset_check(path, w->rank, w->ranks, &flaws));
  double images = (double)flaws.images;
  reduce_sum_double(w->comm, 1, &images);
  if (!status) status = gather(w->comm, sizeof *flaws.item, flaws.count, flaws.item, &all, &n, "what is wrong");
  if (!status) status = agree(w->comm, w->rank == 0 ? report(path, all, n, images, progress_clock() - began) : STATUS_OK);
  free(all), free(flaws.item);
  return status;
}

/* Rank 0's. Nonzero in *folder if it is one. */
static int look_at(const char *path, int *folder) {
  struct stat facts;
  *folder = !stat(path, &facts) && S_ISDIR(facts.st_mode);
  if (!*folder && words[MANIFEST].given) return because(STATUS_BAD, "manifest= goes with a folder of pictures, %s is none", path);
  return STATUS_OK;
}

int check_data_run(const struct world *w, int argc, char **argv) {
  char *path[2] = { NULL, NULL };
  int folder = 0, status = words_parse(argc, argv, words, WORDS, path, 1);
  if (!status && !path[0]) status = because(STATUS_BAD, "expected a folder or a packed file, as pmf check-data photos");
  status = agree(w->comm, status);
  if (!status) status = agree(w->comm, w->rank == 0 ? look_at(path[0], &folder) : STATUS_OK);
  if (status) return status;
  spread(w->comm, 0, sizeof folder, &folder);
  return folder ? check_folder(w, path[0], words_manifest) : check_packed(w, path[0]);
}
