/* Fuzzes the kernel's core, built twice: with blocks (ls_…) and one byte at a time (plain_…).

   An input is a kind of program and the lines it runs over. What must hold: no sanitizer complains; both builds give the
   same; each line alone gives what it gives among the others; the output is well-formed ASCII. */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

ls_program *plain_load(const uint8_t *blob, size_t length, uint64_t seed, const char **wrong);
void plain_free(ls_program *program);
enum ls_result plain_run(ls_program *program, const ls_input *input, ls_output *output);
void plain_release(ls_output *output);
uint32_t plain_crc32(const uint8_t *at, size_t length);

enum { REAL, MADE, RAW, KINDS };      /* a program that Python exported, one made of the input, the input's own bytes */
enum { MOST_PROGRAMS = 512, MOST_BLOB = 1 << 16 };

static ls_bytes programs[MOST_PROGRAMS];
static size_t program_count;
static ls_output together, alone, plain_output;
static bool has_fault; /* a test looks whether this fuzzer sees a wrong byte */

typedef struct {
    const uint8_t *at, *end;
} stream;

static unsigned next(stream *from) { return from->at < from->end ? *from->at++ : 0; }

/* -- functions: pure, and what they give dies with the next call */

static char *given;

static ls_answer call(void *context, unsigned function, ls_bytes first, const ls_bytes *second)
{
    uint32_t sum = ls_crc32(first.at, first.length) ^ function * 0x9e3779b9u;
    (void)context;
    if (second) sum ^= ls_crc32(second->at, second->length) * 31;
    free(given);
    given = malloc(2048);
    assert(given);
    size_t length = 0;
    switch (sum % 8) {
    case 0: return (ls_answer){.kind = LS_NOTHING};
    case 1: return (ls_answer){.kind = LS_NUMBER, .number = (int64_t)sum * (sum % 5 ? 1000 : 1 << 24)};
    case 2: length = sum % 512; memset(given, 'a', length); break;
    case 3: length = (size_t)snprintf(given, 64, "/\\\"\xc3\xa9\xf0\x9f\x98\x80%u", sum); break;
    case 4: given[length++] = (char)sum; break;
    case 5: length = first.length < 2048 ? first.length : 2048; memcpy(given, first.at, length); break;
    default: length = (size_t)snprintf(given, 64, "%u", sum); break;
    }
    return (ls_answer){.kind = LS_TEXT, .text = {(const uint8_t *)given, length}};
}

/* -- programs made of the input */

static uint8_t made[MOST_BLOB];
static size_t made_length;

static void add(unsigned number, int bytes)
{
    for (; bytes; bytes--, number >>= 8) made[made_length++] = (uint8_t)number;
}

enum { REGISTERS = 10, FLAGS = 2, FUNCTIONS = 6, COUNTERS = 4, TEXTS = 8, SET = TEXTS, TREE, LIST, ANY, NUMBER, CONSTANTS };
static const uint8_t set[] = "\3\0\1\0a\2\0ab\3\0GET";
static const uint8_t tree[] = "\2\0\3\0\2\0\377\377\1\0a\377\377\1\0\1\0b\376\377\377\377\3\0bad\2\0\3\0\377\377\1\0c\4\0\377\377\1\0d";
static const uint8_t any[] = "\3\0\5\0\2\0";
static const uint8_t list[] = "\2\0\3\0\0\200\4\0\1\200\0\0";
static const char texts[][16] = {"", " ", "\"", "] \"", "\" ", "/", "{\"a\":\"", " [", "?", "HTTP/1.1", ",", "-", "\\x", ":", "}", "&="};
static const uint8_t ops[] = {1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 30, 31, 32, 33, 34, 35, 36,
                              40, 41, 42, 43, 50, 51, 52, 53, 54, 55, 56, 57, 58};
static const char *const kinds[] = {[1] = "k", [2] = "wnklK", "", "rwwwn", "T", "nL", "fr", [10] = "wA", "wk", "wfrR", "wur", "wrr", "wrr",
    "wr", "wwrn", "wL", "wrnc", [30] = "t", "rt", "rSt", "rkt", "gn", "gnt", "n", [40] = "r", "c", "cN", "", [50] = "k", "rK", "rK",
    "rFK", "rK", "K", "k", "k", "n"};
