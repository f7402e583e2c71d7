/* Look-ups in a trie of n-grams; see charlm/ngram.py for what nodes are. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The probabilities of a model: of single tokens, weights of longer n-grams, and backoffs of contexts. */
typedef struct {
    const float *unigrams, *weights, *backoffs;
} Estimates;

/* The child of a context for a token: a node, or -1. */
static int32_t child(const int64_t *keys, const int64_t *first, int64_t vocab, int32_t context, int64_t token) {
    int64_t low = first[context], high = first[context + 1];
    const int64_t wanted = context * vocab + token, end = high;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (keys[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && keys[low] == wanted ? (int32_t)(vocab + low) : -1;
}

/* The states after each of the tokens (steps, rows), from those before the first: `width` nodes each. */
void ngram_advance(const int64_t *keys, const int64_t *first, int64_t vocab, int64_t width, const int32_t *before,
             const int64_t *tokens, int64_t steps, int64_t rows, int32_t *after) {
    for (int64_t t = 0; t < steps; t++) {
        for (int64_t row = 0; row < rows; row++) {
            const int32_t *old = before + row * width;
            int32_t *new = after + (t * rows + row) * width;
            const int64_t token = tokens[t * rows + row];
            if (width > 0) new[0] = (int32_t)token;
            for (int64_t k = 1; k < width; k++)
                new[k] = old[k - 1] < 0 ? -1 : child(keys, first, vocab, old[k - 1], token);
            for (int64_t k = 0; k + 1 < width; k++)
                if (new[k] >= 0) __builtin_prefetch(first + new[k]); /* of use one step later */
        }
        before = after + t * rows * width;
    }
}

/* log of what is at least 1e-12: x = 2^e (1 + f), a polynomial in f (Cephes). No call, no branch: loops vectorise. */
static inline float log_float(float x) {
    x = x > 1e-12f ? x : 1e-12f;
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t power = (bits - 0x3f3504f3) >> 23; /* 1 + f from the root of 1/2 to that of 2 */
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

/* Fetch what a row is going to need, which lies all over memory: where its contexts' children are, then those. */
static inline void fetch_contexts(const int64_t *first, int64_t width, const int32_t *nodes, const Estimates *model) {
    for (int64_t k = 0; k < width; k++) {
        if (nodes[k] < 0) continue;
        __builtin_prefetch(first + nodes[k]);
        __builtin_prefetch(model->backoffs + nodes[k]);
    }
}

static inline void fetch_children(const int64_t *keys, const int64_t *first, int64_t width, const int32_t *nodes,
                           const Estimates *model) {
    for (int64_t k = 0; k < width; k++) {
        if (nodes[k] < 0) continue;
        __builtin_prefetch(keys + first[nodes[k]]);
        __builtin_prefetch(model->weights + first[nodes[k]]);
    }
}

/* The distributions of what follows a state, `nodes` of `width`, by a model and by those of lower order in it, the
   orders ascending. `chance` (vocab) is for working. Their logarithms times `gates` (number) are added to `mixed`
   (vocab), and written to `log_p` (number, vocab), where that is given. */
static inline void each_order(const int64_t *keys, const int64_t *first, int64_t vocab, int64_t width,
                              const int32_t *nodes, Estimates model, const int64_t *orders, int64_t number,
                              float *chance, const float *gates, float *mixed, float *log_p) {
    int64_t place = 0;
    for (int64_t token = 0; token < vocab; token++) chance[token] = model.unigrams[token];
    for (int64_t k = 0; k <= width && place < number; k++) {
        if (k + 1 == orders[place]) {
            const float gate = gates[place];
            if (log_p) {
                float *own = log_p + place * vocab;
                for (int64_t token = 0; token < vocab; token++)
                    mixed[token] += gate * (own[token] = log_float(chance[token]));
            } else {
                for (int64_t token = 0; token < vocab; token++) mixed[token] += gate * log_float(chance[token]);
            }
            place++;
        }
        if (k == width || nodes[k] < 0 || place == number) continue;
        const float share = model.backoffs[nodes[k]];
        const int64_t base = nodes[k] * vocab;
        for (int64_t token = 0; token < vocab; token++) chance[token] *= share;
        for (int64_t at = first[nodes[k]]; at < first[nodes[k] + 1]; at++) chance[keys[at] - base] += model.weights[at];
    }
}

/* How many of a state's contexts a model has seen go on. */
static inline int64_t depth_of(int64_t width, const int32_t *nodes, const Estimates *model) {
    int64_t depth = 0;
    for (int64_t k = 0; k < width; k++) depth += nodes[k] >= 0 && model->backoffs[nodes[k]] < 1;
    return depth;
}

/* `depth_of` of states (rows, width), each by the model that `which` tells: depths (rows). */
void ngram_depths(int64_t width, const int32_t *states, int64_t rows, const Estimates *models, const int64_t *which,
                  int64_t *depths) {
    for (int64_t row = 0; row < rows; row++) {
        if (row + 2 < rows)
            for (int64_t k = 0; k < width; k++)
                if (states[(row + 2) * width + k] >= 0)
                    __builtin_prefetch(models[which[row + 2]].backoffs + states[(row + 2) * width + k]);
        depths[row] = depth_of(width, states + row * width, models + which[row]);
    }
}

/* `each_order` of states (rows, width): the logarithms times `gates` (rows, number), summed up, to mixed (rows, vocab),
   and the logarithms to log_p (rows, number, vocab), where that is given. 0 where there is not the memory for it. */
int64_t ngram_mixture(const int64_t *keys, const int64_t *first, int64_t vocab, int64_t width, const int32_t *states,
                      int64_t rows, const Estimates *models, const int64_t *which, const int64_t *orders,
                      int64_t number, const float *gates, float *mixed, float *log_p) {
    int64_t enough = 1;
#ifdef _OPENMP
#pragma omp parallel if (rows * vocab > 16384)
#endif
    {
        float *chance = malloc((size_t)vocab * sizeof *chance);
        if (!chance) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
            enough = 0;
        }
#ifdef _OPENMP
#pragma omp for schedule(static)
#endif
        for (int64_t row = 0; row < rows; row++) {
            if (!chance) continue;
            const int32_t *nodes = states + row * width;
            if (row + 2 < rows) fetch_contexts(first, width, nodes + 2 * width, models + which[row + 2]);
            if (row + 1 < rows) fetch_children(keys, first, width, nodes + width, models + which[row + 1]);
            const Estimates model = models[which[row]];
            float *out = mixed + row * vocab;
            memset(out, 0, (size_t)vocab * sizeof *out);
            each_order(keys, first, vocab, width, nodes, model, orders, number, chance, gates + row * number, out,
                       log_p ? log_p + row * number * vocab : NULL);
        }
        free(chance);
    }
    return enough;
}
