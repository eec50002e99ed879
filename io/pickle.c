#include "io/pickle.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/status.h"

enum { PIECE = 1 << 16, BYTES_MAX = 1 << 26, MEMO_MAX = 1 << 20, NAME_MAX_LENGTH = 128 };

struct pickle_piece {
  struct pickle_piece *next;
  size_t used, size;
  alignas(max_align_t) char data[];
};

/* One pickle under way. */
struct machine {
  struct pickle *p;
  const char *path;
  const unsigned char *data;
  size_t size, at;                              /* at: the next byte */
  bool (*knows)(const char *global);
  struct pickle_value **stack, **memo;
  size_t depth, stack_room, memo_count, memo_room;
  bool done;
};

static struct pickle_value none = { .kind = PICKLE_NONE }, yes = { .kind = PICKLE_BOOL, .integer = 1 },
                           no = { .kind = PICKLE_BOOL }, mark = { .kind = PICKLE_MARK };

static int damaged(const struct machine *m, const char *what) {
  return because(STATUS_BAD, "%s: %s at byte %zu of its pickle", m->path, what, m->at);
}

/* Zeroed; NULL without memory, or at the limit. */
static void *take(struct pickle *p, size_t bytes) {
  bytes = (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
  struct pickle_piece *piece = p->pieces;
  if (!piece || piece->size - piece->used < bytes) {
    const size_t size = bytes > PIECE ? bytes : PIECE;
    if (size > BYTES_MAX - p->bytes || !(piece = calloc(1, sizeof *piece + size))) return NULL;
    *piece = (struct pickle_piece){ .next = p->pieces, .size = size };
    p->pieces = piece;
    p->bytes += size;
  }
  piece->used += bytes;
  return piece->data + piece->used - bytes;
}

static int too_much(const struct machine *m) {
  return because(STATUS_BAD, "%s: its pickle needs more than %d MiB: no list of weights does", m->path, BYTES_MAX >> 20);
}

static int push(struct machine *m, struct pickle_value *v) {
  if (m->depth == m->stack_room) {
    const size_t room = m->stack_room ? 2 * m->stack_room : 256;
    struct pickle_value **more = realloc(m->stack, room * sizeof *more);
    if (!more) return because(STATUS_NOMEM, "%s: no memory for its pickle", m->path);
    m->stack = more;
    m->stack_room = room;
  }
  m->stack[m->depth++] = v;
  return STATUS_OK;
}

static int push_new(struct machine *m, struct pickle_value v) {
  struct pickle_value *kept = take(m->p, sizeof *kept);
  if (!kept) return too_much(m);
  *kept = v;
  return push(m, kept);
}

/* The value on top leaves the stack; NULL where there is none, or a mark. */
static struct pickle_value *pop(struct machine *m) {
  return m->depth && m->stack[m->depth - 1] != &mark ? m->stack[--m->depth] : NULL;
}

/* How many values lie above the topmost mark; SIZE_MAX without a mark. */
static size_t above_mark(const struct machine *m) {
  for (size_t n = 0; n < m->depth; n++)
    if (m->stack[m->depth - 1 - n] == &mark) return n;
  return SIZE_MAX;
}

/* The n values on top move to the end of v's items. */
static int move_items(struct machine *m, struct pickle_value *v, size_t n) {
  if (!n) return STATUS_OK;
  if (v->room - v->count < n) {
    const size_t room = 2 * v->count > v->count + n ? 2 * v->count : v->count + n;
    struct pickle_value **items = take(m->p, room * sizeof *items);
    if (!items) return too_much(m);
    if (v->count) memcpy(items, v->items, v->count * sizeof *items);
    v->items = items;
    v->room = room;
  }
  m->depth -= n;
  memcpy(v->items + v->count, m->stack + m->depth, n * sizeof *v->items);
  v->count += n;
  return STATUS_OK;
}

/* A new value of the n on top. */
static int collect(struct machine *m, enum pickle_kind kind, size_t n) {
  struct pickle_value v = { .kind = kind };
  if (n > m->depth) return damaged(m, "too few values");
  for (size_t i = 0; i < n; i++)
    if (m->stack[m->depth - 1 - i] == &mark) return damaged(m, "too few values");
  const int status = move_items(m, &v, n);
  return status ? status : push_new(m, v);
}

/* The values above the mark go to the container under it. */
static int extend(struct machine *m, enum pickle_kind kind, bool marked) {
  const size_t n = marked ? above_mark(m) : kind == PICKLE_DICT ? 2 : 1, below = n + marked;
  if (n == SIZE_MAX || below >= m->depth) return damaged(m, "too few values");
  struct pickle_value *v = m->stack[m->depth - 1 - below];
  if (v->kind != kind || (kind == PICKLE_DICT && n % 2)) return damaged(m, "values for no list or dict");
  for (size_t i = 0; i < n; i++)
    if (m->stack[m->depth - 1 - i] == &mark) return damaged(m, "a mark where a value is expected");
  const int status = move_items(m, v, n);
  m->depth -= marked;
  return status;
}

/* Little endian, n <= 8 bytes, without sign; m->at moves behind it. False past the end. */
static bool number(struct machine *m, size_t n, uint64_t *value) {
  if (m->size - m->at < n) return false;
  *value = 0;
  for (size_t i = 0; i < n; i++) *value |= (uint64_t)m->data[m->at + i] << 8 * i;
  m->at += n;
  return true;
}

static int push_integer(struct machine *m, size_t n, bool with_sign) {
  uint64_t u;
  if (!number(m, n, &u)) return damaged(m, "cut");
  if (with_sign && n && n < 8 && u >> (8 * n - 1)) u |= UINT64_MAX << 8 * n;
  return push_new(m, (struct pickle_value){ .kind = PICKLE_INTEGER, .integer = (int64_t)u });
}

/* The bytes whose length stands in the next n. */
static int push_bytes(struct machine *m, enum pickle_kind kind, size_t n) {
  uint64_t length;
  if (!number(m, n, &length) || length > m->size - m->at) return damaged(m, "cut");
  if (kind == PICKLE_LONG && length <= 8) return push_integer(m, length, true);
  const char *text = (const char *)m->data + m->at;
  m->at += length;
  return push_new(m, (struct pickle_value){ .kind = kind, .text = text, .length = length });
}

static int push_real(struct machine *m) {   /* no weight is one: its value is not wanted */
  uint64_t bits;
  return number(m, 8, &bits) ? push_new(m, (struct pickle_value){ .kind = PICKLE_REAL }) : damaged(m, "cut");
}

static int push_global(struct machine *m, const char *module, size_t a, const char *name, size_t b) {
  if (a > NAME_MAX_LENGTH || b > NAME_MAX_LENGTH) return damaged(m, "a name that is too long");
  char *text = take(m->p, a + b + 2);
  if (!text) return too_much(m);
  memcpy(text, module, a);
  text[a] = '.';
  memcpy(text + a + 1, name, b);
  if (memchr(text, 0, a + b + 1) || !m->knows(text))
    return because(STATUS_BAD, "%s: its pickle asks for %s, which no list of weights needs; nothing was run", m->path, text);
  return push_new(m, (struct pickle_value){ .kind = PICKLE_GLOBAL, .text = text, .length = a + b + 1 });
}

/* GLOBAL: two lines of text. */
static int global_lines(struct machine *m) {
  const char *text[2];
  size_t length[2];
  for (int i = 0; i < 2; i++) {
    const unsigned char *from = m->data + m->at, *end = memchr(from, '\n', m->size - m->at);
    if (!end) return damaged(m, "cut");
    text[i] = (const char *)from;
    length[i] = (size_t)(end - from);
    m->at += length[i] + 1;
  }
  return push_global(m, text[0], length[0], text[1], length[1]);
}

static int global_values(struct machine *m) {
  const struct pickle_value *name = pop(m), *module = pop(m);
  if (!name || !module || name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT) return damaged(m, "a name that is no text");
  return push_global(m, module->text, module->length, name->text, name->length);
}

static int call(struct machine *m) {
  struct pickle_value *arguments = pop(m), *global = pop(m);
  if (!arguments || !global || global->kind != PICKLE_GLOBAL || arguments->kind != PICKLE_TUPLE)
    return damaged(m, "a call of nothing");
  if (!strcmp(global->text, "collections.OrderedDict"))
    return arguments->count ? damaged(m, "an OrderedDict with arguments")
                            : push_new(m, (struct pickle_value){ .kind = PICKLE_DICT });
  struct pickle_value **items = take(m->p, 2 * sizeof *items);
  if (!items) return too_much(m);
  items[0] = global;
  items[1] = arguments;
  return push_new(m, (struct pickle_value){ .kind = PICKLE_CALL, .items = items, .count = 2 });
}

static int persistent(struct machine *m) {
  const int status = collect(m, PICKLE_PERSISTENT, 1);
  if (status) return status;
  struct pickle_value *v = m->stack[m->depth - 1];
  v->before = m->p->last;
  m->p->last = v;
  return STATUS_OK;
}

static int put_memo(struct machine *m, uint64_t i) {
  if (!m->depth || m->stack[m->depth - 1] == &mark) return damaged(m, "nothing to remember");
  if (i >= MEMO_MAX) return too_much(m);
  if (i >= m->memo_room) {
    size_t room = m->memo_room ? m->memo_room : 256;
    while (room <= i) room *= 2;
    struct pickle_value **more = realloc(m->memo, room * sizeof *more);
    if (!more) return because(STATUS_NOMEM, "%s: no memory for its pickle", m->path);
    memset(more + m->memo_room, 0, (room - m->memo_room) * sizeof *more);
    m->memo = more;
    m->memo_room = room;
  }
  if (!m->memo[i]) m->memo_count++;
  m->memo[i] = m->stack[m->depth - 1];
  return STATUS_OK;
}

/* The memo's operations: their index stands in the next n bytes. */
static int memo(struct machine *m, size_t n, bool put) {
  uint64_t i;
  if (!number(m, n, &i)) return damaged(m, "cut");
  if (put) return put_memo(m, i);
  return i < m->memo_room && m->memo[i] ? push(m, m->memo[i]) : damaged(m, "a value that was not remembered");
}

static int skip(struct machine *m, size_t n) {
  if (m->size - m->at < n) return damaged(m, "cut");
  m->at += n;
  return STATUS_OK;
}

static int discard(struct machine *m) { return pop(m) ? STATUS_OK : damaged(m, "nothing to discard"); }

static int protocol(struct machine *m) {
  uint64_t version;
  if (!number(m, 1, &version)) return damaged(m, "cut");
  return version >= 2 && version <= 5 ? STATUS_OK : because(STATUS_BAD, "%s: its pickle is of protocol %d, expected 2 to 5",
                                                            m->path, (int)version);
}

static int tuple(struct machine *m) {
  const size_t n = above_mark(m);
  if (n == SIZE_MAX) return damaged(m, "a tuple without a mark");
  struct pickle_value v = { .kind = PICKLE_TUPLE };
  const int status = move_items(m, &v, n);
  if (status) return status;
  m->depth--;
  return push_new(m, v);
}

static int operate(struct machine *m, unsigned char operation) {
  switch (operation) {
    case 0x80: return protocol(m);
    case 0x95: return skip(m, 8);                                 /* FRAME: the length of what follows */
    case '.':  m->done = true; return STATUS_OK;
    case '(':  return push(m, &mark);
    case 'N':  return push(m, &none);
    case 0x88: return push(m, &yes);
    case 0x89: return push(m, &no);
    case 'K':  return push_integer(m, 1, false);
    case 'M':  return push_integer(m, 2, false);
    case 'J':  return push_integer(m, 4, true);
    case 0x8a: return push_bytes(m, PICKLE_LONG, 1);
    case 'G':  return push_real(m);
    case 'X':  return push_bytes(m, PICKLE_TEXT, 4);
    case 0x8c: return push_bytes(m, PICKLE_TEXT, 1);
    case 0x8d: return push_bytes(m, PICKLE_TEXT, 8);
    case '}':  return push_new(m, (struct pickle_value){ .kind = PICKLE_DICT });
    case ']':  return push_new(m, (struct pickle_value){ .kind = PICKLE_LIST });
    case ')':  return collect(m, PICKLE_TUPLE, 0);
    case 0x85: return collect(m, PICKLE_TUPLE, 1);
    case 0x86: return collect(m, PICKLE_TUPLE, 2);
    case 0x87: return collect(m, PICKLE_TUPLE, 3);
    case 't':  return tuple(m);
    case 'a':  return extend(m, PICKLE_LIST, false);
    case 'e':  return extend(m, PICKLE_LIST, true);
    case 's':  return extend(m, PICKLE_DICT, false);
    case 'u':  return extend(m, PICKLE_DICT, true);
    case 'q':  return memo(m, 1, true);
    case 'r':  return memo(m, 4, true);
    case 0x94: return put_memo(m, m->memo_count);
    case 'h':  return memo(m, 1, false);
    case 'j':  return memo(m, 4, false);
    case 'c':  return global_lines(m);
    case 0x93: return global_values(m);
    case 'Q':  return persistent(m);
    case 'R':  return call(m);
    case 'b':                                                     /* BUILD: the state of an object, as state_dict's metadata */
    case '0':  return discard(m);
    default:
      m->at--;
      return because(STATUS_BAD, "%s: operation 0x%02x at byte %zu of its pickle, which no list of weights needs; nothing was"
                     " run", m->path, operation, m->at);
  }
}

int pickle_read(struct pickle *p, const char *path, const unsigned char *data, size_t size, bool (*knows)(const char *global),
                const struct pickle_value **value, size_t *used) {
  struct machine m = { .p = p, .path = path, .data = data, .size = size, .knows = knows };
  int status = STATUS_OK;
  while (!m.done && !status) status = m.at < size ? operate(&m, data[m.at++]) : damaged(&m, "cut");
  if (!status && (m.depth != 1 || m.stack[0] == &mark)) status = damaged(&m, "not one value");
  if (!status) {
    *value = m.stack[0];
    *used = m.at;
  }
  free(m.stack);
  free(m.memo);
  return status;
}

void pickle_free(struct pickle *p) {
  while (p->pieces) {
    struct pickle_piece *next = p->pieces->next;
    free(p->pieces);
    p->pieces = next;
  }
  *p = (struct pickle){ 0 };
}

bool pickle_is(const struct pickle_value *v, const char *text) {
  return v->kind == PICKLE_TEXT && v->length == strlen(text) && !memcmp(v->text, text, v->length);
}