static const uint8_t known_texts[] = {0, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

static unsigned operand(stream *from, char kind, unsigned at, unsigned make, unsigned end)
{
    unsigned byte = next(from);
    switch (kind) {
    case 'r': case 'w': return byte % REGISTERS;
    case 'R': return byte % 3 ? 0xffff : byte % REGISTERS;
    case 'k': return byte % TEXTS;
    case 'K': return byte % 3 ? 0xffff : byte % TEXTS;
    case 'S': return SET;
    case 'T': return TREE;
    case 'L': return LIST;
    case 'A': return ANY;
    case 'N': return NUMBER;
    case 'l': return "\0/?"[byte % 3];
    case 'f': return byte % 3;     /* text functions, the last of two texts */
    case 'F': return byte % 3 ? 0xffff : byte % 2;
    case 'u': return 3 + byte % 3; /* number functions */
    case 'c': return byte % COUNTERS;
    case 'g': return byte % FLAGS;
    case 't': return at + 1 + byte % ((at < make ? make : end) - at);
    default: return byte % 12;
    }
}

static void make_code(stream *from, unsigned make, unsigned end)
{
    for (unsigned at = 0; at < end; at++) {
        uint8_t op = ops[next(from) % sizeof ops];
        if (at >= make && op < 10) op = 51;
        add(op, 2);
        unsigned values[5] = {0};
        for (int i = 0; kinds[op][i]; i++) values[i] = operand(from, kinds[op][i], at, make, end);
        if (op == 2) values[1] %= 10;
        if (op == 7) values[0] %= 2;
        if (op == 12) values[1] = values[3] == 0xffff ? values[1] % 2 : 2;
        if (op == 17 && values[0] == values[1]) values[1] = (values[0] + 1) % REGISTERS;
        if (op == 17) values[3] = "?&=/ "[values[3] % 5];
        if (op == 58) values[0] %= 2;
        for (int i = 0; i < 5; i++) add(values[i], 2);
    }
    add(43, 2), add(0, 4), add(0, 4), add(0, 2);
}

static void make_program(stream *from)
{
    unsigned make = 1 + next(from) % 16, end = make + next(from) % 32;
    unsigned chosen[TEXTS], lengths[CONSTANTS] = {[SET] = sizeof set - 1, [TREE] = sizeof tree - 1, [LIST] = sizeof list - 1, [ANY] = sizeof any - 1, [NUMBER] = 8};
    made_length = 0;
    memcpy(made, "LSP\1", 4), made_length = 4;
    add(LS_VERSION, 2), add(REGISTERS, 2), add(FLAGS, 2), add(0, 2), add(make, 2), add(next(from) % 3, 2);
    add(end + 1, 2), add(CONSTANTS, 2), add(FUNCTIONS, 2), add(COUNTERS, 2);
    make_code(from, make, end);
    for (unsigned i = 0; i < TEXTS; i++) {
        chosen[i] = next(from) % (sizeof texts / sizeof *texts);
        lengths[i] = (unsigned)strlen(texts[chosen[i]]);
    }
    for (unsigned i = 0; i < CONSTANTS; i++) add(lengths[i], 4);
    for (unsigned i = 0; i < TEXTS; i++) memcpy(made + made_length, texts[chosen[i]], lengths[i]), made_length += lengths[i];
    memcpy(made + made_length, set, lengths[SET]), made_length += lengths[SET];
    memcpy(made + made_length, tree, lengths[TREE]), made_length += lengths[TREE];
    memcpy(made + made_length, list, lengths[LIST]), made_length += lengths[LIST];
    memcpy(made + made_length, any, lengths[ANY]), made_length += lengths[ANY];
    add(next(from) << 24, 4), add(next(from) << 24, 4);
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        unsigned known = next(from);
        add(i < 3 ? known_texts[known % sizeof known_texts] : known % 14, 2);
        add(i == 2 ? 2 : 1, 2), add(i >= 3, 2), add(i ? 0 : sizeof set - 1, 2), add(1 + next(from) % 40, 4);
    }
    memcpy(made + made_length, set, sizeof set - 1), made_length += sizeof set - 1;
}

/* -- what must hold */

static ls_bytes event(const ls_output *out, size_t index)
{
    size_t first = index ? out->ends[index - 1] + 1 : 0;
    return (ls_bytes){out->length ? out->text + first : NULL, out->ends[index] - first};
}

static void check_form(const ls_output *out, size_t lines, size_t counters)
{
    uint64_t counted = 0;
    assert(out->count == lines && out->events + out->lefts <= lines);
    for (size_t i = 0; i < counters; i++) counted += out->counts[i];
    assert(out->events + out->lefts + counted >= lines);
    for (size_t i = 0; i < out->length; i++) assert(out->text[i] < 0x80);
    for (size_t i = 0; i < out->events; i++) {
        assert(out->ends[i] <= out->length && (!i || (out->ends[i - 1] < out->ends[i] && out->text[out->ends[i - 1]] == ',')));
        assert(out->lines[i] < lines && (!i || out->lines[i - 1] < out->lines[i]));
    }
    for (size_t i = 1; i < out->lefts; i++) assert(out->left[i - 1] < out->left[i]);
    assert(!out->events || out->ends[out->events - 1] == out->length);
}

static void check_same(const ls_output *a, const ls_output *b, size_t counters)
{
    assert(a->count == b->count && a->events == b->events && a->lefts == b->lefts && a->length == b->length);
    assert(!a->length || !memcmp(a->text, b->text, a->length));
    assert(!a->events || !memcmp(a->ends, b->ends, a->events * sizeof *a->ends));
    assert(!a->events || !memcmp(a->lines, b->lines, a->events * sizeof *a->lines));
    assert(!a->lefts || !memcmp(a->left, b->left, a->lefts * sizeof *a->left));
    assert(!memcmp(a->starts, b->starts, (a->count + 1) * sizeof *a->starts));
    assert(!memcmp(a->counts, b->counts, counters * sizeof *a->counts));
}

