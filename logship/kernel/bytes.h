/* What every part of the core does with bytes: find, copy, check UTF-8, escape.

   A block of bytes at a time where the machine has SSE2 or NEON (LS_PLAIN: nowhere), else one by one; the same results.
   Every text that reaches these functions may be read for SLACK bytes behind its end, but in find_newline(). Most texts
   take no loop: the processor would guess its end wrong for every other text, which costs more than the bytes. */
#ifndef LOGSHIP_BYTES_H
#define LOGSHIP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 16 /* bytes */
#define SLACK (4 * BLOCK)

static const uint8_t NOTHING[SLACK]; /* the text of what is empty */

#if defined(LS_PLAIN)
#elif defined(__SSE2__)
#define LS_BLOCKS 1
#include <emmintrin.h>
typedef __m128i block;
#define LANE_BITS 1 /* of a mask for each byte */
static inline block load(const uint8_t *at) { return _mm_loadu_si128((const __m128i *)at); }
static inline void store(uint8_t *at, block b) { _mm_storeu_si128((__m128i *)at, b); }
static inline block every(uint8_t byte) { return _mm_set1_epi8((char)byte); }
static inline block equal(block a, block b) { return _mm_cmpeq_epi8(a, b); }
static inline block most(block a, uint8_t byte) { return _mm_cmpeq_epi8(_mm_min_epu8(a, every(byte)), a); }
static inline block either(block a, block b) { return _mm_or_si128(a, b); }
static inline block odd(block a) { return _mm_cmplt_epi8(a, every(0x20)); } /* below 0x20 or above 0x7f */
static inline uint64_t mask_of(block b) { return (uint64_t)(unsigned)_mm_movemask_epi8(b); }
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define LS_BLOCKS 1
#include <arm_neon.h>
typedef uint8x16_t block;
#define LANE_BITS 4
static inline block load(const uint8_t *at) { return vld1q_u8(at); }
static inline void store(uint8_t *at, block b) { vst1q_u8(at, b); }
static inline block every(uint8_t byte) { return vdupq_n_u8(byte); }
static inline block equal(block a, block b) { return vceqq_u8(a, b); }
static inline block most(block a, uint8_t byte) { return vcleq_u8(a, every(byte)); }
static inline block either(block a, block b) { return vorrq_u8(a, b); }
static inline block odd(block a) { return vcltq_s8(vreinterpretq_s8_u8(a), vdupq_n_s8(0x20)); }
static inline uint64_t mask_of(block b)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(b), 4)), 0);
}
#endif

#ifdef LS_BLOCKS
static inline size_t first_of(uint64_t mask) { return (size_t)__builtin_ctzll(mask) / LANE_BITS; }
static inline uint64_t lanes(size_t count) /* the mask of the first `count` of fewer than BLOCK */
{
    return ((uint64_t)1 << (count * LANE_BITS)) - 1;
}

#if LANE_BITS == 1
#define STRIDE SLACK /* bytes that are looked at together behind the first block */
static inline uint64_t mask_of_four(block a, block b, block c, block d)
{
    return mask_of(a) | mask_of(b) << 16 | mask_of(c) << 32 | mask_of(d) << 48;
}
#else
#define STRIDE BLOCK
#endif
#endif

/* -- numbers */

static inline unsigned u16_at(const uint8_t *at) { return (unsigned)at[0] | (unsigned)at[1] << 8; }
static inline uint32_t u32_at(const uint8_t *at) { return u16_at(at) | (uint32_t)u16_at(at + 2) << 16; }
static inline uint64_t u64_at(const uint8_t *at) { return u32_at(at) | (uint64_t)u32_at(at + 4) << 32; }

static inline bool is_digit(uint8_t byte) { return (uint8_t)(byte - '0') < 10; }
static inline bool is_letter(uint8_t byte) { return (uint8_t)((byte | 32) - 'a') < 26; }

static inline int hex_of(uint8_t byte) /* -1: no hex digit */
{
    if (is_digit(byte)) return byte - '0';
    return (uint8_t)((byte | 32) - 'a') < 6 ? (byte | 32) - 'a' + 10 : -1;
}

