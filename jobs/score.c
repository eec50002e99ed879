/* score.c - pmf score: how near the images of a trained net come to the held-out ones, in a table between the training images
 * (as near as one can come) and class means and noise (as far as one should be). */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/folder.h"
#include "io/gnuplot.h"
#include "io/memory.h"
#include "io/progress.h"
#include "io/utf8.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/judge.h"
#include "jobs/nearest.h"
#include "jobs/perception.h"
#include "jobs/recall.h"
#include "jobs/score_standard.h"
#include "jobs/scores.h"
#include "mpi/agree.h"
#include "src/base/status.h"

enum { CONTEXT = 3, FEW = 5000, D = CLASSIFIER_FEATURES };

struct row {
  struct sweep_point point;        /* of context its name alone */
  size_t evaluations;              /* of the net an image; 0: not from the net */
  struct score score;
  double precision, recall;        /* with diversity=yes, as nearest */
  struct nearest nearest;          /* training images */
};
struct scoring {
  const struct world *w;
  struct trained t;
  struct sampler sampler;
  struct sweep sweep;
  size_t n;
  char data_path[TEXT_MAX], judge_path[TEXT_MAX + 64];
  enum evaluator_role role;        /* of the judge */
  struct dataset data;
  struct dataset seen;             /* with diversity=yes: what the run was trained on, which data= may differ from */
  struct evaluator judge;
  struct generate generate;
  struct scorer scorer;
  struct progress progress;
  uint8_t *means;
  struct row rows[SWEEP_POINTS + CONTEXT];
  size_t n_rows;
  double class_means;              /* their FID[classifier]; NAN without context */
  struct nearest held_out;         /* with diversity=yes: how near images come that are new */
};

static char run[TEXT_MAX], checkpoint[TEXT_MAX], data[TEXT_MAX], judge[TEXT_MAX], classifier[TEXT_MAX],
    steps[TEXT_MAX] = "1,4", ema[TEXT_MAX], context[TEXT_MAX] = "yes", diversity[TEXT_MAX] = "no", head[TEXT_MAX], solver[TEXT_MAX],
    inception[TEXT_MAX], images[TEXT_MAX], reference[TEXT_MAX], save_reference[TEXT_MAX], split[TEXT_MAX] = "heldout",
    omega[TEXT_MAX], interval[TEXT_MAX], seed[TEXT_MAX], out[TEXT_MAX];
