/* tree.h - the binomial tree over the ranks of a communicator by which a bucket's sum goes up (climb.h) and new weights come down
 * (owners.h). The root has place 0, the ranks behind it in the ring the places after: of the trees of many roots every rank has its
 * share of the inner places. From place p it goes up to p without its lowest bit, and down to p + 2^k for all 2^k below that bit.
 * A root sends or gets a bucket log2(ranks) times. What is under way at a time belongs to few owners, neighbours in the table; so that
 * it does not all pass their wires while others' are idle, each bucket has another root, to which an owner gives it, or which gives
 * it to the owner. Ranks: local. */
#ifndef MPI_TREE_H
#define MPI_TREE_H

struct tree { int root, ranks, place; };
static inline struct tree tree_at(int rank, int root, int ranks) {
  return (struct tree){ root, ranks, (rank - root + ranks) % ranks };
}
/* Of few ranks one message more would be a large part of all: there the owner is the root. */
enum { TREE_ROOTS = 8 };
/* bucket: its number in the table's order. */
static inline int tree_root(int owner, size_t bucket, int ranks) {
  return ranks < TREE_ROOTS ? owner : (int)(((size_t)owner + bucket) % (size_t)ranks);
}
static inline int tree_above(const struct tree *t) { return ((t->place & (t->place - 1)) + t->root) % t->ranks; }
/* The rank below by 2^k = step; -1: there is none, nor by a greater step. */
static inline int tree_below(const struct tree *t, int step) {
  const int is_one = t->place + step < t->ranks && (!t->place || step < (t->place & -t->place));
  return is_one ? (t->place + step + t->root) % t->ranks : -1;
}
/* The greatest step, 0 for one rank. */
static inline int tree_farthest(int ranks) {
  int step = 0;
  for (int n = 1; n < ranks; n *= 2) step = n;
  return step;
}
#endif
