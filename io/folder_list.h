/* folder_list.h - what lies in a folder of class folders: DIR/CLASS/FILE, in the bytewise order of the names, so that every
 * file system lists alike. All that is not such a file is in the list too, with the reason why it does not count.
 * Links are followed. Class folders are known by name across several calls: their numbers go on.
 * Memory: grows with the list; folder_list_free, also after an error.
 * Errors: STATUS_BAD if DIR cannot be listed, with one line; STATUS_NOMEM. Ranks: local; one rank lists, others are told. */
#ifndef IO_FOLDER_LIST_H
#define IO_FOLDER_LIST_H
#include <stddef.h>
#include <stdint.h>

enum listed { LISTED_FILE, LISTED_HIDDEN, LISTED_STRAY, LISTED_DEEP, LISTED_SPECIAL, LISTED_UNREADABLE };
struct listed_file {
  uint64_t path;      /* where it starts in text: DIR/CLASS/FILE */
  int32_t class;      /* number of the class folder, -1 outside of one */
  int16_t source;     /* what the call said */
  int16_t what;       /* enum listed */
};
struct folder_list {
  size_t count, classes, bytes;
  struct listed_file *file;   /* [count] */
  uint64_t *class_name;       /* [classes]  where they start in text */
  char *text;                 /* [bytes]  names, each with a zero behind it */
  size_t room[3];             /* allocated: files, classes, bytes */
};
/* Adds what is in `folder` to the list, which is all zero at first. */
int folder_list_add(struct folder_list *l, const char *folder, int source);
void folder_list_free(struct folder_list *l);
/* A name as it can be printed on one line: backslash and control bytes as \\, \n or \x1b. Returns text[room], cut with "..." */
char *folder_list_escape(const char *name, char *text, size_t room);
#endif