static long n;
static double t_min = NAN, t_max = NAN;
static struct word words[] = {
  { .name = "run", .type = WORD_TEXT, .value = run, .help = "folder of a run: its newest sound checkpoint" },
  { .name = "checkpoint", .type = WORD_TEXT, .value = checkpoint, .help = "or one file" },
  { .name = "data", .type = WORD_TEXT, .value = data, .help = "packed images, some held out; the run's dataset.root" },
  { .name = "judge", .type = WORD_TEXT, .value = judge,
    .help = "training images of the evaluator: all; half: those that a classifier in a loss has not seen; auto: as the run"
            " needs; the run's fid.judge" },
  { .name = "classifier", .type = WORD_TEXT, .value = classifier,
    .help = "the evaluator's file, trained and written if it is not there; beside the data" },
  { .name = "n", .type = WORD_INTEGER, .value = &n, .min = 2, .max = 1e7,
    .help = "images of each kind; the run's fid.num_samples, but at least 5000" },
  { .name = "steps", .type = WORD_TEXT, .value = steps,
    .help = "steps from noise to image, one number or a list; 1,4" },
  { .name = "omega", .type = WORD_TEXT, .value = omega,
    .help = "guidance scale, or a list; the run's, which may have one for several steps" },
  { .name = "t_min", .type = WORD_REAL, .value = &t_min, .min = 0, .max = 1, .help = "guidance acts from here; the run's" },
  { .name = "t_max", .type = WORD_REAL, .value = &t_max, .min = 0, .max = 1, .help = "to here; the run's" },
  { .name = "interval", .type = WORD_TEXT, .value = interval, .help = "instead of both: FROM:TO, or a list: 0:1,0.1:0.7" },
  { .name = "ema", .type = WORD_TEXT, .value = ema, .help = "weights: raw, ema500, ..., or a list; the run's sampling.ema" },
  { .name = "head", .type = WORD_TEXT, .value = head,
    .help = "u: the average velocity, a jump a step; v: the flow, many small steps; u" },
  { .name = "solver", .type = WORD_TEXT, .value = solver,
    .help = "of head=v: euler, or heun with two evaluations a step but for the last; euler" },
  { .name = "seed", .type = WORD_TEXT, .value = seed,
    .help = "of the noise, or a list: 1,2,3, and then mean and deviation too; the run's training.seed" },
  { .name = "context", .type = WORD_TEXT, .value = context,
    .help = "no: without the rows for training images, class means and noise; yes" },
  { .name = "diversity", .type = WORD_TEXT, .value = diversity,
    .help = "yes: precision, recall, and how many images are training images again; no" },
  { .name = "inception", .type = WORD_TEXT, .value = inception,
    .help = "FID's network, by pmf import: FID, Inception Score, KID, precision, recall instead" },
  { .name = "images", .type = WORD_TEXT, .value = images,
    .help = "with inception=: a folder of PNGs, or an .npz (arr_0), instead of a run" },
  { .name = "reference", .type = WORD_TEXT, .value = reference,
    .help = "with inception=: an .npz of statistics (mu, sigma or ref_mu, ref_sigma); the run's fid.cache_ref" },
  { .name = "save_reference", .type = WORD_TEXT, .value = save_reference,
    .help = "with inception=: writes those of the data" },
  { .name = "split", .type = WORD_TEXT, .value = split,
    .help = "with inception=: of the data, heldout or train; heldout; with statistics of the run's own images either" },
  { .name = "out", .type = WORD_TEXT, .value = out,
    .help = "of a sweep: FILE.png, and the numbers in FILE.csv beside it; FILE.csv; RUN/sweep.png" },
  { .name = "--json", .type = WORD_TEXT, .help = "one line of JSON" },
};
enum { RUN, CHECKPOINT, DATA, JUDGE, CLASSIFIER, N, STEPS, OMEGA, T_MIN, T_MAX, INTERVAL, EMA, HEAD, SOLVER, SEED, CONTEXT_ROWS, DIVERSITY,
       INCEPTION, IMAGES, REFERENCE, SAVE_REFERENCE, SPLIT, OUT, JSON, WORDS };

void score_help(void) {
  puts("usage: pmf score run=DIR | checkpoint=FILE  [data=FILE.h5 key=value ...]\n\n"
       "Makes images with a trained net, all classes in turn, and compares them with the held-out images\n"
       "of its data by the features of a classifier, which is trained on the training images where there\n"
       "is none yet.\n"
       "  FID[classifier]   Frechet distance of the features; 0 is best. It is not the FID of Inception\n"
       "                    features: compare it only where N, the reference and the classifier's hash are\n"
       "                    the same\n"
       "  KID[classifier]   kernel distance (unbiased) of the features as they are\n"
       "  label agreement   images that the classifier takes for the class that was asked for; - for a net\n"
       "                    without classes\n"
       "  of class means    FID[classifier] as a part of what the blurred mean of each class gets\n"
       "Training images are the floor, class means and uniform noise the ceilings.\n"
       "With diversity=yes also precision and recall by the classifier's features (the share of images in a\n"
       "neighbourhood of held-out ones, and the other way round), and by the bytes how many of the first\n"
       "thousand images are training images again: nearer to one than a third of the way to the next.\n\n"
       "With inception=FILE (pmf import) the scores of papers instead, also of images=DIR or\n"
       "FILE.npz: FID, and\n"
       "its limit for many images, Inception Score, KID over subsets, precision and recall.\n\n"
       "No run is scored by what it was trained on: where its loss looked through a classifier, the judge\n"
       "has other kernels and learns from the other half of the training images; judge=half is the same\n"
       "judge for a run without, to compare both.\n\n"
       "Lists in omega=, interval=, ema= or seed= are a sweep: all with all, in one table, and as a picture\n"
       "over the guidance scale. Over the seeds, of which a comparison needs three or more, there are mean\n"
       "and deviation.\n\nwords:");
  words_help(words, WORDS);
  puts("\n--json prints one object: checkpoint, step, images_seen, ema, omega, t_min, t_max, seed, n, data,\n"
       "reference (\"held-out\"), reference_n, classifier {file, hash, accuracy 0..1, features, kernel, seed,\n"
       "trained_on, another_in_loss}, few_samples and rank_deficient (true or false), scores\n"
       "[{images, evaluations (of the net; null if not from it), ema, omega, t_min, t_max,\n"
       "seed, n, fid_classifier, clipped (mass of the eigenvalues taken as 0, a part of both traces; above\n"
       "1e-9 one is no covariance), rank_deficient (N < D: no more images than features), kid_classifier,\n"
       "agreement 0..1, of_class_means, and with diversity=yes precision, recall, memorised 0..1,\n"
       "nearest}], with several seeds over_seeds [{images, seeds, and each with its _deviation\n"
       "fid_classifier, kid_classifier, agreement}]; what there is not is null, and at the top what\n"
       "differs between rows of a sweep; with diversity=yes nearest_heldout and memorised_heldout there.\n"
       "With run=, and but for a sweep, the line is kept as RUN/score.json too, where pmf plot finds it.\n"
       "\nexamples:\n"
       "  pmf score run=runs/fashion\n"
       "  mpirun -np 2 pmf score run=runs/fashion steps=1,2,4 omega=3 context=no --json\n"
       "  pmf score run=runs/fashion steps=1 omega=2,3,5,8 interval=0:1,0.1:0.7 context=no");
}

