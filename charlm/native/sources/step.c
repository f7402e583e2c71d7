/* A step of sampling: reads one token for each text of a batch and computes the logits of the next, in one call and
   without allocating memory. The step looks up embeddings, runs all layers as the operations of their Program, then the
   output layer, the n-gram prior, the match and the n-grams of labels. */

#include "match.h"
#include "trie.h"

/* The largest n-gram model that a step can use: its order n, and how many orders of the prior are mixed. */
enum { MAX_ORDER = 32, MAX_MIXED_ORDERS = 8 };

/* States of a layer: those of `lookback` steps before the first step, then those of `period` steps. After the last step
   the last `lookback` states are moved to the front, and the time starts again at 0. */
typedef struct {
    float *states;
    int64_t lookback, size; /* how many states precede the first step; elements of a state, all rows together */
} History;

/* A bias that every row is set to at the beginning of a step; products are then added to the rows. */
typedef struct {
    const float *bias;
    float *rows;
    int64_t width;
} RowBias;

typedef void (*Run)(const Operation *operations, long number, long first, long count, long increment, long rows,
                    long hidden_size, long threads, uint32_t *scratch, long scratch_size);

/* The layout is that of charlm.native.structures.Step. */
typedef struct {
    Run run;
    const Operation *operations;
    const History *histories;
    const RowBias *row_biases;
    int64_t num_operations, num_histories, num_row_biases;
    int64_t rows, hidden_size, threads;
    int64_t time, period; /* the step to compute, 0 <= time < period */
    const float *table; /* input projection of each token, (V, G); NULL if the first layer reads `inputs` instead */
    float *gates;       /* of the first layer, (rows, G) */
    int64_t gates_width;
    const float *embedding; /* (V, E) */
    float *inputs;          /* what the first layer reads, (rows, E) */
    int64_t embedding_size;
    const float *added; /* what the labels of each row add to `gates`, (rows, G), or to `inputs`, (rows, E), if there is
                           no table; NULL if the model has no labels */
    float *logits;      /* (rows, V) */
    Ngrams prior;  /* the n-gram prior; the keys of its trie are NULL if there is none */
    Orders orders;
    int32_t *states;                  /* of the n-gram prior, (rows, width) */
    float *probabilities;             /* working memory of n-grams, (rows, V) */
    const float *prior_weight, *prior_bias; /* (J, H), (J, n) */
    const float *ngram_vectors;       /* of the n-gram embedding, (R + 1, E), row 0 is zero; NULL if there is none */
    const int32_t *vector_of;         /* the row of `ngram_vectors` for each node; 0 from `last_node` on */
    int64_t last_node, longest_ngram; /* last index of `vector_of`; tokens of the longest n-gram with a vector */
    const char *top;                  /* what the output layer reads: (rows, H) of step 0 */
    int64_t top_time, top_row;        /* strides of `top` in bytes */
    const MatchShape *match;          /* NULL if there is no match */
    int32_t *match_states;            /* (rows, match_size) */
    int64_t match_size, vocab;
    const float *match_gate, *match_weight; /* (buckets, 2), and (predictions, 2, H) or NULL */
    const Ngrams *label_ngrams; /* of N label values, all of one order; NULL if there are none */
    int64_t num_label_ngrams;
    int32_t *label_states;      /* (rows, N, width); without meaning where the share is 0 */
    const float *label_shares;  /* what the log-probabilities of each, and last of the prior, are multiplied by, (rows,
                                   N + 1) */
} Step;

int64_t sizeof_operation(void) { return sizeof(Operation); }
int64_t sizeof_step(void) { return sizeof(Step); }
int64_t max_order(void) { return MAX_ORDER; }
int64_t max_mixed_orders(void) { return MAX_MIXED_ORDERS; }

/* Where some fields of a step are, in bytes from its start: enough to find two that have changed places. */
void step_offsets(int64_t *offsets) {
    const int64_t own[] = {offsetof(Step, row_biases), offsetof(Step, rows),   offsetof(Step, table),
                           offsetof(Step, embedding),  offsetof(Step, logits), offsetof(Step, prior),
                           offsetof(Step, states),     offsetof(Step, prior_bias), offsetof(Step, vector_of),
                           offsetof(Step, top),        offsetof(Step, match),  offsetof(Step, label_ngrams)};
    memcpy(offsets, own, sizeof own);
}

/* The state of the n-gram prior in a row. */
INLINE int32_t *prior_state(const Step *step, int64_t row) { return step->states + row * step->prior.trie.width; }

