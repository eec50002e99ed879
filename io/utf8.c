#include "io/utf8.h"

int utf8_first(const char *text, unsigned long *u) {
  static const unsigned long least[] = { 0, 0x80, 0x800, 0x10000 };   /* of characters with so many bytes more */
  const unsigned char *c = (const unsigned char *)text;
  const int more = *c < 0x80 ? 0 : *c >> 5 == 6 ? 1 : *c >> 4 == 14 ? 2 : *c >> 3 == 30 ? 3 : -1;
  if (!*c || more < 0) return 0;
  *u = more ? *c & (0x3fU >> more) : *c;
  for (int i = 1; i <= more; i++) {
    if (c[i] >> 6 != 2) return 0;
    *u = *u << 6 | (c[i] & 0x3fU);
  }
  const int half = *u >= 0xd800 && *u <= 0xdfff;   /* of a pair in UTF-16 */
  return *u < least[more] || *u > 0x10ffff || half ? 0 : more + 1;
}

void utf8_mend(char *text) {
  unsigned long u;
  while (*text) {
    const int n = utf8_first(text, &u);
    if (!n) *text = '?';
    text += n ? n : 1;
  }
}