static int diverse(void) { return !strcmp(diversity, "yes"); }

/* What a word was given, or NULL. */
static const char *given(int word) { return words[word].given ? words[word].value : NULL; }

/* What is scored, and where a sweep goes. */
static int read_sweep(struct scoring *p) {
  char csv[TEXT_MAX];
  int status = words[OUT].given ? gnuplot_numbers(out, csv, sizeof csv) : STATUS_OK;
  if (!status) status = sweep_read(&p->sweep, steps, omega, interval, ema, seed);
  if (!status && words[OUT].given && !sweep_is(&p->sweep))
    status = because(STATUS_BAD, "out=%s: expected a list in omega=, interval=, ema= or seed= with it", out);
  if (!status && words[RUN].given && !words[OUT].given && sweep_is(&p->sweep))
    snprintf(out, sizeof out, "%.*s/sweep.png", TEXT_MAX - 16, run);
  return status;
}

static int read_words(struct scoring *p, int argc, char **argv) {
  const int status = words_parse(argc, argv, words, WORDS, NULL, 0);
  if (status) return status;
  if (strcmp(split, "heldout") && strcmp(split, "train")) return because(STATUS_BAD, "split=%s: expected heldout or train", split);
  for (int i = IMAGES; i <= SPLIT && !words[INCEPTION].given; i++)
    if (words[i].given) return because(STATUS_BAD, "%s= goes with inception=FILE", words[i].name);
  const int nets = words[RUN].given + words[CHECKPOINT].given, alone = words[IMAGES].given || words[SAVE_REFERENCE].given;
  if (words[INCEPTION].given && (nets + words[IMAGES].given > 1 || (!nets && !alone)))
    return because(STATUS_BAD, "expected one of run=DIR, checkpoint=FILE.h5 and images=DIR or FILE.npz");
  if (!words[INCEPTION].given && words[RUN].given == words[CHECKPOINT].given)
    return because(STATUS_BAD, "expected one of run=DIR and checkpoint=FILE.h5");
  if (strcmp(context, "yes") && strcmp(context, "no")) return because(STATUS_BAD, "context=%s: expected yes or no", context);
  if (strcmp(diversity, "yes") && strcmp(diversity, "no")) return because(STATUS_BAD, "diversity=%s: expected yes or no", diversity);
  if (words[DIVERSITY].given && words[INCEPTION].given)
    return because(STATUS_BAD, "diversity= goes without inception=, which has precision and recall itself");
  for (int i = OMEGA; i <= EMA && !nets; i++)
    if (words[i].given) return because(STATUS_BAD, "%s= goes with run= or checkpoint=", words[i].name);
  if (words[SEED].given && !nets) return because(STATUS_BAD, "seed= goes with run= or checkpoint=");
  return read_sweep(p);
}

