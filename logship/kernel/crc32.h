/* CRC-32 as zlib has it: eight bytes at a time by tables, or 64 by carry-less multiplication where the machine can.

   Source: V. Gopal and others, Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction (Intel, 2009). */
#ifndef LOGSHIP_CRC32_H
#define LOGSHIP_CRC32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLYNOMIAL 0xedb88320u
static uint32_t crc_tables[8][256];
static bool crc_can_fold;

static void crc_prepare(void)
{
    if (crc_tables[0][1]) return;
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        crc_tables[0][byte] = crc;
    }
    for (int table = 1; table < 8; table++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t before = crc_tables[table - 1][byte];
            crc_tables[table][byte] = before >> 8 ^ crc_tables[0][before & 0xff];
        }
#if defined(__x86_64__) && !defined(LS_PLAIN)
    crc_can_fold = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

static uint32_t crc_by_tables(uint32_t crc, const uint8_t *at, size_t length)
{
    for (; length >= 8; at += 8, length -= 8) {
        uint32_t low = crc ^ u32_at(at), high = u32_at(at + 4);
        crc = crc_tables[7][low & 0xff] ^ crc_tables[6][low >> 8 & 0xff] ^ crc_tables[5][low >> 16 & 0xff] ^
              crc_tables[4][low >> 24] ^ crc_tables[3][high & 0xff] ^ crc_tables[2][high >> 8 & 0xff] ^
              crc_tables[1][high >> 16 & 0xff] ^ crc_tables[0][high >> 24];
    }
    for (; length; length--) crc = crc >> 8 ^ crc_tables[0][(crc ^ *at++) & 0xff];
    return crc;
}

#if defined(__x86_64__) && !defined(LS_PLAIN)
#include <smmintrin.h>
#include <wmmintrin.h>

#define FOLDS __attribute__((target("pclmul,sse4.1")))

FOLDS static inline __m128i crc_fold(__m128i sum, __m128i by, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(sum, by, 0x00), high = _mm_clmulepi64_si128(sum, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* The CRC of `length` bytes, at least 64 and a multiple of 16. The factors are powers of x modulo the polynomial. */
FOLDS static uint32_t crc_by_folding(uint32_t crc, const uint8_t *at, size_t length)
{
    const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4), by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i by_4 = _mm_set_epi64x(0, 0x0163cd6124), barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i words = _mm_setr_epi32(-1, 0, -1, 0), *from = (const __m128i *)at;
    __m128i sums[4];
    for (int i = 0; i < 4; i++) sums[i] = _mm_loadu_si128(from++);
    sums[0] = _mm_xor_si128(sums[0], _mm_cvtsi32_si128((int)crc));
    for (length -= 64; length >= 64; length -= 64)
        for (int i = 0; i < 4; i++) sums[i] = crc_fold(sums[i], by_64, _mm_loadu_si128(from++));
    for (int i = 1; i < 4; i++) sums[0] = crc_fold(sums[0], by_16, sums[i]);
    for (; length >= 16; length -= 16) sums[0] = crc_fold(sums[0], by_16, _mm_loadu_si128(from++));
    __m128i sum = _mm_xor_si128(_mm_srli_si128(sums[0], 8), _mm_clmulepi64_si128(sums[0], by_16, 0x10));
    sum = _mm_xor_si128(_mm_srli_si128(sum, 4), _mm_clmulepi64_si128(_mm_and_si128(sum, words), by_4, 0x00));
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, words), barrett, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, words), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(sum, quotient), 1);
}
#endif

uint32_t ls_crc32(const uint8_t *at, size_t length)
{
    uint32_t crc = 0xffffffff;
#if defined(__x86_64__) && !defined(LS_PLAIN)
    if (crc_can_fold && length >= 64) {
        size_t whole = length & ~(size_t)15;
        crc = crc_by_folding(crc, at, whole);
        at += whole, length -= whole;
    }
#endif
    return ~crc_by_tables(crc, at, length);
}

#endif
