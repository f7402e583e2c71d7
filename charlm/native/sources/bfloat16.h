/* Products of bfloat16 numbers with sums in single precision, if the processor has instructions for them.

   A bfloat16 number is the upper 16 bits of a float, rounded. Two numbers with adjacent k share a lane: a vector
   instruction computes 32 products and adds two of them to each of 16 sums. With matrix registers (AMX), one
   instruction multiplies 16 rows of 16 pairs by 16 pairs of 16 columns. Both use the same layout. */

#ifndef CHARLM_BFLOAT16_H
#define CHARLM_BFLOAT16_H

#include "functions.h"

#ifdef __AVX512BF16__
#include <immintrin.h>

/* Like `tile` of loop.h, for pairs: x[r, k] and w[k, n] contain two numbers each. */
INLINE void pair_tile(const uint32_t *x, long x_row, const uint32_t *w, long pairs, float *out, long out_row,
                      long columns, int add, const int height) {
    __m512 sum[8][2];
    for (int r = 0; r < height; r++)
        for (int v = 0; v < 2; v++) sum[r][v] = _mm512_setzero_ps();
    for (long k = 0; k < pairs; k++, w += 32) {
        __m512bh column[2];
        for (int v = 0; v < 2; v++) column[v] = (__m512bh)_mm512_loadu_si512(w + v * 16);
        for (int r = 0; r < height; r++) {
            const __m512bh both = (__m512bh)_mm512_set1_epi32((int)x[r * x_row + k]);
            for (int v = 0; v < 2; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], both, column[v]);
        }
    }
    for (int r = 0; r < height; r++)
        for (int v = 0; v < 2; v++) {
            float *to = out + r * out_row + v * 16;
            const long left = columns - v * 16;
            const __mmask16 here = left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
            if (add) sum[r][v] = _mm512_add_ps(sum[r][v], _mm512_maskz_loadu_ps(here, to));
            _mm512_mask_storeu_ps(to, here, sum[r][v]);
        }
}

static void multiply_by_vectors(const uint32_t *x, long x_row, const uint32_t *w, long pairs, float *out, long out_row,
                                long columns, int add, long rows) {
    long r = 0;
    for (; r + 8 <= rows; r += 8)
        pair_tile(x + r * x_row, x_row, w, pairs, out + r * out_row, out_row, columns, add, 8);
    for (; r + 4 <= rows; r += 4)
        pair_tile(x + r * x_row, x_row, w, pairs, out + r * out_row, out_row, columns, add, 4);
    for (; r < rows; r++) pair_tile(x + r * x_row, x_row, w, pairs, out + r * out_row, out_row, columns, add, 1);
}

#if defined(__AMX_BF16__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

#ifndef REQUEST_MATRICES /* a test requests what Linux refuses */
#define REQUEST_MATRICES 0x1023 /* ARCH_REQ_XCOMP_PERM */
#endif

static int has_matrices;

/* On Linux a process must request the matrix registers. */
__attribute__((constructor)) static void ask_for_matrices(void) {
    enum { MATRICES = 18 /* XFEATURE_XTILEDATA */ };
    has_matrices = syscall(SYS_arch_prctl, REQUEST_MATRICES, MATRICES) == 0;
}