/* The images must be of the kind that the net makes, and some held out. */
static int check_data(const struct scoring *p) {
  const struct dataset *d = &p->data;
  const struct settings *s = &p->t.s;
  if (d->image_size != (size_t)s->dataset.image_size || d->channels != (size_t)s->dataset.image_channels)
    return because(STATUS_BAD, "%s has images of %zu x %zu with %zu channels, %s makes %ld x %ld with %ld", d->path,
                   d->image_size, d->image_size, d->channels, p->t.path, s->dataset.image_size, s->dataset.image_size,
                   s->dataset.image_channels);
  if (s->dataset.num_classes && d->classes != (size_t)s->dataset.num_classes)
    return because(STATUS_BAD, "%s has %zu classes, %s makes %ld", d->path, d->classes, p->t.path, s->dataset.num_classes);
  if (d->count[SPLIT_HELDOUT] < 2)
    return because(STATUS_BAD, "%s has %zu held-out images: expected at least 2 to compare with; pack it with some", d->path,
                   d->count[SPLIT_HELDOUT]);
  return STATUS_OK;
}

/* The run's own images. */
static int open_seen(struct scoring *p) {
  const int status = dataset_open(&p->seen, p->t.s.dataset.root);
  if (status) return status;
  if (p->seen.image_size == p->data.image_size && p->seen.channels == p->data.channels) return STATUS_OK;
  return because(STATUS_BAD, "%s, which %s was trained on, has images of another size than %s", p->seen.path, p->t.path, p->data.path);
}

/* Local. Before anything is scored: class means are taken at the end. */
static int check_memory(const struct scoring *p) {
  const int here = p->w->node_ranks > 0 ? p->w->node_ranks : 1;
  const size_t need = source_means_bytes(&p->data), have = memory_available() / (size_t)here;
  if (strcmp(context, "yes") || !have || need <= have) return STATUS_OK;
  return because(STATUS_NOMEM, "the means of %zu classes take %.1f GB on each of %d ranks of this node, which has %.1f GB left for"
                 " each; context=no goes without", p->data.classes, (double)need / 1e9, here, (double)have / 1e9);
}

/* Local: the words that go with the run, and the data. */
static int prepare(struct scoring *p) {
  const struct settings *s = &p->t.s;
  int status = sweep_sampler(&p->sweep, &p->t, t_min, t_max, &p->sampler);
  if (!status) status = trained_head(&p->t, given(HEAD), given(SOLVER), &p->sampler);
  if (!status) status = judge_choose(s, given(JUDGE), &p->role);
  if (status) return status;
  p->n = (size_t)(words[N].given ? n : s->fid.num_samples > FEW ? s->fid.num_samples : FEW);
  snprintf(p->data_path, sizeof p->data_path, "%s", words[DATA].given ? data : s->dataset.root);
  if (words[CLASSIFIER].given) snprintf(p->judge_path, sizeof p->judge_path, "%s", classifier);
  else evaluator_path(p->data_path, p->role, p->judge_path, sizeof p->judge_path);
  status = dataset_open(&p->data, p->data_path);
  if (!status) status = check_data(p);
  if (!status) status = check_memory(p);
  return status || !diverse() ? status : open_seen(p);
}

/* Local. */
static int allocate(struct scoring *p) {
  p->generate = (struct generate){ .net = &p->t.net, .sampler = p->sampler, .seed = sweep_seed(&p->sweep, &p->t.s),
                                   .n_labels = (size_t)p->t.s.dataset.num_classes };
  p->scorer = (struct scorer){ .w = p->w, .judge = &p->judge, .pixels = p->t.net.pixels, .progress = &p->progress,
                               .most = { p->data.count[SPLIT_HELDOUT], p->n } };
  const int status = generate_init(&p->generate);
  return status ? status : scorer_init(&p->scorer);
}

