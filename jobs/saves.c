#include "jobs/saves.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/checkpoint_io.h"
#include "io/folder.h"
#include "io/watchdog.h"
#include "src/base/status.h"

/* Seconds that a save may take, before the first one of this start: what the last one of the start before took, else by the speed
 * of a slow disk. */
static double expected(const struct trainer *t, const char *folder) {
  const double slow = 1e8, last = metrics_last(folder, "save", "in_all");
  return isfinite(last) ? last : (double)t->needs.checkpoint / slow;
}

static void hung_path(const char *folder, char path[static TEXT_MAX + 16]) { snprintf(path, TEXT_MAX + 16, "%s/hung", folder); }

/* Step of the newest file in RUN/archive from before that step, 0 if there is none; later ones are of a run that was begun anew
 * since, or has gone back. */
static uint64_t newest(const char *archive, uint64_t before) {
  uint64_t most = 0;
  DIR *d = opendir(archive);
  for (struct dirent *e; d && (e = readdir(d));)
    if (!strncmp(e->d_name, "step-", 5)) {
      const uint64_t step = strtoull(e->d_name + 5, NULL, 10);
      if (step < before && step > most) most = step;
    }
  if (d) closedir(d);
  return most;
}

int saves_open(struct saves *s, const struct world *w, const struct trainer *t, const char *folder, const struct metrics *metrics,
               struct progress *progress) {
  *s = (struct saves){ .w = w, .t = t, .folder = folder, .metrics = metrics, .progress = progress };
  s->started = s->at = progress_clock();
  if (w->rank == 0) {
    char archive[TEXT_MAX + 16];
    snprintf(archive, sizeof archive, "%s/archive", folder);
    s->archived = newest(archive, t->state.step + 1);
    s->longest = expected(t, folder);   /* one rank that asks to stop is enough */
  }
  return t->s.checkpoint.async ? checkpoint_later_open(&s->later, w->comm, t->state.flats, t->state.n_flats) : STATUS_OK;
}

void saves_close(struct saves *s) {
  checkpoint_later_close(s->later);
  s->later = NULL;
}

int saves_archived(uint64_t every, uint64_t last, uint64_t step) { return every && step / every > last / every; }

void saves_by_mpi(const char *folder) {
  static char path[TEXT_MAX + 16];   /* the watchdog's thread looks at it */
  if (folder) hung_path(folder, path);
  watchdog_leave(folder && !checkpoint_io_is_rank0() ? path : NULL);
}

int saves_hung(const char *folder) {
  char path[TEXT_MAX + 16];
  hung_path(folder, path);
  return !access(path, F_OK);
}

int saves_slow(double bytes, double seconds) {
  const double patience = 10, slow = 2e7;   /* bytes a second: locks of NFS gave less */
  return seconds > patience && bytes < slow * seconds;
}

int saves_too_often(int saves, double waited, double in_all) {
  const double bearable = 60, most = 0.05;   /* a run that has just begun has waited for much of its time */
  return saves >= 3 && waited > bearable && waited > most * in_all;
}

double saves_expect(double expected, double took, int status) { return status && took < expected ? expected : took; }

/* Rank 0. A second name for the file that has just been made sure: it costs no room until the run drops the first. */
static int archive(struct saves *s) {
  char folder[TEXT_MAX + 16], from[TEXT_MAX + 32], to[TEXT_MAX + 64], fresh[TEXT_MAX + 72];
  snprintf(folder, sizeof folder, "%s/archive", s->folder);
  if (s->archived > s->step) s->archived = newest(folder, s->step + 1);   /* rolled back */
  if (!saves_archived((uint64_t)s->t->s.checkpoint.archive_every, s->archived, s->step)) return STATUS_OK;
  const int status = folder_make(folder);
  if (status) return status;
  snprintf(from, sizeof from, "%s/checkpoint.h5", s->folder);
  snprintf(to, sizeof to, "%s/step-%09llu.h5", folder, (unsigned long long)s->step);
  snprintf(fresh, sizeof fresh, "%s/link.tmp", folder);
  unlink(fresh);
  const int bad = link(from, fresh) || rename(fresh, to), cause = errno;   /* also over one of the same step that is there */
  unlink(fresh);   /* it is still there where both were one file already */
  if (bad) return because(STATUS_IO, "%s: no link to %s: %s", to, from, strerror(cause));
  s->archived = s->step;
  return STATUS_OK;
}

