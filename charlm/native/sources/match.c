/* The functions of match.h for many tokens and states at a time; called by charlm/ngram/match.py. */

#include "match.h"

/* Read tokens (steps, rows), which changes the states (rows, size): the tokens that are predicted after each, with their
   buckets, predictions (steps, rows, number + 1, 2). */
void match_advance(const MatchShape *shape, int32_t *states, int64_t size, const int64_t *tokens, int64_t steps,
                   int64_t rows, int32_t *predictions) {
    const int64_t width = 2 * (shape->recent.number + 1);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t t = 0; t < steps; t++) {
            match_read(shape, states + row * size, tokens[t * rows + row]);
            match_predictions(shape, states + row * size, predictions + width * (t * rows + row));
        }
}
