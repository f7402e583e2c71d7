/* The functions of match.h for many tokens and states at a time; called by charlm/ngram/match.py. */

#include "match.h"

/* Read tokens (steps, rows), which changes the states (rows, size): the predictions and their buckets after each token,
   voices (steps, rows, 2). */
void match_advance(const MatchShape *shape, int32_t *states, int64_t size, const int64_t *tokens, int64_t steps,
                   int64_t rows, int32_t *voices) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < steps; t++) {
            match_read(shape, states + row * size, tokens[t * rows + row]);
            match_voice(shape, states + row * size, voices + 2 * (t * rows + row));
        }
}

/* Read a token for each row and add to its logits, (rows, vocab), what charlm.model.match.Match adds. */
void match_step(const MatchShape *shape, int32_t *states, int64_t size, const int64_t *tokens, int64_t rows,
                float *logits, int64_t vocab, const float *gate) {
    for (int64_t row = 0; row < rows; row++, logits += vocab) {
        int32_t voice[2];
        match_read(shape, states + row * size, tokens[row]);
        match_voice(shape, states + row * size, voice);
        if (voice[0] < 0 || voice[0] >= vocab) continue;
        float largest = -INFINITY, sum = 0;
        for (int64_t v = 0; v < vocab; v++)
            if (v != voice[0] && logits[v] > largest) largest = logits[v];
        for (int64_t v = 0; v < vocab; v++)
            if (v != voice[0]) sum += exp_float(logits[v] - largest);
        const float stretched = logits[voice[0]] - largest - log_float(sum);
        const float clamped = stretched > 14 ? 14 : stretched < -14 ? -14 : stretched;
        logits[voice[0]] += gate[2 * voice[1]] * clamped + gate[2 * voice[1] + 1];
    }
}