/* Eight matrices of 16 rows of 64 bytes each. */
static const struct { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } shapes = {
    .palette = 1, .bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

/* Called by each thread before and after its products. */
INLINE void begin_pairs(void) {
    if (has_matrices) _tile_loadconfig(&shapes);
}
INLINE void end_pairs(void) {
    if (has_matrices) _tile_release();
}

/* gcc does not know which memory a matrix load reads. */
#define IN_ORDER __asm__ volatile("" ::: "memory")

/* A tile of 16 rows, or 32 with `two`, by 32 columns; `pairs` must be a multiple of 16. */
INLINE void matrix_tile(const uint32_t *x, long x_row, const uint32_t *w, long pairs, float *out, long out_row, int add,
                        const int two) {
    const long bytes = out_row * 4;
    IN_ORDER;
    if (add) {
        _tile_loadd(0, out, bytes);
        _tile_loadd(1, out + 16, bytes);
        if (two) _tile_loadd(2, out + 16 * out_row, bytes);
        if (two) _tile_loadd(3, out + 16 * out_row + 16, bytes);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        if (two) _tile_zero(2);
        if (two) _tile_zero(3);
    }
    for (long k = 0; k < pairs; k += 16) {
        _tile_loadd(4, x + k, x_row * 4);
        if (two) _tile_loadd(5, x + 16 * x_row + k, x_row * 4);
        _tile_loadd(6, w + k * 32, 128);
        _tile_loadd(7, w + k * 32 + 16, 128);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (two) _tile_dpbf16ps(2, 5, 6);
        if (two) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, out, bytes);
    _tile_stored(1, out + 16, bytes);
    if (two) _tile_stored(2, out + 16 * out_row, bytes);
    if (two) _tile_stored(3, out + 16 * out_row + 16, bytes);
}

/* Rows and pairs that don't fill a matrix, and panels of fewer than 32 columns, use vector instructions. */
static void multiply_pairs_float(const uint32_t *x, const uint32_t *w, long pairs, float *out, long out_row,
                                 long columns, int add, long rows) {
    const long whole = has_matrices && columns == 32 ? pairs - pairs % 16 : 0, full = whole ? rows - rows % 16 : 0;
    long r = 0;
    for (; r + 32 <= full; r += 32)
        matrix_tile(x + r * pairs, pairs, w, whole, out + r * out_row, out_row, add, 1);
    if (r < full) matrix_tile(x + r * pairs, pairs, w, whole, out + r * out_row, out_row, add, 0);
    if (full && whole < pairs)
        multiply_by_vectors(x + whole, pairs, w + whole * 32, pairs - whole, out, out_row, columns, 1, full);
    multiply_by_vectors(x + full * pairs, pairs, w, pairs, out + full * out_row, out_row, columns, add, rows - full);
}
#else
enum { has_matrices = 0 };
INLINE void begin_pairs(void) {}
INLINE void end_pairs(void) {}
INLINE void multiply_pairs_float(const uint32_t *x, const uint32_t *w, long pairs, float *out, long out_row,
                                 long columns, int add, long rows) {
    multiply_by_vectors(x, pairs, w, pairs, out, out_row, columns, add, rows);
}
#endif

/* 2 with matrix registers, 1 with vector instructions only, 0 without bfloat16 instructions. */
long has_bfloat16(void) { return has_matrices ? 2 : 1; }

/* Round rows of `depth` numbers to pairs; if `depth` is odd, the last pair is padded with zero. */
static void round_rows_float(const float *x, long x_row, long rows, long depth, void *pairs) {
    uint16_t *to = pairs;
    const long wide = depth + depth % 2;
    for (long r = 0; r < rows; r++, x += x_row, to += wide) {
        long k = 0;
        for (; k + 16 <= depth; k += 16) {
            const __m256i halves = (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + k));
            _mm256_storeu_si256((__m256i *)(to + k), halves);
        }
        if (k < wide) {
            const __mmask16 here = (__mmask16)((1u << (depth - k)) - 1), whole = (__mmask16)((1u << (wide - k)) - 1);
            const __m256i halves = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(here, x + k));
            _mm256_mask_storeu_epi16(to + k, whole, halves);
        }
    }
}

/* The upper 16 bits of a float, rounded to nearest even. */
INLINE uint32_t rounded(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return x != x ? 0x7fc0 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* Like `pack` of loop.h, for pairs. */
void pack_pairs(const float *w, long row, long column, long blocks, long width, long depth, uint32_t *packed,
                long threads) {
    const long panels = (width + 31) / 32, pairs = (depth + 1) / 2;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static)
#endif
    for (long index = 0; index < blocks * panels; index++) {
        const long start = index % panels * 32;
        const long columns = width - start < 32 ? width - start : 32;
        const float *from = w + (index / panels * width + start) * column;
        uint32_t *to = packed + index * 32 * pairs;
        for (long k = 0; k < pairs; k++, to += 32, from += 2 * row) {
            const long next = 2 * k + 1 < depth ? row : 0;
            for (long n = 0; n < columns; n++)
                to[n] = rounded(from[n * column]) | (next ? rounded(from[n * column + next]) << 16 : 0);
            for (long n = columns; n < 32; n++) to[n] = 0;
        }
    }
}
#else
long has_bfloat16(void) { return 0; }
INLINE void begin_pairs(void) {}
INLINE void end_pairs(void) {}
INLINE void multiply_pairs_float(const uint32_t *x, const uint32_t *w, long pairs, float *out, long out_row,
                                 long columns, int add, long rows) {}
INLINE void round_rows_float(const float *x, long x_row, long rows, long depth, void *pairs) {}
void pack_pairs(const float *w, long row, long column, long blocks, long width, long depth, uint32_t *packed,
                long threads) {}
#endif

INLINE void multiply_pairs_double(const uint32_t *x, const uint32_t *w, long pairs, double *out, long out_row,
                                  long columns, int add, long rows) {}
INLINE void round_rows_double(const double *x, long x_row, long rows, long depth, void *pairs) {}

#endif