/* Hex digits, an even number of them. */
static inline void write_hex(uint8_t *at, uint64_t number, int digits)
{
    static const char pairs[] =
#define ROW(x) x "0" x "1" x "2" x "3" x "4" x "5" x "6" x "7" x "8" x "9" x "a" x "b" x "c" x "d" x "e" x "f"
        ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7")
        ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");
#undef ROW
    for (digits -= 2; digits >= 0; digits -= 2, number >>= 8) memcpy(at + digits, pairs + 2 * (number & 255), 2);
}

/* -- lines */

enum { HIGH = 1, BACKSLASH = 2, CONTROL = 4 }; /* what bytes a line holds */

static inline unsigned kind_of(uint8_t byte)
{
    return byte >= 0x80 ? HIGH : byte == '\\' ? BACKSLASH : byte < 0x20 || byte == 0x7f ? CONTROL : 0;
}

#ifdef LS_BLOCKS
static inline block special_in_line(block now) { return either(odd(now), either(equal(now, every('\\')), equal(now, every(0x7f)))); }
#endif

/* The newline at or behind `at`, or `end`; `kinds` of all bytes before it. */
static inline const uint8_t *find_newline(const uint8_t *at, const uint8_t *end, unsigned *kinds)
{
    unsigned found = 0;
#if LANE_BITS == 1
    for (; end - at >= STRIDE; at += STRIDE) {
        block b0 = load(at), b1 = load(at + BLOCK), b2 = load(at + 2 * BLOCK), b3 = load(at + 3 * BLOCK), line = every('\n');
        uint64_t strange = mask_of_four(special_in_line(b0), special_in_line(b1), special_in_line(b2), special_in_line(b3));
        if (!strange) continue;
        uint64_t newline = mask_of_four(equal(b0, line), equal(b1, line), equal(b2, line), equal(b3, line));
        if (!(newline & strange & (0 - strange))) break; /* the first of them is another */
        return *kinds = 0, at + first_of(newline);
    }
#endif
#ifdef LS_BLOCKS
    for (; end - at >= BLOCK; at += BLOCK) {
        block now = load(at);
        if (!mask_of(special_in_line(now))) continue;
        uint64_t newline = mask_of(equal(now, every('\n'))), before = newline ? lanes(first_of(newline)) : ~(uint64_t)0;
        found |= mask_of(equal(most(now, 0x7f), every(0))) & before ? HIGH : 0;
        found |= mask_of(equal(now, every('\\'))) & before ? BACKSLASH : 0;
        found |= mask_of(either(most(now, 0x1f), equal(now, every(0x7f)))) & before ? CONTROL : 0;
        if (newline) return *kinds = found, at + first_of(newline);
    }
#endif
    for (; at < end && *at != '\n'; at++) found |= kind_of(*at);
    *kinds = found;
    return at;
}

/* -- stops */

#define FEW_STOPS 4
typedef struct {
    unsigned count;                   /* above FEW_STOPS: look at the table */
    uint8_t blocks[FEW_STOPS][BLOCK]; /* each filled with one stop; unused ones repeat the first */
    uint8_t table[256];
} stop_set;

#define FILLED(x) {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}
#define TWO_STOPS(x, y) {2, {FILLED(x), FILLED(y)}, {[x] = 1, [y] = 1}}

static inline void add_stops(stop_set *stops, ls_bytes from) /* to a zeroed set, or one with stops */
{
    for (size_t i = 0; i < from.length; i++) {
        if (stops->table[from.at[i]]) continue;
        stops->table[from.at[i]] = 1;
        if (stops->count < FEW_STOPS) memset(stops->blocks[stops->count], from.at[i], BLOCK);
        stops->count++;
    }
    for (unsigned i = stops->count; i && i < FEW_STOPS; i++) memcpy(stops->blocks[i], stops->blocks[0], BLOCK);
}

#ifdef LS_BLOCKS
static inline block stops_in(const uint8_t *at, const stop_set *stops)
{
    block now = load(at), found = either(equal(now, load(stops->blocks[0])), equal(now, load(stops->blocks[1])));
    if (stops->count <= 2) return found;
    return either(found, either(equal(now, load(stops->blocks[2])), equal(now, load(stops->blocks[3]))));
}
#endif

