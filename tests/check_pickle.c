/* Pickles become values; whatever else stands in one is refused with a line, in little memory. */
#include "io/pickle.h"

#include <sys/resource.h>

#include "src/base/status.h"
#include "tests/harness.h"

static bool knows(const char *global) { return !strcmp(global, "a.b") || !strcmp(global, "collections.OrderedDict"); }

static struct pickle p;
static const struct pickle_value *value;
static size_t used;

static int read_bytes(const void *data, size_t size) {
  pickle_free(&p);
  return pickle_read(&p, "x.pt", data, size, knows, &value, &used);
}
/* A literal may hold zeros. */
#define READ(text) read_bytes(text, sizeof(text) - 1)

static void check_refused(const char *name, int status, const char *reason) {
  if (status != STATUS_BAD || !strstr(status_reason(), reason) || strncmp(status_reason(), "x.pt: ", 6))
    ck_abort_msg("%s: status %d, '%s', expected '%s'", name, status, status_reason(), reason);
}

static void check_integer(const void *data, size_t size, int64_t expected) {
  ck_assert_int_eq(read_bytes(data, size), STATUS_OK);
  ck_assert_int_eq(value->kind, PICKLE_INTEGER);
  ck_assert_int_eq(value->integer, expected);
}
#define INTEGER(text, expected) check_integer(text, sizeof(text) - 1, expected)