/* COLLECTIVE. A row of the table. */
static int add_row(struct scoring *p, const char *name, size_t evaluations, struct source source, size_t images) {
  struct row *row = &p->rows[p->n_rows++];
  const double began = progress_clock();
  snprintf(row->point.name, sizeof row->point.name, "%s", name);
  row->evaluations = evaluations;
  snprintf(p->scorer.things, sizeof p->scorer.things, "images, %s", name);
  int status = scorer_score(&p->scorer, &source, images, &row->score);
  if (!status && diverse()) status = recall_of(&p->scorer, &row->precision, &row->recall);
  if (!status && diverse()) status = nearest_training(p->w, &p->seen, &source, images, &row->nearest);
  if (!status && p->w->rank == 0) progress_say(&p->progress, "%s: %zu images in %.1f s", name, images, progress_clock() - began);
  return status;
}

/* COLLECTIVE. As near as one can come. */
static int score_training(struct scoring *p) {
  const size_t all = p->data.count[SPLIT_TRAIN], images = p->n < all ? p->n : all;
  const struct packed_images training = { &p->data, SPLIT_TRAIN, images };
  return images < 2 ? STATUS_OK : add_row(p, "training images", 0, source_packed(&training), images);
}

/* COLLECTIVE. */
static int score_point(void *scoring, const struct sweep_point *point) {
  struct scoring *p = scoring;
  const struct generated_images generated = { &p->generate, p->t.weights };
  p->generate.seed = point->seed;
  const int status = add_row(p, point->name, sampler_evaluations(&p->generate.sampler), source_generated(&generated), p->n);
  struct row *row = &p->rows[p->n_rows - 1];
  row->point = *point;
  row->point.score = row->score.frechet;
  row->point.n = p->n;
  row->point.rank_deficient = score_rank_deficient(&row->score);
  return status;
}

/* COLLECTIVE. As far as one should be, and farther. */
static int score_ceilings(struct scoring *p) {
  int status = source_class_means(p->w, &p->data, &p->means);
  if (status) return status;
  const struct mean_images means = { &p->data, p->means };
  const struct noise_images noise = { sweep_seed(&p->sweep, &p->t.s), p->t.net.pixels };
  status = add_row(p, "class means", 0, source_means(&means), p->n);
  p->class_means = p->rows[p->n_rows - 1].score.frechet;
  return status ? status : add_row(p, "uniform noise", 0, source_noise(&noise), p->n);
}

static int score_all(struct scoring *p) {
  const int with_context = !strcmp(context, "yes");
  const struct packed_images held_out = { &p->data, SPLIT_HELDOUT, p->data.count[SPLIT_HELDOUT] };
  const struct source reference = source_packed(&held_out);
  snprintf(p->scorer.things, sizeof p->scorer.things, "images, held out");
  int status = scorer_reference(&p->scorer, &reference, held_out.n);
  if (!status && diverse()) status = nearest_training(p->w, &p->seen, &reference, held_out.n, &p->held_out);
  if (!status && with_context) status = score_training(p);
  if (!status) status = sweep_run(&p->sweep, &p->t, p->w, &p->generate.sampler, score_point, p);
  if (!status && with_context) status = score_ceilings(p);
  return status;
}

/* The smaller of both sets decides whether a covariance has full rank. */
static int rank_deficient(const struct scoring *p) {
  const size_t m = p->data.count[SPLIT_HELDOUT];
  return (p->n < m ? p->n : m) <= D;
}

/* Precision and recall by the classifier's features; new or not by the bytes. */
static void print_diversity(const struct scoring *p) {
  printf("\n%-28s %15s %15s %15s %15s\n", "", "precision", "recall", "memorised", "nearest");
  for (size_t i = 0; i < p->n_rows; i++) {
    const struct row *r = &p->rows[i];
    printf("%-28s %15.3f %15.3f %13.1f %% %15.2f\n", r->point.name, r->precision, r->recall, 100 * r->nearest.memorised,
           r->nearest.distance);
  }
  printf("%-28s %15s %15s %13.1f %% %15.2f\n", "held-out images", "", "", 100 * p->held_out.memorised, p->held_out.distance);
  printf("memorised: of %zu images those whose nearest of %zu training images is less than a third as far as the next;\n"
         "nearest: how far it is in the mean, of 255 (root mean square over an image)\n",
         p->held_out.n, p->seen.count[SPLIT_TRAIN]);
}