/* The shares of the n-grams of labels in a row, and the state of one of them. */
INLINE const float *label_shares(const Step *step, int64_t row) {
    return step->label_shares + row * (step->num_label_ngrams + 1);
}

INLINE int32_t *label_state(const Step *step, int64_t row, int64_t value) {
    return step->label_states + (row * step->num_label_ngrams + value) * step->label_ngrams->trie.width;
}

/* Read a token for an n-gram model. */
INLINE void read_ngrams(const Ngrams *model, int32_t *state, int64_t token) {
    int32_t after[MAX_ORDER];
    advance(&model->trie, state, token, after);
    memcpy(state, after, model->trie.width * sizeof *after);
    fetch_contexts(&model->trie, state, &model->estimates);
}

/* Read a token for all n-gram models that a row uses. */
INLINE void read_row(const Step *step, int64_t row, int64_t token) {
    if (step->prior.trie.keys) read_ngrams(&step->prior, prior_state(step, row), token);
    for (int64_t value = 0; value < step->num_label_ngrams; value++)
        if (label_shares(step, row)[value] != 0)
            read_ngrams(step->label_ngrams + value, label_state(step, row, value), token);
}

/* Prefetch what `add_ngrams` reads of the models that a row uses. */
INLINE void fetch_row(const Step *step, int64_t row) {
    if (step->prior.trie.keys) fetch_children(&step->prior.trie, prior_state(step, row), &step->prior.estimates);
    for (int64_t value = 0; value < step->num_label_ngrams; value++) {
        const Ngrams *model = step->label_ngrams + value;
        if (label_shares(step, row)[value] != 0)
            fetch_children(&model->trie, label_state(step, row, value), &model->estimates);
    }
}

/* Add what the labels of a row add to its gates or inputs, `size` numbers. */
INLINE void add_labels(const Step *step, int64_t row, int64_t size, float *to) {
    if (!step->added) return;
    const float *added = step->added + row * size;
    for (int64_t k = 0; k < size; k++) to[k] += added[k];
}

/* Write what the first layer reads: the embedding of the token plus the vectors of the n-grams that end with it and those
   of the labels. */
INLINE void embed(const Step *step, int64_t row, int64_t token) {
    const int64_t size = step->embedding_size;
    float *to = step->inputs + row * size;
    memcpy(to, step->embedding + token * size, size * sizeof *to);
    add_labels(step, row, size, to);
    if (!step->ngram_vectors) return;
    const int32_t *state = prior_state(step, row);
    for (int64_t k = 1; k < step->longest_ngram; k++) { /* adding vector 0 is faster than a mispredicted branch */
        const int64_t node = state[k] < 0 || state[k] > step->last_node ? step->last_node : state[k];
        const float *vector = step->ngram_vectors + step->vector_of[node] * size;
        for (int64_t e = 0; e < size; e++) to[e] += vector[e];
    }
}

/* Add the log-probabilities of some orders of an n-gram model to the logits of a row, each times its weight. */
INLINE void add_ngrams(const Step *step, int64_t row, const Ngrams *model, const int32_t *state, Orders orders,
                       const float *order_weights) {
    const int64_t vocab = model->trie.vocab;
    mix_orders(&model->trie, state, model->estimates, orders, NULL, step->probabilities + row * vocab, order_weights,
               step->logits + row * vocab, NULL);
}

/* Add the n-gram prior to the logits of a row: log-probabilities times order weights, a_j = w_j h + b_jk. */
INLINE void add_prior(const Step *step, int64_t row) {
    const int32_t *state = prior_state(step, row);
    const float *h = (const float *)(step->top + step->time * step->top_time + row * step->top_row);
    const int64_t known = known_contexts(&step->prior.trie, state, &step->prior.estimates);
    float order_weights[MAX_MIXED_ORDERS];
    for (int64_t j = 0; j < step->orders.number && j < MAX_MIXED_ORDERS; j++)
        order_weights[j] = step->prior_bias[j * (step->prior.trie.width + 1) + known]
                           + dot(step->prior_weight + j * step->hidden_size, h, step->hidden_size);
    add_ngrams(step, row, &step->prior, state, step->orders, order_weights);
}

