/* Runs the operations of a Program for many steps, on all threads. Included once for each REAL, after functions.h and
   bfloat16.h.

   Columns are divided among the threads in panels, in the same way for products and stages, so that a thread finds its
   results in its cache. The threads synchronise only before what reads all columns: a product, or a row stage. The
   weights of a product are packed once: panel by panel, and within a panel the columns for one k are adjacent. */

typedef REAL NAME(vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
#define LANES ((long)(BYTES / sizeof(REAL)))
#define PANEL (VECTORS * LANES)

long NAME(panel)(void) { return PANEL; }

/* Write the sums to the first `columns` columns of a row's panel, or add them. */
INLINE void NAME(store)(const NAME(vector) *sum, REAL *to, long columns, int add) {
    if (columns == PANEL) {
        for (int v = 0; v < VECTORS; v++) {
            NAME(vector) *place = (NAME(vector) *)(to + v * LANES);
            if (add)
                *place += sum[v];
            else
                *place = sum[v];
        }
    } else {
        REAL row[PANEL];
        memcpy(row, sum, sizeof row);
        for (long n = 0; n < columns; n++) to[n] = add ? to[n] + row[n] : row[n];
    }
}

/* out[r, n] (+)= sum over k of x[r, k] w[k, n] for `height` rows, which is a constant after inlining. */
INLINE void NAME(tile)(const REAL *x, long x_row, const REAL *w, long depth, REAL *out, long out_row, long columns,
                       int add, const int height) {
    NAME(vector) sum[TILE][VECTORS];
    for (int r = 0; r < height; r++)
        for (int v = 0; v < VECTORS; v++) sum[r][v] = (NAME(vector)){0};
    for (long k = 0; k < depth; k++, w += PANEL) {
        NAME(vector) column[VECTORS];
        for (int v = 0; v < VECTORS; v++) column[v] = *(const NAME(vector) *)(w + v * LANES);
        for (int r = 0; r < height; r++)
            for (int v = 0; v < VECTORS; v++) sum[r][v] += column[v] * x[r * x_row + k];
    }
    for (int r = 0; r < height; r++) NAME(store)(sum[r], out + r * out_row, columns, add);
}

/* The same for a single row. Several k have separate sums, so that no addition waits for the one before: the speed is
   that of reading the weights. */
INLINE void NAME(single_row)(const REAL *x, const REAL *w, long depth, REAL *out, long columns, int add) {
    enum { SUMS = 4 };
    NAME(vector) sum[SUMS][VECTORS];
    for (int s = 0; s < SUMS; s++)
        for (int v = 0; v < VECTORS; v++) sum[s][v] = (NAME(vector)){0};
    long k = 0;
    for (; k + SUMS <= depth; k += SUMS, w += SUMS * PANEL)
        for (int s = 0; s < SUMS; s++)
            for (int v = 0; v < VECTORS; v++)
                sum[s][v] += *(const NAME(vector) *)(w + s * PANEL + v * LANES) * x[k + s];
    for (; k < depth; k++, w += PANEL)
        for (int v = 0; v < VECTORS; v++) sum[0][v] += *(const NAME(vector) *)(w + v * LANES) * x[k];
    for (int v = 0; v < VECTORS; v++) sum[0][v] = (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
    NAME(store)(sum[0], out, columns, add);
}

static void NAME(multiply)(const REAL *x, long x_row, const REAL *w, long depth, REAL *out, long out_row, long columns,
                           int add, long rows) {
    long r = 0;
    for (; r + TILE <= rows; r += TILE)
        NAME(tile)(x + r * x_row, x_row, w, depth, out + r * out_row, out_row, columns, add, TILE);
    for (; r + 4 <= rows; r += 4)
        NAME(tile)(x + r * x_row, x_row, w, depth, out + r * out_row, out_row, columns, add, 4);
    for (; r < rows; r++) NAME(single_row)(x + r * x_row, w, depth, out + r * out_row, columns, add);
}

/* Pack w, whose element for column n and k is w[n * column + k * row], in blocks of `width` columns. */
void NAME(pack)(const REAL *w, long row, long column, long blocks, long width, long depth, REAL *packed, long threads) {
    const long panels = (width + PANEL - 1) / PANEL;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static)
#endif
    for (long index = 0; index < blocks * panels; index++) {
        const long start = index % panels * PANEL;
        const long columns = width - start < PANEL ? width - start : PANEL;
        const REAL *from = w + (index / panels * width + start) * column;
        REAL *to = packed + index * PANEL * depth;
        for (long k = 0; k < depth; k++, to += PANEL) {
            for (long n = 0; n < columns; n++) to[n] = from[n * column + k * row];
            for (long n = columns; n < PANEL; n++) to[n] = 0;
        }
    }
}

typedef void (*NAME(stage))(const int64_t *table, long t, long rows, long from, long to);

/* Run `number` operations in each of `count` steps from `first` on; `increment` is 1 forwards, -1 backwards. Each
   thread uses `scratch_size` elements of `scratch` for a source that is rounded to bfloat16. */
void NAME(run)(const Operation *operations, long number, long first, long count, long increment, long rows,
               long hidden_size, long threads, uint32_t *scratch, long scratch_size) {
    int rounds = 0;
    for (long k = 0; k < number; k++) rounds |= operations[k].kind == BFLOAT16_PRODUCT;
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) if (threads > 1)
#endif
    {
#ifdef _OPENMP
        const long mine = omp_get_thread_num(), all = omp_get_num_threads();
#else
        const long mine = 0, all = 1;
#endif
        uint32_t *const rounded_rows = scratch + mine * scratch_size;
        if (rounds) begin_pairs();
        const long panels = (hidden_size + PANEL - 1) / PANEL;
        const long from = panels * mine / all * PANEL, end = panels * (mine + 1) / all * PANEL;
        const long to = end < hidden_size ? end : hidden_size;
        for (long n = 0, t = first; n < count; n++, t += increment) {
            int written = 1;
            for (const Operation *o = operations; o < operations + number; o++) {
#ifdef _OPENMP
                if (o->kind == ROW_STAGE && all > 1) {
#pragma omp barrier
                }
#endif
                if (o->kind == STAGE || o->kind == ROW_STAGE) {
                    if (from < to) ((NAME(stage))o->stage)((const int64_t *)o->table, t, rows, from, to);
                    written = 1;
                    continue;
                }
#ifdef _OPENMP
                if (written && all > 1) {
#pragma omp barrier
                }
#endif
                written = 0;
                const REAL *x = (const REAL *)(o->source + t * o->source_time);
                REAL *out = (REAL *)(o->target + t * o->target_time);
                const long x_row = o->source_row / sizeof(REAL), out_row = o->target_row / sizeof(REAL);
                const long depth = o->depth, pairs = (depth + 1) / 2;
                const long per_block = (o->width + PANEL - 1) / PANEL;
                const long first_panel = per_block * mine / all, last_panel = per_block * (mine + 1) / all;
                const int add = (int)o->add;
                if (o->kind == BFLOAT16_PRODUCT) NAME(round_rows)(x, x_row, rows, depth, rounded_rows);
                for (long block = 0; block < o->blocks; block++)
                    for (long panel = first_panel; panel < last_panel; panel++) {
                        const long start = panel * PANEL, index = (block * per_block + panel) * PANEL;
                        const long columns = o->width - start < PANEL ? o->width - start : PANEL;
                        REAL *const part = out + block * o->width + start;
                        if (o->kind == BFLOAT16_PRODUCT)
                            NAME(multiply_pairs)(rounded_rows, (const uint32_t *)o->weights + index * pairs, pairs,
                                                 part, out_row, columns, add, rows);
                        else
                            NAME(multiply)(x, x_row, (const REAL *)o->weights + index * depth, depth, part, out_row,
                                           columns, add, rows);
                    }
            }
        }
        if (rounds) end_pairs();
    }
}