/* Each line by itself; one that is handed back here or there says nothing: memories differ, and so does the room left. */
static void check_lines(ls_program *program, const ls_input *input, const ls_output *whole)
{
    size_t at_event = 0, at_left = 0;
    for (size_t line = 0; line < whole->count; line++) {
        size_t first = whole->starts[line] - whole->starts[0], length = whole->starts[line + 1] - whole->starts[line];
        uint8_t *copy = malloc(length); /* of its exact size: a read behind the line is seen */
        assert(copy);
        memcpy(copy, input->data.at + first, length);
        ls_input one = *input;
        one.data = (ls_bytes){copy, length}, one.start = whole->starts[line];
        assert(ls_run(program, &one, &alone) == LS_FINE);
        int is_event = at_event < whole->events && whole->lines[at_event] == line;
        int is_left = at_left < whole->lefts && whole->left[at_left] == line;
        assert(alone.count == 1 && !(is_event && is_left));
        if (!is_left && !alone.lefts) {
            assert((size_t)is_event == alone.events);
            ls_bytes a = is_event ? event(whole, at_event) : (ls_bytes){0}, b = is_event ? event(&alone, 0) : (ls_bytes){0};
            assert(a.length == b.length && (!a.length || !memcmp(a.at, b.at, a.length)));
        }
        at_event += (size_t)is_event, at_left += (size_t)is_left;
        free(copy);
    }
}

static void check_program(ls_bytes blob, stream *from)
{
    const char *wrong, *plain_wrong;
    unsigned seed = next(from);
    uint64_t start = (uint64_t)next(from) << (next(from) % 48);
    ls_program *program = ls_load(blob.at, blob.length, seed, &wrong);
    ls_program *plain = plain_load(blob.at, blob.length, seed, &plain_wrong);
    assert(!program == !plain && (program || !strcmp(wrong, plain_wrong)));
    if (!program) return;
    size_t length = (size_t)(from->end - from->at), counters = ls_counters(program), lines = 0;
    uint8_t *data = malloc(length + 1);
    assert(data);
    if (length) memcpy(data, from->at, length);
    if (length && data[length - 1] != '\n') data[length++] = '\n';
    for (size_t i = 0; i < length; i++) lines += data[i] == '\n';
    data = realloc(data, length ? length : 1);
    ls_input input = {
        .data = {data, length}, .start = start, .digits = "0123-8456-8789", .origin = {(const uint8_t *)"web-1", 5},
        .path = {(const uint8_t *)"/var/log/\xc3\xa9\"", 12}, .oldest = -1, .since = -1, .until = INT64_C(253402300800000), .call = call,
    };
    if (start & 1) input.oldest = INT64_C(971186136000), input.until = INT64_C(1600000000000);
    assert(ls_run(program, &input, &together) == LS_FINE);
    assert(plain_run(plain, &input, &plain_output) == LS_FINE);
    check_form(&together, lines, counters);
    if (has_fault && plain_output.length) plain_output.text[plain_output.length / 2] ^= 1;
    check_same(&together, &plain_output, counters);
    check_lines(program, &input, &together);
    ls_free(program), plain_free(plain), free(data);
}

static void check_crc(ls_bytes data)
{
    assert(ls_crc32(data.at, data.length) == plain_crc32(data.at, data.length));
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    const char *name = getenv("LOGSHIP_PROGRAMS"); /* u32 length and a program, again and again */
    FILE *file = name ? fopen(name, "rb") : NULL;
    uint8_t length[4];
    (void)count, (void)arguments;
    has_fault = getenv("LOGSHIP_FAULT") != NULL;
    while (file && program_count < MOST_PROGRAMS && fread(length, 4, 1, file) == 1) {
        size_t size = length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16;
        uint8_t *blob = malloc(size);
        assert(blob && fread(blob, 1, size, file) == size);
        programs[program_count++] = (ls_bytes){blob, size};
    }
    if (file) fclose(file);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    stream from = {data, data + size};
    unsigned kind = next(&from) % KINDS;
    if (kind == REAL && program_count) {
        unsigned which = next(&from);
        which |= next(&from) << 8;
        check_program(programs[which % program_count], &from);
    } else if (kind == RAW) {
        size_t length = next(&from);
        length |= (size_t)next(&from) << 8;
        if (length > (size_t)(from.end - from.at)) length = (size_t)(from.end - from.at);
        stream lines = {from.at + length, from.end};
        check_program((ls_bytes){from.at, length}, &lines);
    } else {
        size_t length = 2 * next(&from);
        if (length > (size_t)(from.end - from.at)) length = (size_t)(from.end - from.at);
        stream code = {from.at, from.at + length}, lines = {from.at + length, from.end};
        make_program(&code);
        check_program((ls_bytes){made, made_length}, &lines);
    }
    check_crc((ls_bytes){data, size});
    return 0;
}
