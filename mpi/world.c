#include "mpi/world.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A parameter of Open MPI, unless the user has set it. OMPIO's data sieving corrupts small collective writes
 * with two or more aggregators (EXPECTATIONS H1); shared file pointers leave stray files behind (H17). Ranks of a node that may
 * not read each other's memory (containers forbid it) hand messages over in fragments, three at a time: of 32 KiB, as is the
 * default, a gradient needs ten times as many calls that move it on as of 1 MiB (doc/scaling.md). */
static void prefer(const char *parameter, const char *value) { setenv(parameter, value, 0); }

bool world_launched(void) {
  static const char *const names[] = { "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "ALPS_APP_PE" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (getenv(names[i])) return true;
  return false;
}

/* A process alone needs no network: libraries of two of them wait a tenth of a second each for their hardware as they are loaded,
 * half of what pmf inspect takes. (Without the daemon, too, by ess_singleton_isolated, processes at once take each other's folder
 * away.) */
static void prefer_alone(void) {
  if (world_launched()) return;
  prefer("OMPI_MCA_pml", "ob1");
  prefer("OMPI_MCA_btl", "self");
}

void world_init(int *argc, char ***argv, struct world *w) {
  prefer("OMPI_MCA_fbtl_posix_write_datasieving", "0");
  prefer("OMPI_MCA_sharedfp", "^lockedfile,individual");
  prefer("OMPI_MCA_btl_vader_max_send_size", "1048576");
  prefer("OMPI_MCA_btl_vader_segment_size", "33554432");
  prefer_alone();
  int provided;
  MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_dup(MPI_COMM_WORLD, &w->comm);
  MPI_Comm_rank(w->comm, &w->rank);
  MPI_Comm_size(w->comm, &w->ranks);
  MPI_Comm node;
  MPI_Comm_split_type(w->comm, MPI_COMM_TYPE_SHARED, w->rank, MPI_INFO_NULL, &node);
  MPI_Comm_size(node, &w->node_ranks);
  MPI_Comm_free(&node);
}

static volatile sig_atomic_t ends_with;
static void leave(int signal) {
  (void)signal;
  _exit(ends_with);
}

void world_end(struct world *w, int code) {
  MPI_Comm_free(&w->comm);
  ends_with = code;
  signal(SIGSEGV, leave);
  MPI_Finalize();
}