/* The first stop at or behind `at`, else `end`. */
static inline const uint8_t *find_stop(const uint8_t *at, const uint8_t *end, const stop_set *stops)
{
#ifdef LS_BLOCKS
    if (stops->count <= FEW_STOPS) {
        if (!stops->count) return end;
        uint64_t found = mask_of(stops_in(at, stops));
        if (!found) {
            for (at += BLOCK; at < end; at += STRIDE) {
#if LANE_BITS == 1
                found = mask_of_four(stops_in(at, stops), stops_in(at + BLOCK, stops), stops_in(at + 2 * BLOCK, stops),
                                     stops_in(at + 3 * BLOCK, stops));
#else
                found = mask_of(stops_in(at, stops));
#endif
                if (found) break;
            }
            if (!found) return end;
        }
        at += first_of(found);
        return at < end ? at : end;
    }
#endif
    while (at < end && !stops->table[*at]) at++;
    return stops->count ? at : end;
}

/* Whether `at` begins with the other text; both are readable for a block from each byte. */
static inline bool begins_with(const uint8_t *at, const uint8_t *end, ls_bytes other)
{
    if ((size_t)(end - at) < other.length) return false;
#ifdef LS_BLOCKS
    if (other.length < BLOCK) {
        uint64_t wanted = lanes(other.length);
        return (mask_of(equal(load(at), load(other.at))) & wanted) == wanted;
    }
#endif
    return !memcmp(at, other.at, other.length);
}

/* A copy to where SLACK bytes of room are left. */
static inline void copy(uint8_t *to, ls_bytes text)
{
    memcpy(to, text.at, BLOCK);
    for (size_t at = BLOCK; at < text.length; at += SLACK) memcpy(to + at, text.at + at, SLACK);
}

/* -- UTF-8, strictly as Python has it */

/* Behind the sequence that begins with a byte >= 0x80, or NULL; its code point in `code`. */
static inline const uint8_t *code_point(const uint8_t *at, const uint8_t *end, uint32_t *code)
{
    uint32_t first = *at++, least = 0;
    int more = 0;
    if (first >= 0xc2 && first <= 0xdf) more = 1, first &= 0x1f, least = 0x80;
    else if (first >= 0xe0 && first <= 0xef) more = 2, first &= 0x0f, least = 0x800;
    else if (first >= 0xf0 && first <= 0xf4) more = 3, first &= 0x07, least = 0x10000;
    else return NULL;
    if (end - at < more) return NULL;
    for (; more; more--, at++) {
        if ((*at & 0xc0) != 0x80) return NULL;
        first = first << 6 | (*at & 0x3fu);
    }
    if (first < least || first > 0x10ffff || (first >= 0xd800 && first <= 0xdfff)) return NULL;
    *code = first;
    return at;
}

/* The first byte >= 0x80 at or behind `at`, else `end`. */
static inline const uint8_t *ascii_end(const uint8_t *at, const uint8_t *end)
{
#ifdef LS_BLOCKS
    for (; at < end; at += BLOCK) {
        uint64_t high = mask_of(equal(most(load(at), 0x7f), every(0)));
        if (!high) continue;
        at += first_of(high);
        break;
    }
#else
    while (at < end && *at < 0x80) at++;
#endif
    return at < end ? at : end;
}

static inline bool is_ascii(ls_bytes text) { return ascii_end(text.at, text.at + text.length) == text.at + text.length; }

static inline bool is_utf8(ls_bytes text)
{
    const uint8_t *at = text.at, *end = at + text.length;
    uint32_t code;
    while (at && (at = ascii_end(at, end)) < end) at = code_point(at, end, &code);
    return at != NULL;
}

static inline size_t characters(ls_bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) count += (text.at[i] & 0xc0) != 0x80;
    return count;
}

/* At least 4 bytes of room. */
static inline uint8_t *write_utf8(uint8_t *to, uint32_t code)
{
    if (code < 0x80) return *to++ = (uint8_t)code, to;
    if (code < 0x800) {
        *to++ = (uint8_t)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (uint8_t)(0xe0 | code >> 12);
        } else {
            *to++ = (uint8_t)(0xf0 | code >> 18);
            *to++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
        }
        *to++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    }
    *to++ = (uint8_t)(0x80 | (code & 0x3f));
    return to;
}

