/* Look-up of n-grams in a trie, whose nodes charlm/ngram/model.py explains. The structures have the layouts of those in
   charlm.native.structures. */

#ifndef CHARLM_TRIE_H
#define CHARLM_TRIE_H

#include "functions.h"

/* The n-grams that all models of a text share. A state is `width` nodes: for each k = 1, 2, ... the node of the last k
   tokens, or -1 if the trie does not have it. */
typedef struct {
    const int64_t *keys;  /* key i, of node V + i, is context * V + token; sorted */
    const int64_t *first; /* the children of context c are nodes V + first[c] to V + first[c + 1] */
    int64_t vocab, width;
} Trie;

/* The probabilities of one model: those of single tokens, the weights of longer n-grams, the backoffs of contexts. */
typedef struct {
    const float *unigrams, *weights, *backoffs;
} Estimates;

/* One model. */
typedef struct {
    Trie trie;
    Estimates estimates;
} Ngrams;

/* The orders whose log-probabilities are mixed, in ascending order. */
typedef struct {
    const int64_t *orders;
    int64_t number;
} Orders;

/* The tokens whose probabilities are wanted. */
typedef struct {
    const int64_t *tokens;
    const int32_t *place_of; /* of each token of the vocabulary among these, or -1 */
    int64_t number;
} Tokens;

/* The child node of a context for a token, or -1. */
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

/* The state after a token; `after` must not overlap `before`. */
INLINE void advance(const Trie *trie, const int32_t *before, int64_t token, int32_t *after) {
    const int64_t width = trie->width;
    if (width > 0) after[0] = (int32_t)token;
    for (int64_t k = 1; k < width; k++) after[k] = before[k - 1] < 0 ? -1 : child(trie, before[k - 1], token);
    for (int64_t k = 0; k + 1 < width; k++)
        if (after[k] >= 0) __builtin_prefetch(trie->first + after[k]); /* the next step reads it */
}

/* Prefetch what `mix_orders` reads for a state, since it is scattered over memory: first the positions of the contexts'
   children, then the children. */
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

/* The probabilities of the token after a state, by a model and by the lower-order models in it, for `some` tokens, or
   for all if it is NULL. Their logarithms times `order_weights` (one for each order) are added to `mixed` (tokens).
   Unless it is NULL, the logarithms are written to `log_p` (orders, tokens). `probabilities` (tokens) is working
   memory. */
INLINE void mix_orders(const Trie *trie, const int32_t *state, Estimates model, Orders wanted, const Tokens *some,
                       float *probabilities, const float *order_weights, float *mixed, float *log_p) {
    const int64_t vocab = some ? some->number : trie->vocab;
    int64_t place = 0;
    if (some)
        for (int64_t token = 0; token < vocab; token++) probabilities[token] = model.unigrams[some->tokens[token]];
    else
        for (int64_t token = 0; token < vocab; token++) probabilities[token] = model.unigrams[token];
    for (int64_t k = 0; k <= trie->width && place < wanted.number; k++) {
        if (k + 1 == wanted.orders[place]) {
            const float weight = order_weights[place];
            if (log_p) {
                float *own = log_p + place * vocab;
                for (int64_t token = 0; token < vocab; token++)
                    mixed[token] += weight * (own[token] = log_float(probabilities[token]));
            } else {
                for (int64_t token = 0; token < vocab; token++)
                    mixed[token] += weight * log_float(probabilities[token]);
            }
            place++;
        }
        if (k == trie->width || state[k] < 0 || place == wanted.number) continue;
        const float share = model.backoffs[state[k]];
        const int64_t base = state[k] * trie->vocab;
        for (int64_t token = 0; token < vocab; token++) probabilities[token] *= share;
        for (int64_t at = trie->first[state[k]]; at < trie->first[state[k] + 1]; at++) {
            const int64_t own = some ? some->place_of[trie->keys[at] - base] : trie->keys[at] - base;
            if (own >= 0) probabilities[own] += model.weights[at];
        }
    }
}

/* How many contexts of a state a model has seen followed by a token. */
INLINE int64_t known_contexts(const Trie *trie, const int32_t *state, const Estimates *model) {
    int64_t known = 0;
    for (int64_t k = 0; k < trie->width; k++) known += state[k] >= 0 && model->backoffs[state[k]] < 1;
    return known;
}

#endif
