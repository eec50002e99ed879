/* sha256.h - the SHA-256 of a file's bytes, by OpenSSL's libcrypto: what publishers of weights print beside them. Ranks: local. */
#ifndef IO_SHA256_H
#define IO_SHA256_H
enum { SHA256_TEXT = 65 };
/* 64 hexadecimal digits. Errors: STATUS_BAD: it cannot be read; STATUS_NOMEM. */
int sha256_file(const char *path, char text[SHA256_TEXT]);
#endif