START_TEST(numbers_and_texts_are_read) {
  INTEGER("\x80\2K\xff.", 255);
  INTEGER("\x80\2M\1\2.", 513);
  INTEGER("\x80\2J\xfe\xff\xff\xff.", -2);
  INTEGER("\x80\2\x8a\1\xfe.", -2);
  INTEGER("\x80\2\x8a\5\0\0\0\0\1.", INT64_C(1) << 32);
  INTEGER("\x80\2\x8a\0.", 0);
  INTEGER("\x80\2\x8a\x08\0\0\0\0\0\0\0\x80.", INT64_MIN);
  ck_assert_int_eq(READ("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), STATUS_OK);
  ck_assert(value->kind == PICKLE_LONG && value->length == 10);
  ck_assert_int_eq(READ("\x80\4\x95\1\0\0\0\0\0\0\0\x8c\2hi.rest"), STATUS_OK);
  ck_assert(pickle_is(value, "hi") && !pickle_is(value, "h") && !pickle_is(value, "hi!"));
  ck_assert_uint_eq(used, 16);
} END_TEST

START_TEST(containers_and_calls_keep_their_order) {
  ck_assert_int_eq(READ("\x80\2}q\0(X\1\0\0\0kK\1X\1\0\0\0lh\0u."), STATUS_OK);   /* holds itself */
  ck_assert(value->kind == PICKLE_DICT && value->count == 4 && value->items[3] == value);
  ck_assert(pickle_is(value->items[0], "k") && value->items[1]->integer == 1);
  ck_assert_int_eq(READ("\x80\2]K\1aK\2a(K\3K\4e."), STATUS_OK);
  ck_assert_uint_eq(value->count, 4);
  for (int i = 0; i < 4; i++) ck_assert_int_eq(value->items[i]->integer, i + 1);
  ck_assert_int_eq(READ("\x80\2""ca\nb\n(K\7N\x88tR."), STATUS_OK);
  ck_assert(value->kind == PICKLE_CALL && value->items[1]->count == 3 && value->items[1]->items[1]->kind == PICKLE_NONE);
  ck_assert_str_eq(value->items[0]->text, "a.b");
  ck_assert_int_eq(READ("\x80\4\x8c\1a\x8c\1b\x93)\x81."), STATUS_BAD);            /* NEWOBJ is not needed */
  ck_assert_int_eq(READ("\x80\2""ccollections\nOrderedDict\n)RK\1K\2s}b."), STATUS_OK);
  ck_assert(value->kind == PICKLE_DICT && value->count == 2);
  ck_assert_int_eq(READ("\x80\2K\5Q."), STATUS_OK);
  ck_assert(value->kind == PICKLE_PERSISTENT && value->items[0]->integer == 5 && p.last == value);
} END_TEST

START_TEST(what_is_not_needed_is_refused_and_not_run) {
  const struct { const char *name, *data; size_t size; const char *reason; } bad[] = {
#define BAD(text, reason) { #text, text, sizeof(text) - 1, reason }
    BAD("\x80\2""cposix\nsystem\n(X\4\0\0\0exittR.", "asks for posix.system, which no list of weights needs; nothing was run"),
    BAD("\x80\4\x8c\2os\x8c\6system\x93\x8c\4exit\x85R.", "asks for os.system"),
    BAD("\x80\2""cbuiltins\neval\n.", "asks for builtins.eval"),
    BAD("\x80\2(iposix\nsystem\n.", "operation 0x69"),
    BAD("\x80\2(K\1o.", "operation 0x6f"),
    BAD("\x80\2\x82\1.", "operation 0x82"),
    BAD("\x80\2Pid\n.", "operation 0x50"),
    BAD("\x80\1K\1.", "protocol 1"), BAD("\x80\6K\1.", "protocol 6"),
    BAD("\x80\2K\1(R.", "a call of nothing"), BAD("\x80\2K\1)R.", "a call of nothing"), BAD("\x80\2R.", "a call of nothing"),
    BAD("\x80\2.", "not one value"), BAD("\x80\2(.", "not one value"), BAD("\x80\2K\1K\1.", "not one value"),
    BAD("\x80\2t.", "a tuple without a mark"), BAD("\x80\2\x87.", "too few values"), BAD("\x80\2K\1(\x85.", "too few values"),
    BAD("\x80\2K\1a.", "too few values"), BAD("\x80\2K\1K\1a.", "no list or dict"), BAD("\x80\2}(K\1u.", "no list or dict"),
    BAD("\x80\2(((u.", "no list or dict"), BAD("\x80\2]q\0(ae.", "mark where"),
    BAD("\x80\2h\0.", "not remembered"), BAD("\x80\2q\0.", "nothing to remember"), BAD("\x80\2(q\0.", "nothing to remember"),
    BAD("\x80\2K\1r\xff\xff\xff\xff.", "more than 64 MiB"), BAD("\x80\2j\xff\xff\xff\xff.", "not remembered"),
    BAD("\x80\2X\xff\xff\xff\xff.", "cut"), BAD("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "cut"),
    BAD("\x80\2\x8a\xff\1.", "cut"), BAD("\x80\2""cabc", "cut"), BAD("\x80\2""c\n\n.", "asks for ."),
    BAD("\x80\2K\1b.", "not one value"), BAD("\x80\2""0.", "nothing to discard"),
#undef BAD
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    check_refused(bad[i].name, read_bytes(bad[i].data, bad[i].size), bad[i].reason);
} END_TEST

START_TEST(a_cut_pickle_is_refused_at_every_byte) {
  static const char whole[] = "\x80\2}q\0(X\1\0\0\0kca\nb\nq\1(X\2\0\0\0ab\x8a\3\1\2\3\x88tRJ\1\2\3\4Qu.";
  ck_assert_int_eq(READ(whole), STATUS_BAD);   /* an odd number of items */
  static const char even[] = "\x80\2}q\0(X\1\0\0\0kca\nb\nq\1(X\2\0\0\0ab\x8a\3\1\2\3\x88tRJ\1\2\3\4h\0u.";
  ck_assert_int_eq(READ(even), STATUS_OK);
  for (size_t n = 0; n + 1 < sizeof even - 1; n++)
    check_refused("cut", read_bytes(even, n), " at byte ");
} END_TEST

/* A head, then so many bytes of a kind, then "." */
static int read_many(const char *head, char c, size_t n) {
  const size_t h = strlen(head);
  char *data = malloc(h + n + 1);
  memcpy(data, head, h);
  memset(data + h, c, n);
  data[h + n] = '.';
  const int status = read_bytes(data, h + n + 1);
  free(data);
  return status;
}

START_TEST(depth_and_number_are_bounded) {
  check_refused("marks", read_many("\x80\2", '(', 1 << 22), "not one value");
  check_refused("lists", read_many("\x80\2", ']', 1 << 22), "more than 64 MiB");
  check_refused("tuples in tuples", read_many("\x80\2)", '\x85', 1 << 22), "more than 64 MiB");
  ck_assert_int_eq(read_many("\x80\2)", '\x85', 1 << 15), STATUS_OK);   /* as deep as it likes: nothing is recursive */
  check_refused("lists in lists", read_many("\x80\2]q", 'a', 100), "too few values");
  struct rusage used_here;
  getrusage(RUSAGE_SELF, &used_here);
  ck_assert_int_lt(used_here.ru_maxrss, 1 << 20);   /* KiB */
} END_TEST

/* Bytes changed at random never do more than make a pickle wrong. */
START_TEST(a_damaged_pickle_is_a_value_or_a_line) {
  static const char whole[] =
    "\x80\2}q\0(X\1\0\0\0kca\nb\nq\1(((X\2\0\0\0ab\x8a\3\1\2\3\x88ttK\1\x85QtRJ\1\2\3\4]q\2(K\1h\2eu.";
  char data[sizeof whole];
  uint32_t bits[8], other = 0;
  for (uint32_t i = 0; i < 200000; i++) {
    random_bits((struct purpose){ .seed = 3, .stream = STREAM_TEST, .sample = i }, 8, bits);
    memcpy(data, whole, sizeof data);
    for (uint32_t j = 0; j <= bits[0] % 3; j++) data[bits[2 * j + 1] % (sizeof data - 1)] = (char)bits[2 * j + 2];
    const int status = read_bytes(data, sizeof data - 1);
    other += status != STATUS_OK && !(status == STATUS_BAD && !strncmp(status_reason(), "x.pt: ", 6));
  }
  ck_assert_uint_eq(other, 0);
  pickle_free(&p);
} END_TEST

int main(void) {
  return run_tests("pickle", (const TTest *[]){ numbers_and_texts_are_read, containers_and_calls_keep_their_order,
    what_is_not_needed_is_refused_and_not_run, a_cut_pickle_is_refused_at_every_byte, depth_and_number_are_bounded,
    a_damaged_pickle_is_a_value_or_a_line, NULL });
}