/* How many bytes of a broken sequence Python's decoder replaces at once: as many as could begin a whole one. */
static inline size_t broken_length(const uint8_t *at, const uint8_t *end)
{
    uint8_t first = *at, low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    size_t most = first < 0xc2 || first > 0xf4 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4, count = 1;
    for (; count < most && at + count < end && at[count] >= low && at[count] <= high; count++) low = 0x80, high = 0xbf;
    return count;
}

/* The text with U+FFFD for what is no UTF-8; there is room for three times its length. Gives the new length. */
static inline size_t write_repaired(uint8_t *to, ls_bytes text)
{
    uint8_t *first = to;
    const uint8_t *at = text.at, *end = at + text.length;
    while (at < end) {
        uint32_t code;
        const uint8_t *next = *at < 0x80 ? at + 1 : code_point(at, end, &code);
        if (!next) {
            to = write_utf8(to, 0xfffd);
            at += broken_length(at, end);
        }
        while (next && at < next) *to++ = *at++;
    }
    return (size_t)(to - first);
}

/* -- JSON strings */

#define ESCAPED 6 /* bytes that one byte becomes at most */

static inline uint8_t *write_escape(uint8_t *to, uint32_t unit) /* \uXXXX */
{
    to[0] = '\\', to[1] = 'u';
    write_hex(to + 2, unit, 4);
    return to + ESCAPED;
}

#ifdef LS_BLOCKS
static inline block special_in(block now)
{
    return either(either(equal(now, every('"')), equal(now, every('\\'))), either(most(now, 0x1f), equal(most(now, 0x7e), every(0))));
}

/* Copies a block, and where all of it is plain some more; how many bytes need no escape, at most `left`. */
static inline size_t copy_plain(uint8_t *to, const uint8_t *at, size_t left)
{
    block now = load(at);
    uint64_t special = mask_of(special_in(now));
    store(to, now);
    size_t plain = BLOCK;
    while (!special && plain < left) {
#if LANE_BITS == 1
        block b0 = load(at + plain), b1 = load(at + plain + BLOCK), b2 = load(at + plain + 2 * BLOCK), b3 = load(at + plain + 3 * BLOCK);
        store(to + plain, b0), store(to + plain + BLOCK, b1), store(to + plain + 2 * BLOCK, b2), store(to + plain + 3 * BLOCK, b3);
        special = mask_of_four(special_in(b0), special_in(b1), special_in(b2), special_in(b3));
#else
        now = load(at + plain);
        store(to + plain, now);
        special = mask_of(special_in(now));
#endif
        plain += STRIDE;
    }
    if (special) plain = plain - (plain > BLOCK ? STRIDE : BLOCK) + first_of(special);
    return plain < left ? plain : left;
}
#endif

/* The text as it is inside of JSON quotes, in ASCII; NULL where it is not UTF-8. There is room for ESCAPED times its
   length and SLACK. */
static inline uint8_t *write_json(uint8_t *to, ls_bytes text)
{
    const uint8_t *at = text.at, *end = at + text.length;
    while (at < end) {
#ifdef LS_BLOCKS
        size_t plain = copy_plain(to, at, (size_t)(end - at));
        to += plain, at += plain;
        if (at == end) break;
#endif
        uint8_t byte = *at;
        if (byte >= 0x80) {
            uint32_t code;
            at = code_point(at, end, &code);
            if (!at) return NULL;
            if (code >= 0x10000) {
                to = write_escape(to, 0xd800 + ((code - 0x10000) >> 10));
                code = 0xdc00 + ((code - 0x10000) & 0x3ff);
            }
            to = write_escape(to, code);
            continue;
        }
        at++;
        if (byte == '"' || byte == '\\') *to++ = '\\', *to++ = byte;
        else if (byte >= 0x20 && byte < 0x7f) *to++ = byte;
        else if (byte >= '\b' && byte <= '\r' && byte != '\v') *to++ = '\\', *to++ = (uint8_t)"btn\0fr"[byte - '\b'];
        else to = write_escape(to, byte);
    }
    return to;
}

#endif
