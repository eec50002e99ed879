#include "io/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/status.h"

static int digest(EVP_MD_CTX *context, FILE *f, unsigned char *sum) {
  enum { PIECE = 1 << 20 };
  unsigned char *bytes = malloc(PIECE);
  int good = bytes && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
  for (size_t n; good && (n = fread(bytes, 1, PIECE, f)) > 0;) good = EVP_DigestUpdate(context, bytes, n) == 1;
  good = good && !ferror(f) && EVP_DigestFinal_ex(context, sum, NULL) == 1;
  free(bytes);
  return good;
}

int sha256_file(const char *path, char text[SHA256_TEXT]) {
  unsigned char sum[EVP_MAX_MD_SIZE];
  FILE *f = fopen(path, "rb");
  if (!f) return because(STATUS_BAD, "%s: cannot be opened: %s", path, strerror(errno));
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const int good = context && digest(context, f, sum);
  const int unread = ferror(f);
  EVP_MD_CTX_free(context);
  fclose(f);
  if (!good) return because(unread ? STATUS_BAD : STATUS_NOMEM, "%s: its SHA-256 cannot be had", path);
  for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", sum[i]);
  return STATUS_OK;
}