/* Add to the logits of a row what charlm.model.additions.label_ngrams.LabelNgrams adds. */
INLINE void add_label_ngrams(const Step *step, int64_t row) {
    const float *shares = label_shares(step, row);
    const int64_t number = step->num_label_ngrams, order = step->label_ngrams->trie.width + 1;
    const int64_t highest = step->prior.trie.width + 1, of_all = highest < order ? highest : order;
    for (int64_t value = 0; value < number; value++)
        if (shares[value] != 0)
            add_ngrams(step, row, step->label_ngrams + value, label_state(step, row, value), (Orders){&order, 1},
                       shares + value);
    if (shares[number] != 0)
        add_ngrams(step, row, &step->prior, prior_state(step, row), (Orders){&of_all, 1}, shares + number);
}

/* ln(p / (1 - p)) of a token with the probability p, at most 14 in size. */
INLINE float stretched(const float *logits, int64_t vocab, int64_t token) {
    float largest = -INFINITY, sum = 0;
    for (int64_t v = 0; v < vocab; v++)
        if (v != token && logits[v] > largest) largest = logits[v];
    for (int64_t v = 0; v < vocab; v++)
        if (v != token) sum += exp_float(logits[v] - largest);
    const float odds = logits[token] - largest - log_float(sum);
    return odds > 14 ? 14 : odds < -14 ? -14 : odds;
}

/* Add to the logits of a row what charlm.model.additions.match.Match adds. */
INLINE void add_match(const Step *step, int64_t row) {
    const int64_t number = step->match->recent.number + 1, vocab = step->vocab, size = step->hidden_size;
    const float *h = (const float *)(step->top + step->time * step->top_time + row * step->top_row);
    float *logits = step->logits + row * vocab, odds[1 + RECENT_MOST_ORDERS], added[1 + RECENT_MOST_ORDERS];
    int32_t predictions[2 * (1 + RECENT_MOST_ORDERS)];
    match_predictions(step->match, step->match_states + row * step->match_size, predictions);
    for (int64_t k = 0; k < number; k++) {
        const int32_t token = predictions[2 * k], bucket = predictions[2 * k + 1];
        if (token < 0 || token >= vocab) continue;
        int64_t same = 0;
        while (predictions[2 * same] != token) same++;
        odds[k] = same < k ? odds[same] : stretched(logits, vocab, token);
        float slope = step->match_gate[2 * bucket], offset = step->match_gate[2 * bucket + 1];
        if (step->match_weight) {
            slope += dot(step->match_weight + 2 * k * size, h, size);
            offset += dot(step->match_weight + (2 * k + 1) * size, h, size);
        }
        added[k] = slope * odds[k] + offset;
    }
    for (int64_t k = 0; k < number; k++)
        if (predictions[2 * k] >= 0 && predictions[2 * k] < vocab) logits[predictions[2 * k]] += added[k];
}

/* Add to the logits of a row what the model adds to those of its network, after reading a token. */
INLINE void add_to_logits(const Step *step, int64_t row, int64_t token) {
    if (step->prior.trie.keys) add_prior(step, row);
    if (step->match) {
        match_read(step->match, step->match_states + row * step->match_size, token);
        add_match(step, row);
    }
    if (step->label_ngrams) add_label_ngrams(step, row);
}

/* Read one token for each row; the logits of the next tokens are then in `logits`. */
void sampler_step(Step *step, const int64_t *tokens) {
    const int64_t rows = step->rows;
    for (int64_t row = 0; row < rows; row++) read_row(step, row, tokens[row]);
    for (int64_t row = 0; row < rows; row++) {
        if (step->table) {
            float *gates = step->gates + row * step->gates_width;
            memcpy(gates, step->table + tokens[row] * step->gates_width, step->gates_width * sizeof *gates);
            add_labels(step, row, step->gates_width, gates);
        } else
            embed(step, row, tokens[row]);
        fetch_row(step, row);
    }
    for (const RowBias *b = step->row_biases; b < step->row_biases + step->num_row_biases; b++)
        for (int64_t row = 0; row < rows; row++) memcpy(b->rows + row * b->width, b->bias, b->width * sizeof *b->bias);
    step->run(step->operations, step->num_operations, step->time, 1, 1, rows, step->hidden_size, step->threads, NULL,
              0);
    if (step->prior.trie.keys || step->match) {
#ifdef _OPENMP
#pragma omp parallel for num_threads(step->threads) schedule(static) if (step->threads > 1 && rows > 1)
#endif
        for (int64_t row = 0; row < rows; row++) add_to_logits(step, row, tokens[row]);
    }
    if (++step->time == step->period) {
        step->time = 0;
        for (const History *history = step->histories; history < step->histories + step->num_histories; history++)
            memmove(history->states, history->states + step->period * history->size,
                    history->lookback * history->size * sizeof *history->states);
    }
}
