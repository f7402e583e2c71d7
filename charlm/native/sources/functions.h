/* Shared by all C code: vector widths, the point-wise functions of cells, and the operations of a step loop. */

#ifndef CHARLM_FUNCTIONS_H
#define CHARLM_FUNCTIONS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Bytes of a vector, and the size of the product tile that fits into the registers: rows, and vectors per row. Vectors
   wider than the processor's are legal C, but about ten times slower. */
#if defined(__AVX512F__)
enum { BYTES = 64, TILE = 12, VECTORS = 2 };
#elif defined(__AVX__)
enum { BYTES = 32, TILE = 6, VECTORS = 2 };
#elif defined(__aarch64__)
enum { BYTES = 16, TILE = 6, VECTORS = 4 };
#else
enum { BYTES = 16, TILE = 6, VECTORS = 2 };
#endif

#define INLINE static inline __attribute__((always_inline))
/* The iterations of a stage are independent, but compilers can't prove it for more than a few operands. */
#ifdef __clang__
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* An operation of every step: a point-wise stage, a matrix product, or a stage that reads whole rows. Strides are in
   bytes. The layout is that of charlm.native.structures.Operation. */
enum { STAGE, PRODUCT, BFLOAT16_PRODUCT, ROW_STAGE };

typedef struct {
    int64_t kind;
    int64_t source, source_time, source_row; /* of a product: address in step 0, time and row strides */
    int64_t target, target_time, target_row;
    int64_t weights, depth; /* packed weights; elements of the source in a row */
    int64_t blocks, width;  /* the target has `blocks` blocks of `width` columns */
    int64_t add;            /* whether to add the product to the target or to assign it */
    int64_t stage, table;   /* of a stage: function; address, time stride and row stride of each operand, or, if it reads
                               whole rows, its own arguments */
} Operation;

/* exp(x) with x = n ln 2 + r: a polynomial in r, times 2^n (Cephes). NaN stays NaN. Without calls and branches, so that
   loops vectorise. */
INLINE float exp_float(float x) {
    x = x > 88.0f ? 88.0f : x;
    x = x < -87.0f ? -87.0f : x;
    const float n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    const int bits = ((int)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

/* log(max(x, 1e-12)) with x = 2^e (1 + f) and a polynomial in f (Cephes). Without calls and branches, so that loops
   vectorise. */
INLINE float log_float(float x) {
    x = x > 1e-12f ? x : 1e-12f;
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t power = (bits - 0x3f3504f3) >> 23; /* 1 + f is in [sqrt(1/2), sqrt(2)) */
    bits -= power * (1 << 23);
    memcpy(&x, &bits, sizeof x);
    const float e = (float)power, f = x - 1.0f, square = f * f;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    p = p * f * square - 2.12194440e-4f * e - 0.5f * square;
    return (f + p) + 0.693359375f * e;
}

INLINE float sigmoid_float(float x) { return 1.0f / (1.0f + exp_float(-x)); }

/* tanh(x): near 0 an odd polynomial, because 1 - 2 / (exp(2x) + 1) loses digits there. */
INLINE float tanh_float(float x) {
    const float z = fabsf(x), s = x * x;
    const float near = ((((-5.70498872745e-3f * s + 2.06390887954e-2f) * s - 5.37397155531e-2f) * s
                         + 1.33314422036e-1f) * s - 3.33332819422e-1f) * s * x + x;
    const float far = copysignf(1.0f - 2.0f / (exp_float(2.0f * z) + 1.0f), x);
    return z < 0.625f ? near : far;
}

/* x times the normal distribution function of x, whose distance from 0 or 1 is a polynomial in t times exp(-x^2 / 2)
   (Abramowitz and Stegun 1964, equation 7.1.26). */
INLINE float gelu_float(float x) {
    const float z = fabsf(x) * 0.707106781f, t = 1.0f / (1.0f + 0.3275911f * z);
    const float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
    const float tail = 0.5f * p * exp_float(-z * z);
    return x * (x < 0 ? tail : 1.0f - tail);
}

INLINE float dot(const float *a, const float *b, int64_t count) {
    enum { SUMS = 16 };
    float sum[SUMS] = {0}, total = 0;
    int64_t k = 0;
    for (; k + SUMS <= count; k += SUMS)
        for (int s = 0; s < SUMS; s++) sum[s] += a[k + s] * b[k + s];
    for (; k < count; k++) total += a[k] * b[k];
    for (int s = 0; s < SUMS; s++) total += sum[s];
    return total;
}

INLINE double sigmoid_double(double x) { return 1.0 / (1.0 + exp(-x)); }
INLINE double tanh_double(double x) { return tanh(x); }
INLINE double gelu_double(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752); }

#define RELU(x) ((x) > 0 ? (x) : ((x) != (x) ? (x) : (REAL)0))
#define POSITIVE(x) ((REAL)((x) > 0))

#endif
