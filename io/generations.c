#include "io/generations.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { ROOM = PATH_MAX + 16 };
int generations_kept = 2;

void generations_name(const char *path, int g, size_t room, char *name) {
  if (g < 2) snprintf(name, room, "%s%s", path, g ? ".prev" : "");
  else snprintf(name, room, "%s.prev%d", path, g);
}

int generations_turn(const char *path) {
  char from[ROOM], to[ROOM];
  if (access(path, F_OK)) return errno == ENOENT ? 0 : -1;
  for (int g = GENERATIONS_MAX - 1; g >= 0; g--) {
    generations_name(path, g, sizeof from, from);
    if (g >= generations_kept) unlink(from);   /* more were kept before */
    if (g >= generations_kept - 1) continue;
    generations_name(path, g + 1, sizeof to, to);
    if (rename(from, to) && (g == 0 || errno != ENOENT)) return -1;
  }
  return 1;
}

void generations_turn_back(const char *path) {
  char from[ROOM], to[ROOM];
  for (int g = 0; g < generations_kept - 1; g++) {
    generations_name(path, g, sizeof to, to);
    generations_name(path, g + 1, sizeof from, from);
    if (access(to, F_OK)) rename(from, to);
  }
}

void generations_tidy(const char *path) {
  char name[ROOM];
  snprintf(name, sizeof name, "%s.tmp", path);
  unlink(name);
  for (int g = 1; g < GENERATIONS_MAX && access(path, F_OK) && errno == ENOENT; g++)
    generations_name(path, g, sizeof name, name), rename(name, path);
  if (!access(path, F_OK)) generations_drop(path);
}

void generations_drop(const char *path) {
  char name[ROOM];
  for (int g = 1; g < GENERATIONS_MAX; g++) generations_name(path, g, sizeof name, name), unlink(name);
}
