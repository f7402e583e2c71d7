/* One token further for one text: all layers, the output layer, and the n-gram prior, in one call and no new memory.
   Stands behind functions.c of the kernels and ngram_lookup.c.

   Weights are laid out in panels of PANEL outputs, in each the outputs of one input side by side, so that a panel's sums
   stay in registers while its weights stream by. */

#include <stdint.h>

typedef float lane __attribute__((vector_size(64), aligned(4), may_alias));
enum { LANES = 16, WIDE = 4, PANEL = LANES * WIDE };

enum { RNN, LSTM, GRU };

typedef struct {
    const float *recurrent, *input; /* in panels; no input weights where a table has their products */
    int64_t input_size;
    const float *bias, *extra; /* bias: of all gates, or the table (V, G); extra: the candidate's, of a GRU */
    float *h, *c, *past, *inputs;
} Layer;

typedef struct {
    int64_t cell, layers, hidden, gates, vocab, table, threads;
    const float *embedding;
    int64_t embedding_size;
    const float *output, *output_bias;
    float *logits;
    const int64_t *keys, *first; /* of the n-gram prior; none where keys is 0 */
    int64_t width;
    int32_t *nodes;
    Estimates estimates;
    const int64_t *orders;
    int64_t number;
    float *chance;
    const float *gate_weight, *gate_bias; /* (J, H), (J, n) */
    const float *vectors; /* of contexts, (R + 1, E); none where it is 0 */
    const int32_t *rows;  /* the row of a node; the last serves those behind it */
    int64_t last;
    int64_t longest; /* states of the prior that may have a vector end before this one */
    float *sum;      /* (E,) */
} Plan;

/* out[n] = sum over k of x[k] w[k, n], columns in whole panels. */
static void multiply(const float *w, const float *x, int64_t depth, float *out, int64_t columns, int64_t threads) {
    const int64_t panels = (columns + PANEL - 1) / PANEL;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && panels * depth > 4096)
#endif
    for (int64_t panel = 0; panel < panels; panel++) {
        const float *from = w + panel * depth * PANEL;
        lane even[WIDE], odd[WIDE];
        for (int v = 0; v < WIDE; v++) even[v] = odd[v] = (lane){0};
        int64_t k = 0;
        for (; k + 2 <= depth; k += 2, from += 2 * PANEL) {
            for (int v = 0; v < WIDE; v++) even[v] += *(const lane *)(from + v * LANES) * x[k];
            for (int v = 0; v < WIDE; v++) odd[v] += *(const lane *)(from + PANEL + v * LANES) * x[k + 1];
        }
        if (k < depth)
            for (int v = 0; v < WIDE; v++) even[v] += *(const lane *)(from + v * LANES) * x[k];
        for (int v = 0; v < WIDE; v++) *(lane *)(out + panel * PANEL + v * LANES) = even[v] + odd[v];
    }
    (void)threads;
}

/* The gates of all cells are in blocks of `hidden`, as in their equations. */
static void cell(int64_t kind, int64_t hidden, const float *restrict past, const float *restrict in,
                 const float *restrict bias, const float *restrict extra, float *restrict h, float *restrict c) {
    if (kind == RNN) {
        for (int64_t j = 0; j < hidden; j++) h[j] = tanh_float(past[j] + in[j] + bias[j]);
    } else if (kind == LSTM) { /* i, f, g, o */
        for (int64_t j = 0; j < hidden; j++) {
            const float i = sigmoid_float(past[j] + in[j] + bias[j]);
            const float f = sigmoid_float(past[hidden + j] + in[hidden + j] + bias[hidden + j]);
            const float g = tanh_float(past[2 * hidden + j] + in[2 * hidden + j] + bias[2 * hidden + j]);
            const float o = sigmoid_float(past[3 * hidden + j] + in[3 * hidden + j] + bias[3 * hidden + j]);
            c[j] = f * c[j] + i * g;
            h[j] = o * tanh_float(c[j]);
        }
    } else { /* r, u, g; the reset gate after the product */
        for (int64_t j = 0; j < hidden; j++) {
            const float r = sigmoid_float(past[j] + in[j] + bias[j]);
            const float u = sigmoid_float(past[hidden + j] + in[hidden + j] + bias[hidden + j]);
            const float g = tanh_float(in[2 * hidden + j] + bias[2 * hidden + j] + r * (past[2 * hidden + j] + extra[j]));
            h[j] = g + u * (h[j] - g);
        }
    }
}

/* The cells of several texts: past (rows, gates), W h'; in (rows, gates), V x + b; h and c (rows, hidden). */
void sampler_cells(int64_t kind, int64_t rows, int64_t hidden, int64_t gates, const float *past, const float *in,
                   const float *zeros, const float *extra, float *h, float *c, int64_t threads) {
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && rows * hidden > 4096)
#endif
    for (int64_t row = 0; row < rows; row++)
        cell(kind, hidden, past + row * gates, in + row * gates, zeros, extra, h + row * hidden, c + row * hidden);
    (void)threads;
}

static void advance_prior(const Plan *plan, int64_t token) {
    int32_t after[32];
    ngram_advance(plan->keys, plan->first, plan->vocab, plan->width, plan->nodes, &token, 1, 1, after);
    memcpy(plan->nodes, after, plan->width * sizeof *after);
}

/* The embedding of a token and the vectors of the contexts that end with it. */
static const float *with_contexts(const Plan *plan, const float *embedding) {
    const int64_t size = plan->embedding_size;
    memcpy(plan->sum, embedding, size * sizeof *embedding);
    for (int64_t k = 1; k < plan->longest; k++) {
        const int32_t node = plan->nodes[k];
        const int64_t row = node < 0 || node > plan->last ? 0 : plan->rows[node];
        if (row)
            for (int64_t e = 0; e < size; e++) plan->sum[e] += plan->vectors[row * size + e];
    }
    return plan->sum;
}

static void add_prior(const Plan *plan, const float *h) {
    const int64_t known = depth_of(plan->width, plan->nodes, &plan->estimates);
    float gates[32];
    for (int64_t j = 0; j < plan->number; j++) {
        gates[j] = plan->gate_bias[j * (plan->width + 1) + known];
        for (int64_t k = 0; k < plan->hidden; k++) gates[j] += plan->gate_weight[j * plan->hidden + k] * h[k];
    }
    each_order(plan->keys, plan->first, plan->vocab, plan->width, plan->nodes, plan->estimates, plan->orders,
               plan->number, plan->chance, gates, plan->logits, NULL);
}

void sampler_step(const Plan *plan, const Layer *layers, int64_t token) {
    const int64_t hidden = plan->hidden, gates = plan->gates;
    const float *x = plan->embedding + token * plan->embedding_size;
    if (plan->keys) advance_prior(plan, token);
    if (plan->vectors) x = with_contexts(plan, x);
    for (int64_t index = 0; index < plan->layers; index++) {
        const Layer *layer = layers + index;
        const float *in = layer->inputs, *bias = layer->bias;
        multiply(layer->recurrent, layer->h, hidden, layer->past, gates, plan->threads);
        if (index == 0 && plan->table)
            bias = layer->bias + token * gates; /* and inputs are 0 */
        else
            multiply(layer->input, x, layer->input_size, layer->inputs, gates, plan->threads);
        cell(plan->cell, hidden, layer->past, in, bias, layer->extra, layer->h, layer->c);
        x = layer->h;
    }
    multiply(plan->output, x, hidden, plan->logits, plan->vocab, plan->threads);
    for (int64_t token = 0; token < plan->vocab; token++) plan->logits[token] += plan->output_bias[token];
    if (plan->keys) add_prior(plan, x);
}
