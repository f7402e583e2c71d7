/* Draw a token for each row by the inverse of the cumulative distribution, with bias, bans of single tokens, minimum
   length and a constant temperature: the common case of charlm.sampling.controls.Controls.draw. The model's
   log-probability of each token is written to `nats`, unless that is NULL. */

#include <math.h>
#include <stdint.h>

enum { NO_TOKEN = -1 };

void sampler_draw(const float *logits, int64_t rows, int64_t vocab, const double *added, double temperature,
                  int64_t eos, const uint8_t *may_end, const double *uniforms, double *cumulative, int64_t *tokens,
                  double *nats) {
    for (int64_t row = 0; row < rows; row++) {
        const float *own = logits + row * vocab;
        double largest = -INFINITY, highest = -INFINITY, sum = 0, total = 0;
        for (int64_t k = 0; k < vocab; k++) {
            const double adjusted = k == eos && !may_end[row] ? -INFINITY : own[k] + added[k];
            cumulative[k] = adjusted;
            if (adjusted > largest) largest = adjusted;
            if (own[k] > highest) highest = own[k];
        }
        tokens[row] = NO_TOKEN;
        if (largest == -INFINITY) continue;
        for (int64_t k = 0; k < vocab; k++) cumulative[k] = sum += exp((cumulative[k] - largest) / temperature);
        const double target = uniforms[row] * sum;
        int64_t token = 0;
        while (token < vocab - 1 && cumulative[token] <= target) token++;
        tokens[row] = token;
        if (!nats) continue;
        for (int64_t k = 0; k < vocab; k++) total += exp(own[k] - highest);
        nats[row] = own[token] - highest - log(total);
    }
}
