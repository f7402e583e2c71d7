/* The row stages of a transformer's sampling step: its norm and its attention, whose equations are those of
   charlm/model/networks/transformer.py. A thread computes the units from `from` to `to` of all rows, and of attention the
   heads whose first unit is among them. */

#include <float.h>

#include "functions.h"

/* The layout is that of charlm.native.structures.Norm. */
typedef struct {
    const float *x, *gain; /* (rows, H), (H,) */
    float *normed;         /* (rows, H) */
    int64_t width;         /* H */
} Norm;

/* The layout is that of charlm.native.structures.Attention.

   The period of the step is C: before step t, the C keys and values before it are those of index t to t + C - 1, and it
   writes those of index t + C. A key stays as it was turned when it was written, by t, also when it has moved to the
   front after the last step of a period. There the query is turned by t + C, so that their difference is the distance. */
typedef struct {
    int64_t heads, half, span;  /* heads; pairs of units of each; C */
    const float *inputs;        /* query, key and value, (rows, 3 H) */
    float *keys, *values;       /* (rows, 2 C, H) */
    int32_t *lengths;           /* how many of the C keys before each step are those of the document, (rows, C + 1) */
    const float *cosine, *sine; /* of each angle, (2 C, half) */
    float *turned, *scores;     /* working memory: the query turned in both ways, (2, H); (heads, C + 1) */
    float *attended;            /* (rows, H) */
} Attention;

int64_t sizeof_norm(void) { return sizeof(Norm); }
int64_t sizeof_attention(void) { return sizeof(Attention); }

/* Divide each row by the root of its mean square, and multiply it by the gain. */
void norm_rows(const int64_t *arguments, long t, long rows, long from, long to) {
    const Norm *norm = (const Norm *)arguments;
    (void)t;
    for (long row = 0; row < rows; row++) {
        const float *x = norm->x + row * norm->width;
        float *normed = norm->normed + row * norm->width;
        const float factor = 1.0f / sqrtf(dot(x, x, norm->width) / (float)norm->width + FLT_EPSILON);
INDEPENDENT
        for (long j = from; j < to; j++) normed[j] = x[j] * factor * norm->gain[j];
    }
}

/* Turn the pairs (j, j + half) of a head's query or key by the angles of a position. */
INLINE void turn(const Attention *a, const float *x, int64_t position, float *turned) {
    const float *cosine = a->cosine + position * a->half, *sine = a->sine + position * a->half;
    const float *second = x + a->half;
    float *turned_second = turned + a->half;
INDEPENDENT
    for (int64_t j = 0; j < a->half; j++) {
        turned[j] = x[j] * cosine[j] - second[j] * sine[j];
        turned_second[j] = x[j] * sine[j] + second[j] * cosine[j];
    }
}

/* Replace scores by exp(score - the largest); returns their sum. */
INLINE float exponentials(float *scores, int64_t count) {
    float largest = -INFINITY, sum = 0;
    for (int64_t k = 0; k < count; k++) largest = scores[k] > largest ? scores[k] : largest;
INDEPENDENT
    for (int64_t k = 0; k < count; k++) scores[k] = exp_float(scores[k] - largest);
    for (int64_t k = 0; k < count; k++) sum += scores[k];
    return sum;
}

/* sum[j] = the sum over k of shares[k] values[k * stride + j], times a factor. */
INLINE void weighted_sum(const float *shares, const float *values, int64_t stride, int64_t count, float factor,
                         int64_t size, float *sum) {
    memset(sum, 0, size * sizeof *sum);
    int64_t k = 0;
    for (; k + 4 <= count; k += 4) {
        const float *a = values + k * stride, *b = a + stride, *c = b + stride, *d = c + stride, *share = shares + k;
        const float p = share[0], q = share[1], r = share[2], s = share[3];
INDEPENDENT
        for (int64_t j = 0; j < size; j++) sum[j] += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j]);
    }
    for (; k < count; k++) {
        const float *value = values + k * stride, share = shares[k];
INDEPENDENT
        for (int64_t j = 0; j < size; j++) sum[j] += share * value[j];
    }
    for (int64_t j = 0; j < size; j++) sum[j] *= factor;
}

static void attend_head(const Attention *a, int64_t t, int64_t row, int64_t head) {
    const int64_t size = 2 * a->half, width = a->heads * size, own = head * size, last = a->span + t;
    const int64_t first = last - a->lengths[row * (a->span + 1) + t], count = last + 1 - first;
    const float *query = a->inputs + row * 3 * width + own;
    float *keys = a->keys + row * 2 * a->span * width + own, *values = a->values + row * 2 * a->span * width + own;
    float *now = a->turned + own, *moved = now + width, *scores = a->scores + head * (a->span + 1);
    turn(a, query, t, now);
    turn(a, query, last, moved);
    turn(a, query + width, t, keys + last * width);
    memcpy(values + last * width, query + 2 * width, size * sizeof *values);
    const float scale = 1.0f / sqrtf((float)size);
    for (int64_t k = 0; k < count; k++)
        scores[k] = scale * dot(first + k < a->span ? moved : now, keys + (first + k) * width, size);
    const float sum = exponentials(scores, count);
    weighted_sum(scores, values + first * width, width, count, 1.0f / sum, size, a->attended + row * width + own);
}

/* Keep the key and value of each row's token, and attend from it to itself and the keys of its document before it. */
void attend(const int64_t *arguments, long t, long rows, long from, long to) {
    const Attention *a = (const Attention *)arguments;
    const int64_t size = 2 * a->half;
    for (long row = 0; row < rows; row++) {
        for (int64_t head = (from + size - 1) / size; head * size < to; head++) attend_head(a, t, row, head);
        int32_t *length = a->lengths + row * (a->span + 1) + t;
        if (from == 0) length[1] = length[0] < a->span ? length[0] + 1 : length[0];
    }
}
