/* score.c - pmf score: how near the images of a trained net come to the held-out ones: its words, and which of the two ways to
 * score they ask for. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/gnuplot.h"
#include "io/words.h"
#include "jobs/jobs.h"
#include "jobs/score_classifier.h"
#include "jobs/score_standard.h"
#include "mpi/agree.h"
#include "src/base/status.h"

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
    .help = "with inception=: a folder of PNGs, or an .npz (arr_0), instead of a run; not class by class" },
  { .name = "reference", .type = WORD_TEXT, .value = reference,
    .help = "with inception=: an .npz of statistics (mu, sigma or ref_mu, ref_sigma); the run's fid.cache_ref" },
  { .name = "save_reference", .type = WORD_TEXT, .value = save_reference,
    .help = "with inception=: writes those of the data" },
  { .name = "split", .type = WORD_TEXT, .value = split,
    .help = "compared with: heldout; train (only with inception=); both: heldout, and as many training images; heldout, or"
            " whichever the statistics of the run's own images are of" },
  { .name = "out", .type = WORD_TEXT, .value = out,
    .help = "of a sweep: FILE.png, and the numbers in FILE.csv beside it; FILE.csv; RUN/sweep.png" },
  { .name = "--json", .type = WORD_TEXT, .help = "one line of JSON" },
};
enum { RUN, CHECKPOINT, DATA, JUDGE, CLASSIFIER, N, STEPS, OMEGA, T_MIN, T_MAX, INTERVAL, EMA, HEAD, SOLVER, SEED, CONTEXT,
       DIVERSITY, INCEPTION, IMAGES, REFERENCE, SAVE_REFERENCE, SPLIT, OUT, JSON, WORDS };

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
       "thousand images are training images again: nearer to one than a third of the way to the next.\n"
       "With split=both the same images stand against as many training images too, in a table of its own:\n"
       "nearer to these by a large part of the distance is the sign of images learned by heart. All other\n"
       "values stay those against held-out images.\n\n"
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
  puts("\n--json prints one object; by the classifier: checkpoint, step, images_seen, ema, omega, t_min,\n"
       "t_max, seed, n, data, reference (\"held-out\"), reference_n, classifier {file, hash, accuracy 0..1,\n"
       "features, kernel, seed, trained_on, another_in_loss}, few_samples and rank_deficient (true or\n"
       "false), scores [{images, evaluations (of the net; null if not from it), ema, omega, t_min, t_max,\n"
       "seed, n, fid_classifier, clipped (mass of the eigenvalues taken as 0, a part of both traces; above\n"
       "1e-9 one is no covariance), rank_deficient (N < D: no more images than features), kid_classifier,\n"
       "agreement 0..1, of_class_means, and with diversity=yes precision, recall, memorised 0..1,\n"
       "nearest, with split=both fid_classifier_train, fid_classifier_difference (held out less training),\n"
       "kid_classifier_train, kid_classifier_difference}], with several seeds over_seeds [{images, seeds,\n"
       "and each with its _deviation fid_classifier, kid_classifier, agreement, and the difference of\n"
       "fid_classifier}]; what there is not is null, and at the top what differs between rows of a sweep;\n"
       "with diversity=yes nearest_heldout and memorised_heldout there, with split=both train_n.\n"
       "With run=, but for a sweep and inception=, the line is kept as RUN/score.json too, where pmf plot\n"
       "finds it. With inception=: of (run or images), ema, seed, reference (data or statistics), split,\n"
       "network and network_sha256, fid_name, scores [{images, ema, omega, t_min, t_max, seed, n,\n"
       "reference_n, fid, clipped, fid_infinite, inception_score, kid, the last two with _deviation,\n"
       "kid_subsets, precision, recall, rank_deficient, with split=both train_n and fid and kid with _train\n"
       "and _difference}], with several seeds over_seeds.\n"
       "\nexamples:\n"
       "  pmf score run=runs/fashion\n"
       "  mpirun -np 2 pmf score run=runs/fashion steps=1,2,4 omega=3 context=no --json\n"
       "  pmf score run=runs/fashion steps=1 omega=2,3,5,8 interval=0:1,0.1:0.7 context=no");
}

/* What a word was given, or NULL. */
static const char *given(int word) { return words[word].given ? words[word].value : NULL; }