static double fid_of(const struct score *s) { return s->frechet; }
static double kid_of(const struct score *s) { return s->kernel; }
static double agreement_of(const struct score *s) { return s->agreement; }

/* Of the rows from number `from`, which are one setting's with each seed. */
static struct spread over_seeds(const struct scoring *p, size_t from, double (*of)(const struct score *)) {
  double x[SWEEP_EACH];
  for (size_t i = 0; i < p->sweep.seeds; i++) x[i] = of(&p->rows[from + i].score);
  return sweep_spread(p->sweep.seeds, x);
}

/* The next such row, of many seeds: from or after it; n_rows where there is none. */
static size_t next_setting(const struct scoring *p, size_t from) {
  while (from < p->n_rows && (p->sweep.seeds < 2 || !p->rows[from].evaluations)) from++;
  return from;
}

static void print_over_seeds(const struct scoring *p) {
  for (size_t i = next_setting(p, 0); i < p->n_rows; i = next_setting(p, i + p->sweep.seeds)) {
    const struct spread fid = over_seeds(p, i, fid_of), kid = over_seeds(p, i, kid_of), agreed = over_seeds(p, i, agreement_of);
    printf("over %zu seeds, %.*s: FID[classifier] %.3f +- %.3f, KID[classifier] %.4g +- %.2g", p->sweep.seeds,
           p->rows[i].point.stem, p->rows[i].point.name, fid.mean, fid.deviation, kid.mean, kid.deviation);
    if (!isnan(agreed.mean)) printf(", label agreement %.1f +- %.1f %%", 100 * agreed.mean, 100 * agreed.deviation);
    puts("");
  }
}

static void print_table(const struct scoring *p) {
  char guided[128] = "no classes";
  double clipped = 0;
  const int sweep = sweep_is(&p->sweep);
  if (p->generate.n_labels && !sweep)
    snprintf(guided, sizeof guided, "omega %g in [%g, %g]", p->sampler.omega, p->sampler.t_min, p->sampler.t_max);
  printf("%s: step %llu, ", p->t.path, (unsigned long long)p->t.step);
  if (sweep) printf("a sweep, ");
  else printf("%s, %s, ", p->t.ema, guided);
  if (p->sweep.seeds > 1) printf("seeds %s\n", seed);
  else printf("seed %llu\n", (unsigned long long)sweep_seed(&p->sweep, &p->t.s));
  printf("N %zu against %zu held-out images of %s\n", p->n, p->data.count[SPLIT_HELDOUT], p->data_path);
  printf("classifier %s: %d features, names %.1f %% of the held-out images rightly (%s)\n", p->judge.hash, D,
         100 * p->judge.accuracy, p->judge_path);
  if (p->role == EVALUATOR_HALF)
    printf("it was trained on %s%s\n", evaluator_trained_on(p->role),
           perception_by_classifier(&p->t.s) ? "; the run's loss looked through another, trained on the first half" : "");
  if (p->n < FEW) printf("few samples (N below %d): FID[classifier] is biased\n", FEW);
  if (rank_deficient(p))
    printf("N < D: no more images than features, the covariance is rank-deficient: compare with nothing of another N\n");
  printf("\n%-28s %15s %15s %15s %15s\n", "", "FID[classifier]", "KID[classifier]", "label agreement", "of class means");
  for (size_t i = 0; i < p->n_rows; i++) {
    const struct row *r = &p->rows[i];
    char name[160], agreement[32] = "-", part[32] = "-";
    snprintf(name, sizeof name, r->score.n < p->n ? "%s (N %zu)" : "%s", r->point.name, r->score.n);
    if (!isnan(r->score.agreement)) snprintf(agreement, sizeof agreement, "%.1f %%", 100 * r->score.agreement);
    if (!isnan(p->class_means) && r->score.frechet > 0)
      snprintf(part, sizeof part, "1/%.3g", p->class_means / r->score.frechet);
    printf("%-28s %15.3f %15.4g %15s %15s%s\n", name, r->score.frechet, r->score.kernel, agreement, part,
           score_rank_deficient(&r->score) ? "  N < D" : "");
    clipped = fmax(clipped, r->score.clipped);
  }
  print_over_seeds(p);
  printf("%s", score_clipped(clipped, (char[SCORE_CLIPPED]){ "" }));
  if (diverse()) print_diversity(p);
}