/* Rank 0. A loud line where saves take more of the time than they should: by what one takes of the minutes between two, at once;
 * by what they have taken so far, once. */
static void warn_of_cost(struct saves *s, double in_all) {
  const double every = 60 * s->t->s.checkpoint.every_minutes, share = s->waited_in_all / in_all;
  if (every > 0 && s->waited > 0.05 * every) {
    s->often_told = 1;
    progress_say(s->progress, "WARNING: a save makes training wait %.1f s, %.0f %% of checkpoint.every_minutes=%g; %.0f minutes,"
                 " or checkpoint.async=on, would keep that below 5 %%", s->waited, 100 * s->waited / every,
                 s->t->s.checkpoint.every_minutes, 1 + 20 * s->waited / 60);
  } else if (!s->often_told && saves_too_often(s->ended, s->waited_in_all, in_all)) {
    s->often_told = 1;
    progress_say(s->progress, "WARNING: %d saves have made training wait %.0f s, %.0f %% of its time; %.0f times as many steps"
                 " between two%s would keep that below 5 %%", s->ended, s->waited_in_all, 100 * share, ceil(20 * share),
                 s->later ? "" : ", or checkpoint.async=on,");
  }
}

/* Rank 0. What a save that took so many seconds cost. */
static void tell(struct saves *s, double took, int status) {
  const double bytes = (double)s->t->needs.checkpoint, in_all = progress_clock() - s->started;
  const struct metric m[] = { { "saved_step", (double)s->step }, { "seconds", s->waited }, { "in_all", took },
                              { "bytes", bytes }, { "mb_per_s", bytes / 1e6 / took }, { "share", s->waited_in_all / in_all } };
  if (status)
    progress_say(s->progress, "WARNING: not saved at step %llu: %s", (unsigned long long)s->step, status_reason());
  metrics_write(s->metrics, status ? "save failed" : "save", s->t->state.step, m, sizeof m / sizeof *m,
                status ? status_reason() : NULL);
  warn_of_cost(s, in_all);
  if (!status && !s->slow_told && !s->later && !checkpoint_io_is_rank0() && saves_slow(bytes, took)) {
    s->slow_told = 1;
    progress_say(s->progress, "WARNING: this save ran at %.1f MB/s; MPI-IO is slow where each piece needs a lock (NFS): compare"
                 " `pmf iotest` in this file system, and checkpoint.io=rank0", bytes / 1e6 / took);
  }
}

/* What all saves have in common once it is known how one ended. */
static int ended(struct saves *s, int status, int needed) {
  const double took = progress_clock() - s->began;
  s->longest = saves_expect(s->longest, took, status);
  s->waited_in_all += s->waited;
  s->ended++;
  progress_exclude(s->progress, s->waited);
  s->under_way = 0;
  if (!status) s->made++, s->exists = 1, s->sure = s->step;
  if (s->w->rank == 0) {
    tell(s, took, status);
    if (!status && archive(s)) progress_say(s->progress, "WARNING: %s", status_reason());
  }
  return needed || status == STATUS_DIVERGED ? status : STATUS_OK;
}

int saves_busy(const struct saves *s) { return s->under_way && checkpoint_later_busy(s->later); }

int saves_finish(struct saves *s) {
  if (!s->under_way) return STATUS_OK;
  const double began = progress_clock();
  const int status = checkpoint_later_end(s->later);
  s->waited += progress_clock() - began;
  return ended(s, status, 0);
}

int saves_take(struct saves *s, int needed) {
  int status = saves_finish(s);
  if (status) return status;
  const int later = s->later && !needed;
  if (!later) saves_by_mpi(s->folder);
  s->began = progress_clock();
  s->step = s->t->state.step;
  status = later ? state_save_later(s->w, &s->t->state, &s->t->net, s->folder, s->t->text, s->later)
                 : state_save(s->w, &s->t->state, &s->t->net, s->folder, s->t->text);
  saves_by_mpi(NULL);
  s->at = progress_clock();
  s->waited = s->at - s->began;
  s->under_way = later && !status;
  return s->under_way ? STATUS_OK : ended(s, status, needed);
}

double saves_margin(const struct saves *s, double longest_step, double whole) {
  const double spare = whole / 20 < 60 ? whole / 20 : 60;
  return longest_step + 2 * s->longest + spare;
}

double saves_until(const struct saves *s) {
  const double minutes = s->t->s.checkpoint.every_minutes;
  return minutes > 0 ? s->at + 60 * minutes - progress_clock() : -1;
}
