/* What followed an earlier occurrence of the last tokens of a document; charlm/ngram/match.py explains the state and
   has the same algorithm in Python. */

#ifndef CHARLM_MATCH_H
#define CHARLM_MATCH_H

#include "recent.h"

enum { MATCH_COUNT, MATCH_POINTER, MATCH_LENGTH, MATCH_MISSES, MATCH_HEAD };
enum { MATCH_VERIFIED = 32, MATCH_MOST_MISSES = 3, MATCH_LONGEST_COUNT = 1 << 30, MATCH_BUCKETS = 80 };

/* How many tokens are remembered, a power of two, and how many must agree: a lookup tries `longer` first. */
typedef struct {
    int64_t window, longer, shorter;
    RecentShape recent;
} MatchShape;

/* Where the positions after the last `length` tokens are kept, by a hash of these tokens. */
INLINE int32_t match_slot(const MatchShape *shape, const int32_t *ring, int32_t count, int64_t length) {
    uint32_t hash = 0;
    for (int64_t k = 1; k <= length; k++) {
        hash = (hash ^ (uint32_t)ring[(count - k) & (shape->window - 1)]) * 0x9E3779B1u;
        hash ^= hash >> 15;
    }
    return (int32_t)(hash & (uint32_t)(shape->window - 1));
}

/* How many tokens before `position` agree with the last ones. */
INLINE int32_t match_agreeing(const MatchShape *shape, const int32_t *ring, int32_t count, int32_t position) {
    const int32_t mask = (int32_t)shape->window - 1;
    int32_t k = 0;
    while (k < MATCH_VERIFIED && position - k > 0 && ring[(position - k - 1) & mask] == ring[(count - k - 1) & mask]) k++;
    return k;
}

/* Read a token for the match alone. */
INLINE void match_follow(const MatchShape *shape, int32_t *state, int64_t token) {
    const int32_t window = (int32_t)shape->window, mask = window - 1;
    if (state[MATCH_COUNT] == MATCH_LONGEST_COUNT) memset(state, 0, (size_t)(MATCH_HEAD + 3 * window) * sizeof *state);
    int32_t *ring = state + MATCH_HEAD;
    int32_t *tables[] = {ring + window, ring + 2 * window};
    const int64_t lengths[] = {shape->longer, shape->shorter};
    int32_t count = state[MATCH_COUNT], pointer = state[MATCH_POINTER], length = state[MATCH_LENGTH];
    int32_t misses = state[MATCH_MISSES];
    if (pointer && ring[pointer & mask] == token) {
        pointer++, length++, misses = 0;
    } else if (pointer) {
        pointer = length = 0;
        misses += misses < MATCH_MOST_MISSES;
    }
    ring[count++ & mask] = (int32_t)token;
    int32_t slots[2];
    for (int which = 0; which < 2; which++)
        slots[which] = count >= lengths[which] ? match_slot(shape, ring, count, lengths[which]) : -1;
    for (int which = 0; which < 2 && length < shape->longer; which++) {
        const int32_t found = slots[which] < 0 ? 0 : tables[which][slots[which]];
        if (!found || count - found >= window - MATCH_VERIFIED) continue;
        const int32_t agreeing = match_agreeing(shape, ring, count, found);
        if (agreeing >= lengths[which] && agreeing > length) {
            pointer = found, length = agreeing;
            break;
        }
    }
    for (int which = 0; which < 2; which++)
        if (slots[which] >= 0) tables[which][slots[which]] = count;
    state[MATCH_COUNT] = count, state[MATCH_POINTER] = pointer, state[MATCH_LENGTH] = length;
    state[MATCH_MISSES] = misses;
}

/* Read a token. */
INLINE void match_read(const MatchShape *shape, int32_t *state, int64_t token) {
    match_follow(shape, state, token);
    recent_read(&shape->recent, state + MATCH_HEAD + 3 * shape->window, token);
}

/* The token that the match predicts, or -1, and its bucket: by the length of the match and its last misses. Then the
   same of the recent contexts: predictions (1 + number, 2). */
INLINE void match_predictions(const MatchShape *shape, const int32_t *state, int32_t *predictions) {
    int32_t length = state[MATCH_LENGTH];
    if (length >= 16) {
        int32_t doublings = 0;
        while (length >= 32 && doublings < 3) length /= 2, doublings++;
        length = 16 + doublings;
    }
    predictions[0] = state[MATCH_POINTER] ? state[MATCH_HEAD + (state[MATCH_POINTER] & (shape->window - 1))] : -1;
    predictions[1] = length * (MATCH_MOST_MISSES + 1) + state[MATCH_MISSES];
    recent_predictions(&shape->recent, state + MATCH_HEAD + 3 * shape->window, MATCH_BUCKETS, predictions + 2);
}

#endif
