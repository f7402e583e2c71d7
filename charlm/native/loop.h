/* A program through a window: for each step its products and point-wise stages, on all threads. Once for each REAL.

   Columns are dealt out to the threads in panels, for products and stages alike, so that what a thread computes it
   finds in its own cache again; all of them meet only before a product, which reads all columns. A product's weights
   are laid out once for the window: panel after panel, in each the columns of one k side by side. */

typedef REAL NAME(vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
#define LANES ((long)(BYTES / sizeof(REAL)))
#define PANEL (VECTORS * LANES)

long NAME(panel)(void) { return PANEL; }

/* out[r, n] (+)= sum over k of x[r, k] w[k, n] for `height` rows, a constant where this is inlined. */
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
    for (int r = 0; r < height; r++) {
        REAL *to = out + r * out_row;
        if (columns == PANEL) {
            for (int v = 0; v < VECTORS; v++) {
                NAME(vector) *place = (NAME(vector) *)(to + v * LANES);
                if (add) sum[r][v] += *place;
                *place = sum[r][v];
            }
        } else {
            REAL row[PANEL];
            memcpy(row, sum[r], sizeof row);
            for (long n = 0; n < columns; n++) to[n] = add ? to[n] + row[n] : row[n];
        }
    }
}

static void NAME(multiply)(const REAL *x, long x_row, const REAL *w, long depth, REAL *out, long out_row, long columns,
                           int add, long rows) {
    long r = 0;
    for (; r + TILE <= rows; r += TILE)
        NAME(tile)(x + r * x_row, x_row, w, depth, out + r * out_row, out_row, columns, add, TILE);
    for (; r + 4 <= rows; r += 4)
        NAME(tile)(x + r * x_row, x_row, w, depth, out + r * out_row, out_row, columns, add, 4);
    for (; r < rows; r++) NAME(tile)(x + r * x_row, x_row, w, depth, out + r * out_row, out_row, columns, add, 1);
}

/* Lay out w, whose element for column n and k is w[n * column + k * row], in blocks of `width` columns. */
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

typedef void (*NAME(stage))(const long long *table, long t, long rows, long from, long to);

/* Run `operations`, OPERATION numbers each, in every one of `count` steps from `first` on; strides are in bytes. Each
   thread has `scratch_size` numbers of `scratch`, for a source in pairs. */
void NAME(run)(const long long *operations, long number, long first, long count, long direction, long rows,
               long width, long threads, uint32_t *scratch, long scratch_size) {
    const long panels = (width + PANEL - 1) / PANEL;
    int pairs_too = 0;
    for (long k = 0; k < number; k++) pairs_too |= operations[k * OPERATION + IS_PRODUCT] == IN_PAIRS;
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
#endif
    {
#ifdef _OPENMP
        const long mine = omp_get_thread_num(), all = omp_get_num_threads();
#else
        const long mine = 0, all = 1;
#endif
        uint32_t *const halves = scratch + mine * scratch_size;
        if (pairs_too) begin_pairs();
        const long first_panel = panels * mine / all, last_panel = panels * (mine + 1) / all;
        const long from = first_panel * PANEL, to = last_panel * PANEL < width ? last_panel * PANEL : width;
        for (long n = 0, t = first; n < count; n++, t += direction) {
            int written = 1;
            for (const long long *o = operations; o < operations + number * OPERATION; o += OPERATION) {
                if (!o[IS_PRODUCT]) {
                    if (from < to) ((NAME(stage))o[STAGE])((const long long *)o[TABLE], t, rows, from, to);
                    written = 1;
                    continue;
                }
#ifdef _OPENMP
                if (written) {
#pragma omp barrier
                }
#endif
                written = 0;
                const REAL *x = (const REAL *)(o[SOURCE] + t * o[SOURCE_TIME]);
                REAL *out = (REAL *)(o[TARGET] + t * o[TARGET_TIME]);
                const long x_row = o[SOURCE_ROW] / sizeof(REAL), out_row = o[TARGET_ROW] / sizeof(REAL);
                const long depth = o[DEPTH], pairs = (depth + 1) / 2;
                const int add = (int)o[ADD];
                if (o[IS_PRODUCT] == IN_PAIRS) NAME(round_rows)(x, x_row, rows, depth, halves);
                for (long block = 0; block < o[BLOCKS]; block++)
                    for (long panel = first_panel; panel < last_panel; panel++) {
                        const long start = panel * PANEL, index = (block * panels + panel) * PANEL;
                        const long columns = width - start < PANEL ? width - start : PANEL;
                        REAL *const to = out + block * width + start;
                        if (o[IS_PRODUCT] == IN_PAIRS)
                            NAME(multiply_pairs)(halves, (const uint32_t *)o[WEIGHTS] + index * pairs, pairs, to,
                                                 out_row, columns, add, rows);
                        else
                            NAME(multiply)(x, x_row, (const REAL *)o[WEIGHTS] + index * depth, depth, to, out_row,
                                           columns, add, rows);
                    }
            }
        }
        if (pairs_too) end_pairs();
    }
}