/* null where it is no number. */
static void put(cJSON *o, const char *name, double value) {
  if (isfinite(value)) cJSON_AddNumberToObject(o, name, value);
  else cJSON_AddNullToObject(o, name);
}

static void put_rows(const struct scoring *p, cJSON *o) {
  cJSON *list = cJSON_AddArrayToObject(o, "scores");
  for (size_t i = 0; i < p->n_rows; i++) {
    const struct row *r = &p->rows[i];
    cJSON *item = cJSON_CreateObject();
    const struct sweep_point *point = &r->point;
    cJSON_AddStringToObject(item, "images", point->name);
    put(item, "evaluations", r->evaluations ? (double)r->evaluations : NAN);
    if (r->evaluations) {
      cJSON_AddStringToObject(item, "ema", point->ema);
      put(item, "omega", point->omega), put(item, "t_min", point->t_min), put(item, "t_max", point->t_max);
      put(item, "seed", (double)point->seed);
    }
    put(item, "n", (double)r->score.n);
    put(item, "fid_classifier", r->score.frechet);
    put(item, "clipped", r->score.clipped);
    cJSON_AddBoolToObject(item, "rank_deficient", score_rank_deficient(&r->score));
    put(item, "kid_classifier", r->score.kernel);
    put(item, "agreement", r->score.agreement);
    put(item, "of_class_means", r->score.frechet / p->class_means);
    if (diverse()) {
      put(item, "precision", r->precision), put(item, "recall", r->recall);
      put(item, "memorised", r->nearest.memorised), put(item, "nearest", r->nearest.distance);
    }
    cJSON_AddItemToArray(list, item);
  }
}

static void put_over_seeds(const struct scoring *p, cJSON *o) {
  static const struct { const char *name, *deviation; double (*of)(const struct score *); } numbers[] = {
    { "fid_classifier", "fid_classifier_deviation", fid_of }, { "kid_classifier", "kid_classifier_deviation", kid_of },
    { "agreement", "agreement_deviation", agreement_of } };
  if (p->sweep.seeds < 2) return;
  cJSON *list = cJSON_AddArrayToObject(o, "over_seeds");
  for (size_t i = next_setting(p, 0); i < p->n_rows; i = next_setting(p, i + p->sweep.seeds)) {
    cJSON *item = cJSON_CreateObject();
    char name[sizeof p->rows->point.name];
    snprintf(name, sizeof name, "%.*s", p->rows[i].point.stem, p->rows[i].point.name);
    cJSON_AddStringToObject(item, "images", name);
    put(item, "seeds", (double)p->sweep.seeds);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
      const struct spread s = over_seeds(p, i, numbers[k].of);
      put(item, numbers[k].name, s.mean), put(item, numbers[k].deviation, s.deviation);
    }
    cJSON_AddItemToArray(list, item);
  }
}

