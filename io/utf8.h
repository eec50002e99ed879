/* utf8.h - characters in UTF-8, in their shortest form. Ranks: local. Memory: none. Errors: none. */
#ifndef IO_UTF8_H
#define IO_UTF8_H

/* How many bytes the first character of text has, 1 to 4, and which it is, in *u; 0 where there is none: at the end, or bytes that are
 * no character. */
int utf8_first(const char *text, unsigned long *u);
/* Each byte that is of no character becomes a question mark. */
void utf8_mend(char *text);
#endif
