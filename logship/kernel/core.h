/* The kernel's core: executes a program (program.py is its contract) over whole lines.

   It writes a line exactly as `exact` does, or hands it back. It never decides that a line is unmatched, never fails
   for what a line or a program says, and never loops back. It knows nothing of Python, so that a fuzzer can link it. */
#ifndef LOGSHIP_CORE_H
#define LOGSHIP_CORE_H

#include <stddef.h>
#include <stdint.h>

#define LS_VERSION 4 /* of the program's encoding; program.VERSION */
#define LS_DIGITS 14 /* of a file in a transaction_id: kkkk-8kkk-Vkkk */

typedef struct {
    const uint8_t *at;
    size_t length;
} ls_bytes;

/* What a function of the program gives. `text` must live until the next call. */
typedef struct {
    enum { LS_NOTHING, LS_TEXT, LS_NUMBER, LS_FAILED } kind; /* LS_FAILED ends the run */
    ls_bytes text;
    int64_t number;
} ls_answer;

typedef ls_answer (*ls_call)(void *context, unsigned function, ls_bytes first, const ls_bytes *second);

typedef struct {
    ls_bytes data;          /* whole lines, each with its newline */
    uint64_t start;         /* position of data in its log */
    const uint64_t *starts; /* NULL, or the positions to use instead: `given` lines and the end */
    const uint32_t *crcs;   /* NULL, or the CRC-32 of each line to use instead */
    size_t given;           /* lines that starts and crcs speak of */
    const char *digits;     /* LS_DIGITS */
    ls_bytes origin, path;  /* UTF-8 */
    int64_t oldest, since, until; /* milliseconds; until is exclusive */
    ls_call call;
    uint8_t *(*grow)(void *context, size_t room); /* NULL: realloc(); else the output's text with so much room, of the
                                                     caller's own memory; NULL ends the run as LS_FAILED does */
    void *context;
} ls_input;

/* Events joined by commas. Event i is text[ends[i - 1] + 1 .. ends[i]], the first begins at 0; it was made of line
   lines[i]. left: the lines that are handed back. starts: the position of each line, and of the end. All but `counts`
   keep their room from run to run; zeroed memory is an empty one. */
typedef struct {
    uint8_t *text;
    uint32_t *ends, *lines, *left;
    uint64_t *starts, *counts;
    size_t length, events, lefts, count;
    size_t text_room, ends_room, lines_room, left_room, starts_room, counts_room;
    void *work; /* the run's own memory */
    size_t work_room;
} ls_output;

typedef struct ls_program ls_program;

/* The program, or NULL and what is wrong with it. `seed` makes its hash tables unpredictable. */
ls_program *ls_load(const uint8_t *blob, size_t length, uint64_t seed, const char **wrong);
void ls_free(ls_program *program);
size_t ls_counters(const ls_program *program);

/* Converts the lines. */
enum ls_result { LS_FINE, LS_NO_MEMORY, LS_CALL_FAILED, LS_WRONG_INPUT };
enum ls_result ls_run(ls_program *program, const ls_input *input, ls_output *output);
void ls_release(ls_output *output);

uint32_t ls_crc32(const uint8_t *at, size_t length);

#endif
