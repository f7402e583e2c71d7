/* Look-ups in a trie of n-grams; see charlm/ngram.py for what nodes are. */

#include <stdint.h>

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
        }
        before = after + t * rows * width;
    }
}

/* The distributions of what follows each of the states (rows, width), by the model itself and by those of lower order
   in it: chances (number of orders, rows, vocab), the orders ascending. */
void ngram_probabilities(const int64_t *keys, const int64_t *first, int64_t vocab, int64_t width, const int32_t *states,
                   int64_t rows, const float *unigrams, const float *weights, const float *backoffs,
                   const int64_t *orders, int64_t number, float *chances) {
#ifdef _OPENMP
#pragma omp parallel for schedule(static) if (rows * vocab > 16384)
#endif
    for (int64_t row = 0; row < rows; row++) {
        int64_t place = 0;
        float *chance = chances + row * vocab;
        for (int64_t token = 0; token < vocab; token++) chance[token] = unigrams[token];
        for (int64_t k = 0; k < width && place < number; k++) {
            if (k + 1 == orders[place]) {
                if (++place == number) break;
                float *longer = chances + (place * rows + row) * vocab;
                for (int64_t token = 0; token < vocab; token++) longer[token] = chance[token];
                chance = longer;
            }
            const int32_t context = states[row * width + k];
            if (context < 0) continue;
            const float share = backoffs[context];
            for (int64_t token = 0; token < vocab; token++) chance[token] *= share;
            const int64_t base = context * vocab;
            for (int64_t at = first[context]; at < first[context + 1]; at++) chance[keys[at] - base] += weights[at];
        }
    }
}
