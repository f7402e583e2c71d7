/* Looking up n-grams in a trie; charlm/ngram/model.py says what its nodes are. The layouts of the structures are those of
   charlm.native.structures. */

#ifndef CHARLM_TRIE_H
#define CHARLM_TRIE_H

#include "functions.h"

/* The n-grams that all models of a text share. A state is `width` nodes: those of the last 1, 2, ... tokens, or -1. */
typedef struct {
    const int64_t *keys;  /* of node V + i: context * V + token, sorted */
    const int64_t *first; /* the children of context c are nodes V + first[c] to V + first[c + 1] */
    int64_t vocab, width;
} Trie;

/* The probabilities of one model: of single tokens, weights of longer n-grams, and backoffs of contexts. */
typedef struct {
    const float *unigrams, *weights, *backoffs;
} Estimates;

/* The orders whose log-probabilities are mixed, ascending. */
typedef struct {
    const int64_t *orders;
    int64_t number;
} Orders;

/* The child of a context for a token: a node, or -1. */
INLINE int32_t child(const Trie *trie, int32_t context, int64_t token) {
    int64_t low = trie->first[context], high = trie->first[context + 1];
    const int64_t wanted = context * trie->vocab + token, end = high;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (trie->keys[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && trie->keys[low] == wanted ? (int32_t)(trie->vocab + low) : -1;
}

/* The state after a token. Not in place. */
INLINE void advance(const Trie *trie, const int32_t *before, int64_t token, int32_t *after) {
    const int64_t width = trie->width;
    if (width > 0) after[0] = (int32_t)token;
    for (int64_t k = 1; k < width; k++) after[k] = before[k - 1] < 0 ? -1 : child(trie, before[k - 1], token);
    for (int64_t k = 0; k + 1 < width; k++)
        if (after[k] >= 0) __builtin_prefetch(trie->first + after[k]); /* needed one step later */
}

/* log of x, or of 1e-12 if that is larger: x = 2^e (1 + f), a polynomial in f (Cephes). No call, no branch: loops vectorise. */
INLINE float log_float(float x) {
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

/* Fetch what a state is going to need, which is scattered over memory: where its contexts' children are, then those. */
INLINE void fetch_contexts(const Trie *trie, const int32_t *state, const Estimates *model) {
    for (int64_t k = 0; k < trie->width; k++) {
        if (state[k] < 0) continue;
        __builtin_prefetch(trie->first + state[k]);
        __builtin_prefetch(model->backoffs + state[k]);
    }
}

INLINE void fetch_children(const Trie *trie, const int32_t *state, const Estimates *model) {
    for (int64_t k = 0; k < trie->width; k++) {
        if (state[k] < 0) continue;
        __builtin_prefetch(trie->keys + trie->first[state[k]]);
        __builtin_prefetch(model->weights + trie->first[state[k]]);
    }
}

/* The distributions of the token after a state, by a model and by those of lower order in it. `chance` (vocab) is for
   working. Their logarithms times `gates` (number of orders) are added to `mixed` (vocab), and written to `log_p`
   (number, vocab) unless that is NULL. */
INLINE void mix_orders(const Trie *trie, const int32_t *state, Estimates model, Orders wanted, float *chance,
                       const float *gates, float *mixed, float *log_p) {
    const int64_t vocab = trie->vocab;
    int64_t place = 0;
    for (int64_t token = 0; token < vocab; token++) chance[token] = model.unigrams[token];
    for (int64_t k = 0; k <= trie->width && place < wanted.number; k++) {
        if (k + 1 == wanted.orders[place]) {
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
        if (k == trie->width || state[k] < 0 || place == wanted.number) continue;
        const float share = model.backoffs[state[k]];
        const int64_t base = state[k] * vocab;
        for (int64_t token = 0; token < vocab; token++) chance[token] *= share;
        for (int64_t at = trie->first[state[k]]; at < trie->first[state[k] + 1]; at++)
            chance[trie->keys[at] - base] += model.weights[at];
    }
}

/* How many contexts of a state a model has seen followed by anything. */
INLINE int64_t known_contexts(const Trie *trie, const int32_t *state, const Estimates *model) {
    int64_t known = 0;
    for (int64_t k = 0; k < trie->width; k++) known += state[k] >= 0 && model->backoffs[state[k]] < 1;
    return known;
}

#endif