/* What is scored, and where a sweep goes. */
static int read_sweep(struct sweep *sweep) {
  char csv[TEXT_MAX];
  int status = words[OUT].given ? gnuplot_numbers(out, csv, sizeof csv) : STATUS_OK;
  if (!status) status = sweep_read(sweep, steps, omega, interval, ema, seed);
  if (!status && words[OUT].given && !sweep_is(sweep))
    status = because(STATUS_BAD, "out=%s: expected a list in omega=, interval=, ema= or seed= with it", out);
  if (!status && words[RUN].given && !words[OUT].given && sweep_is(sweep))
    snprintf(out, sizeof out, "%.*s/sweep.png", TEXT_MAX - 16, run);
  return status;
}

static int both(void) { return !strcmp(split, "both"); }

static int read_split(void) {
  if (strcmp(split, "heldout") && strcmp(split, "train") && !both())
    return because(STATUS_BAD, "split=%s: expected heldout, train or both", split);
  if (!strcmp(split, "train") && !words[INCEPTION].given)
    return because(STATUS_BAD, "split=train goes with inception=FILE; expected heldout or both without it");
  for (int i = REFERENCE; i <= SAVE_REFERENCE && both(); i++)
    if (words[i].given) return because(STATUS_BAD, "%s= goes with one split, and split=both are two", words[i].name);
  return STATUS_OK;
}

static int read_words(struct sweep *sweep, int argc, char **argv) {
  int status = words_parse(argc, argv, words, WORDS, NULL, 0);
  if (!status) status = read_split();
  if (status) return status;
  for (int i = IMAGES; i <= SAVE_REFERENCE && !words[INCEPTION].given; i++)
    if (words[i].given) return because(STATUS_BAD, "%s= goes with inception=FILE", words[i].name);
  const int nets = words[RUN].given + words[CHECKPOINT].given, alone = words[IMAGES].given || words[SAVE_REFERENCE].given;
  if (words[INCEPTION].given && (nets + words[IMAGES].given > 1 || (!nets && !alone)))
    return because(STATUS_BAD, "expected one of run=DIR, checkpoint=FILE.h5 and images=DIR or FILE.npz");
  if (!words[INCEPTION].given && words[RUN].given == words[CHECKPOINT].given)
    return because(STATUS_BAD, "expected one of run=DIR and checkpoint=FILE.h5");
  if (strcmp(context, "yes") && strcmp(context, "no")) return because(STATUS_BAD, "context=%s: expected yes or no", context);
  if (strcmp(diversity, "yes") && strcmp(diversity, "no"))
    return because(STATUS_BAD, "diversity=%s: expected yes or no", diversity);
  if (words[DIVERSITY].given && words[INCEPTION].given)
    return because(STATUS_BAD, "diversity= goes without inception=, which has precision and recall itself");
  for (int i = OMEGA; i <= EMA && !nets; i++)
    if (words[i].given) return because(STATUS_BAD, "%s= goes with run= or checkpoint=", words[i].name);
  if (words[SEED].given && !nets) return because(STATUS_BAD, "seed= goes with run= or checkpoint=");
  return read_sweep(sweep);
}

int score_run(const struct world *w, int argc, char **argv) {
  struct sweep sweep;
  const int status = agree(w->comm, read_words(&sweep, argc, argv));
  if (status) return status;
  const struct score_words all = {
    .run = given(RUN), .checkpoint = given(CHECKPOINT), .data = given(DATA), .head = given(HEAD), .solver = given(SOLVER),
    .seeds = given(SEED), .judge = given(JUDGE), .classifier = given(CLASSIFIER), .inception = given(INCEPTION),
    .images = given(IMAGES), .reference = given(REFERENCE), .save_reference = given(SAVE_REFERENCE), .split = given(SPLIT),
    .out = *out ? out : NULL, .t_min = t_min, .t_max = t_max, .n = words[N].given ? (size_t)n : 0, .sweep = &sweep,
    .both = both(), .context = !strcmp(context, "yes"), .diversity = !strcmp(diversity, "yes"), .json = words[JSON].given,
  };
  return all.inception ? score_standard(w, &all) : score_classifier(w, &all);
}
