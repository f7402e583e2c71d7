/* The functions of trie.h for many tokens and states at a time; called by charlm/ngram/trie.py. */

#include <stdlib.h>

#include "trie.h"

/* The states after each token of `tokens` (steps, rows): after (steps, rows, width), from `before` (rows, width). */
void trie_advance(const Trie *trie, const int32_t *before, const int64_t *tokens, int64_t steps, int64_t rows,
                  int32_t *after) {
    for (int64_t t = 0; t < steps; t++) {
        int32_t *now = after + t * rows * trie->width;
        for (int64_t row = 0; row < rows; row++)
            advance(trie, before + row * trie->width, tokens[t * rows + row], now + row * trie->width);
        before = now;
    }
}

/* `known_contexts` of states (rows, width), each for the model whose index is in `which`: known (rows). */
void trie_known_contexts(const Trie *trie, const int32_t *states, int64_t rows, const Estimates *models,
                         const int64_t *which, int64_t *known) {
    for (int64_t row = 0; row < rows; row++) {
        if (row + 2 < rows)
            for (int64_t k = 0; k < trie->width; k++)
                if (states[(row + 2) * trie->width + k] >= 0)
                    __builtin_prefetch(models[which[row + 2]].backoffs + states[(row + 2) * trie->width + k]);
        known[row] = known_contexts(trie, states + row * trie->width, models + which[row]);
    }
}

/* `mix_orders` of states (rows, width): writes the sums to mixed (rows, tokens) and, unless it is NULL, the
   log-probabilities to log_p (rows, orders, tokens). Returns 0 if out of memory, else 1. */
int64_t trie_mixture(const Trie *trie, const int32_t *states, int64_t rows, const Estimates *models,
                     const int64_t *which, const Orders *wanted, const Tokens *some,
                     const float *order_weights, float *mixed, float *log_p) {
    const int64_t vocab = some ? some->number : trie->vocab, width = trie->width, number = wanted->number;
    int64_t enough = 1;
#ifdef _OPENMP
#pragma omp parallel if (rows * vocab > 16384)
#endif
    {
        float *probabilities = malloc((size_t)vocab * sizeof *probabilities);
        if (!probabilities) {
#ifdef _OPENMP
#pragma omp atomic write
#endif
            enough = 0;
        }
#ifdef _OPENMP
#pragma omp for schedule(static)
#endif
        for (int64_t row = 0; row < rows; row++) {
            if (!probabilities) continue;
            const int32_t *state = states + row * width;
            if (row + 2 < rows) fetch_contexts(trie, state + 2 * width, models + which[row + 2]);
            if (row + 1 < rows) fetch_children(trie, state + width, models + which[row + 1]);
            float *out = mixed + row * vocab;
            memset(out, 0, (size_t)vocab * sizeof *out);
            mix_orders(trie, state, models[which[row]], *wanted, some, probabilities, order_weights + row * number,
                       out, log_p ? log_p + row * number * vocab : NULL);
        }
        free(probabilities);
    }
    return enough;
}
