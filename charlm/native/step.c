/* One token further for the texts of a batch, in one call and without new memory: look-ups, all layers of a network as the
   operations of its Program, the output layer, and the n-gram prior. */

#include "trie.h"

/* A buffer of `period` steps, and of `depth` steps before them: when the last step is done, the last `depth` states become
   those before the first. */
typedef struct {
    float *states;
    int64_t depth, numbers; /* steps to keep, and numbers in each */
} History;

/* A bias that every row begins with, before products are added to it. */
typedef struct {
    const float *bias;
    float *rows;
    int64_t width;
} Start;

typedef void (*Run)(const Operation *operations, long number, long first, long count, long direction, long rows,
                    long width, long threads, uint32_t *scratch, long scratch_size);

/* The layout is that of charlm.native.structures.Step. */
typedef struct {
    Run run;
    const Operation *operations;
    const History *histories;
    const Start *starts;
    int64_t num_operations, num_histories, num_starts;
    int64_t rows, hidden, threads;
    int64_t time, period;
    const float *table; /* (V, G): the input projection of each token; NULL: its embedding goes into `inputs` */
    float *gates;       /* (rows, G), of the first layer */
    int64_t gates_width;
    const float *embedding; /* (V, E) */
    float *inputs;          /* (rows, E) */
    int64_t embedding_size;
    float *logits; /* (rows, V) */
    Trie trie;     /* of the n-gram prior; there is none where `keys` is NULL */
    Estimates estimates;
    Orders orders;
    int32_t *states;                  /* of the trie, (rows, width) */
    float *chance;                    /* (rows, V), for working */
    const float *gate_weight, *gate_bias; /* (J, H), (J, n) */
    const float *ngram_vectors;       /* (R + 1, E) added to the embedding; NULL where there are none */
    const int32_t *vector_of;         /* the row of `ngram_vectors` of a node; 0 for all nodes from the last entry on */
    int64_t last_node, longest;       /* index of that entry; states of the trie before this one may have a vector */
    const char *top;                  /* what the output layer reads, in step 0 */
    int64_t top_time, top_row;        /* its strides, in bytes */
} Step;

int64_t sizeof_operation(void) { return sizeof(Operation); }
int64_t sizeof_step(void) { return sizeof(Step); }

INLINE float dot(const float *a, const float *b, int64_t count) {
    enum { SUMS = 16 };
    float sum[SUMS] = {0}, total = 0;
    int64_t k = 0;
    for (; k + SUMS <= count; k += SUMS)
        for (int s = 0; s < SUMS; s++) sum[s] += a[k + s] * b[k + s];
    for (; k < count; k++) total += a[k] * b[k];
    for (int s = 0; s < SUMS; s++) total += sum[s];
    return total;
}

/* The embedding of a token, and the vectors of the n-grams that end with it. */
INLINE void embed(const Step *step, int64_t row, int64_t token) {
    const int64_t size = step->embedding_size;
    float *to = step->inputs + row * size;
    memcpy(to, step->embedding + token * size, size * sizeof *to);
    if (!step->ngram_vectors) return;
    const int32_t *state = step->states + row * step->trie.width;
    for (int64_t k = 1; k < step->longest; k++) { /* vector 0 is zero: to add it is quicker than to mispredict a branch */
        const int64_t node = state[k] < 0 || state[k] > step->last_node ? step->last_node : state[k];
        const float *vector = step->ngram_vectors + step->vector_of[node] * size;
        for (int64_t e = 0; e < size; e++) to[e] += vector[e];
    }
}

INLINE void add_prior(const Step *step, int64_t row) {
    enum { MOST = 8 };
    const int32_t *state = step->states + row * step->trie.width;
    const float *h = (const float *)(step->top + step->time * step->top_time + row * step->top_row);
    const int64_t known = known_contexts(&step->trie, state, &step->estimates), vocab = step->trie.vocab;
    float gates[MOST];
    for (int64_t j = 0; j < step->orders.number && j < MOST; j++)
        gates[j] = step->gate_bias[j * (step->trie.width + 1) + known]
                   + dot(step->gate_weight + j * step->hidden, h, step->hidden);
    mix_orders(&step->trie, state, step->estimates, step->orders, step->chance + row * vocab, gates,
               step->logits + row * vocab, NULL);
}

void sampler_step(Step *step, const int64_t *tokens) {
    const int64_t rows = step->rows;
    if (step->trie.keys)
        for (int64_t row = 0; row < rows; row++) {
            int32_t after[32], *state = step->states + row * step->trie.width;
            advance(&step->trie, state, tokens[row], after);
            memcpy(state, after, step->trie.width * sizeof *after);
            fetch_contexts(&step->trie, state, &step->estimates);
        }
    for (int64_t row = 0; row < rows; row++) {
        if (step->table)
            memcpy(step->gates + row * step->gates_width, step->table + tokens[row] * step->gates_width,
                   step->gates_width * sizeof *step->gates);
        else
            embed(step, row, tokens[row]);
        if (step->trie.keys) fetch_children(&step->trie, step->states + row * step->trie.width, &step->estimates);
    }
    for (const Start *start = step->starts; start < step->starts + step->num_starts; start++)
        for (int64_t row = 0; row < rows; row++)
            memcpy(start->rows + row * start->width, start->bias, start->width * sizeof *start->bias);
    step->run(step->operations, step->num_operations, step->time, 1, 1, rows, step->hidden, step->threads, NULL, 0);
    if (step->trie.keys) {
#ifdef _OPENMP
#pragma omp parallel for num_threads(step->threads) schedule(static) if (step->threads > 1 && rows > 1)
#endif
        for (int64_t row = 0; row < rows; row++) add_prior(step, row);
    }
    if (++step->time == step->period) {
        step->time = 0;
        for (const History *history = step->histories; history < step->histories + step->num_histories; history++)
            memmove(history->states, history->states + step->period * history->numbers,
                    history->depth * history->numbers * sizeof *history->states);
    }
}