/* One line, to be freed with cJSON_free; NULL without memory. */
static char *json_of(const struct scoring *p) {
  cJSON *o = cJSON_CreateObject();
  cJSON_AddStringToObject(o, "checkpoint", p->t.path);
  put(o, "step", (double)p->t.step);
  put(o, "images_seen", (double)p->t.images_seen);
  const int sweep = sweep_is(&p->sweep);   /* then each row has its own */
  if (sweep) cJSON_AddNullToObject(o, "ema");
  else cJSON_AddStringToObject(o, "ema", p->t.ema);
  put(o, "omega", sweep ? NAN : p->sampler.omega);
  put(o, "t_min", sweep ? NAN : p->sampler.t_min);
  put(o, "t_max", sweep ? NAN : p->sampler.t_max);
  put(o, "seed", p->sweep.seeds > 1 ? NAN : (double)sweep_seed(&p->sweep, &p->t.s));
  put(o, "n", (double)p->n);
  cJSON_AddStringToObject(o, "data", p->data_path);
  cJSON_AddStringToObject(o, "reference", "held-out");
  put(o, "reference_n", (double)p->data.count[SPLIT_HELDOUT]);
  cJSON *by = cJSON_AddObjectToObject(o, "classifier");
  cJSON_AddStringToObject(by, "file", p->judge_path);
  cJSON_AddStringToObject(by, "hash", p->judge.hash);
  put(by, "accuracy", p->judge.accuracy);
  put(by, "features", D);
  put(by, "kernel", (double)p->judge.net.kernel);
  put(by, "seed", (double)p->judge.seed);
  cJSON_AddStringToObject(by, "trained_on", evaluator_trained_on(p->role));
  cJSON_AddBoolToObject(by, "another_in_loss", perception_by_classifier(&p->t.s));
  cJSON_AddBoolToObject(o, "few_samples", p->n < FEW);
  cJSON_AddBoolToObject(o, "rank_deficient", rank_deficient(p));
  if (diverse()) put(o, "nearest_heldout", p->held_out.distance), put(o, "memorised_heldout", p->held_out.memorised);
  put_rows(p, o);
  put_over_seeds(p, o);
  char *text = cJSON_PrintUnformatted(o);
  if (text) utf8_mend(text);
  cJSON_Delete(o);
  return text;
}

static int tell_sweep(const struct scoring *p) {
  struct sweep_point points[SWEEP_POINTS];
  size_t count = 0;
  for (size_t i = 0; i < p->n_rows; i++)
    if (p->rows[i].evaluations) points[count++] = p->rows[i].point;
  return sweep_tell(points, count, "FID[classifier]", out);
}

/* The table or the line, and the line in the run's folder too, for pmf plot. */
static int tell(const struct scoring *p) {
  char *text = json_of(p);
  if (!text) return because(STATUS_NOMEM, "no memory for a line of JSON");
  if (words[JSON].given) puts(text);
  else print_table(p);
  const int sweep = sweep_is(&p->sweep), status = words[RUN].given && !sweep ? folder_write(run, "score.json", text) : STATUS_OK;
  cJSON_free(text);
  return status || !sweep || !*out ? status : tell_sweep(p);
}

/* COLLECTIVE. With inception=. */
static int score_by_inception(const struct scoring *p) {
  const struct score_words all = {
    .inception = inception, .run = run, .checkpoint = checkpoint, .images = images, .data = data, .reference = reference,
    .save_reference = save_reference, .split = words[SPLIT].given ? split : "", .head = head, .solver = solver, .out = out,
    .t_min = t_min, .t_max = t_max,
    .n = words[N].given ? n : 0, .sweep = &p->sweep, .json = words[JSON].given,
  };
  return score_standard(p->w, &all);
}

int score_run(const struct world *w, int argc, char **argv) {
  struct scoring p = { .w = w, .data.fd = -1, .seen.fd = -1, .class_means = NAN };
  int status = agree(w->comm, read_words(&p, argc, argv));
  if (!status && words[INCEPTION].given) return score_by_inception(&p);
  if (!status) status = trained_open(&p.t, w, given(RUN), given(CHECKPOINT), sweep_ema(&p.sweep, 0));
  if (!status) status = agree(w->comm, prepare(&p));
  if (!status) status = trained_load(&p.t, w);
  if (!status) status = evaluator_open(&p.judge, p.role, w, &p.data, p.judge_path, 0);
  if (!status) status = agree(w->comm, allocate(&p));
  if (!status) status = score_all(&p);
  if (p.progress.live) fputc('\n', stderr);
  if (!status) status = agree(w->comm, w->rank ? STATUS_OK : tell(&p));
  free(p.means);
  scorer_free(&p.scorer);
  generate_free(&p.generate);
  evaluator_close(&p.judge);
  dataset_close(&p.data);
  dataset_close(&p.seen);
  trained_close(&p.t);
  return status;
}
