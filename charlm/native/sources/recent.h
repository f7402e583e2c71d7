/* What last followed the last few tokens of a document; charlm/ngram/recent.py explains the state and has the same
   algorithm in Python. */

#ifndef CHARLM_RECENT_H
#define CHARLM_RECENT_H

#include "functions.h"

enum { RECENT_HISTORY = 8, RECENT_LONGEST_RUN = 7, RECENT_MOST_ORDERS = 8, RECENT_LARGEST_TOKEN = (1 << 19) - 1 };

/* The lengths of the contexts, ascending, and how many entries a table has, a power of two. */
typedef struct {
    int64_t slots, number, orders[RECENT_MOST_ORDERS];
} RecentShape;

/* A hash whose bits all depend on all bits of `hash` (the finaliser of MurmurHash3, Appleby 2011). */
INLINE uint32_t recent_mixed(uint32_t hash) {
    hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
    hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
    return hash ^ hash >> 16;
}

/* The hashes of the last tokens, one for each order. */
INLINE void recent_hashes(const RecentShape *shape, const int32_t *history, uint32_t *hashes) {
    uint32_t hash = 0;
    for (int64_t k = 0, order = 0; k < RECENT_HISTORY && order < shape->number; k++) {
        hash = (hash ^ (uint32_t)history[k]) * 0x9E3779B1u;
        hash ^= hash >> 15;
        if (k + 1 == shape->orders[order]) hashes[order++] = recent_mixed(hash);
    }
}

/* Read a token: enter it after the last tokens of each order. */
INLINE void recent_read(const RecentShape *shape, int32_t *state, int64_t token) {
    if (!shape->number) return;
    int32_t *history = state + 1, *table = history + RECENT_HISTORY;
    uint32_t hashes[RECENT_MOST_ORDERS];
    recent_hashes(shape, history, hashes);
    for (int64_t order = 0; order < shape->number; order++, table += shape->slots) {
        if (state[0] < shape->orders[order] || token > RECENT_LARGEST_TOKEN) continue;
        int32_t *entry = table + (hashes[order] & (uint32_t)(shape->slots - 1));
        const uint32_t check = hashes[order] >> 24, old = (uint32_t)*entry;
        uint32_t kind = old >> 8 & 15, run = 1, contradicted = 0;
        if (kind && (old & 255) == check) {
            contradicted = kind > RECENT_LONGEST_RUN;
            if ((int64_t)(old >> 12) == token) {
                run = kind - contradicted * RECENT_LONGEST_RUN;
                run += run < RECENT_LONGEST_RUN;
            } else {
                contradicted = 1;
            }
        }
        *entry = (int32_t)((uint32_t)token << 12 | (run + contradicted * RECENT_LONGEST_RUN) << 8 | check);
    }
    memmove(history + 1, history, (RECENT_HISTORY - 1) * sizeof *history);
    history[0] = (int32_t)token;
    state[0] += state[0] < RECENT_HISTORY;
}

/* The token and the bucket for each order: predictions (number, 2); -1 for no token. Buckets begin at `first`. */
INLINE void recent_predictions(const RecentShape *shape, const int32_t *state, int32_t first, int32_t *predictions) {
    const int32_t *history = state + 1, *table = history + RECENT_HISTORY;
    uint32_t hashes[RECENT_MOST_ORDERS];
    recent_hashes(shape, history, hashes);
    for (int64_t order = 0; order < shape->number; order++, table += shape->slots, predictions += 2) {
        const uint32_t entry = (uint32_t)table[hashes[order] & (uint32_t)(shape->slots - 1)], kind = entry >> 8 & 15;
        const int known = state[0] >= shape->orders[order] && (entry & 255) == hashes[order] >> 24 && kind
                          && kind <= 2 * RECENT_LONGEST_RUN;
        predictions[0] = known ? (int32_t)(entry >> 12) : -1;
        predictions[1] = first + (int32_t)order * 2 * RECENT_LONGEST_RUN + (known ? (int32_t)kind - 1 : 0);
    }
}

#endif
