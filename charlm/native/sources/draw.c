/* Draw a token for each row by the inverse of the cumulative distribution, with bias, bans of single tokens, minimum
   length and a constant temperature: the common case of charlm.sampling.controls.Controls.draw. The model's
   log-probability of each token is written to `nats`, unless that is NULL. */

#include <math.h>
#include <stdint.h>

enum { NO_TOKEN = -1 };

typedef struct {
    const float *logits; /* (rows, vocab) */
    int64_t rows, vocab;
    const double *added; /* (vocab) */
    double temperature;
    int64_t eos;
    const uint8_t *may_end; /* whether EOS may be drawn, by row */
    const double *uniforms;
    double *cumulative; /* memory for `vocab` numbers */
    int64_t *tokens;
    double *nats; /* or NULL */
} Draw;

int64_t sizeof_draw(void) { return sizeof(Draw); }

void sampler_draw(const Draw *draw) {
    const int64_t vocab = draw->vocab;
    double *cumulative = draw->cumulative;
    for (int64_t row = 0; row < draw->rows; row++) {
        const float *own = draw->logits + row * vocab;
        const int64_t forbidden = draw->may_end[row] ? NO_TOKEN : draw->eos;
        double largest = -INFINITY, highest = -INFINITY, sum = 0, total = 0;
        for (int64_t k = 0; k < vocab; k++) {
            const double adjusted = k == forbidden ? -INFINITY : own[k] + draw->added[k];
            cumulative[k] = adjusted;
            if (adjusted > largest) largest = adjusted;
            if (own[k] > highest) highest = own[k];
        }
        draw->tokens[row] = NO_TOKEN;
        if (largest == -INFINITY) continue;
        for (int64_t k = 0; k < vocab; k++)
            cumulative[k] = sum += exp((cumulative[k] - largest) / draw->temperature);
        const double target = draw->uniforms[row] * sum;
        int64_t token = 0;
        while (token < vocab - 1 && cumulative[token] <= target) token++;
        draw->tokens[row] = token;
        if (!draw->nats) continue;
        for (int64_t k = 0; k < vocab; k++) total += exp(own[k] - highest);
        draw->nats[row] = own[token] - highest - log(total);
    }
}
