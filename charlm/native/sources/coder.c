/* Arithmetic coding of tokens by the probabilities of a model; charlm/compression/reference.py is the same in Python.

   The coder has a low end and a range of 64 bits (Martin 1979, "Range encoding: an algorithm for removing redundancy from
   a digitised message"). Bytes are written as soon as the range is below 2^56. A carry goes into the last byte that is
   not 255, which is therefore held back together with the bytes 255 after it. */

#include "functions.h"

/* Sums that are added in turn, and how many bytes one case writes at most. */
enum { CODER_LANES = 8, CODER_ROOM = 16 };
/* The frequencies of all tokens sum to about this, and the range never ends below `CODER_LEAST`. */
static const int64_t CODER_TOTAL = (int64_t)1 << 31;
static const uint64_t CODER_LEAST = (uint64_t)1 << 56;

/* The layout is that of charlm.native.structures.Coder. */
typedef struct {
    uint64_t low, range; /* low is the code minus the low end when decoding */
    int64_t held;        /* bytes held back: one, then those that are 255; 0 before the first byte */
    int64_t first;       /* the first of them */
    uint8_t *bytes;      /* written so far, or to read */
    int64_t length, capacity;
    uint32_t *frequencies; /* memory for one distribution */
} Coder;

int64_t sizeof_coder(void) { return sizeof(Coder); }

/* Integer frequencies, each at least 1, of the probabilities under logits; returns their sum. */
int64_t coder_frequencies(const float *logits, int64_t vocab, uint32_t *frequencies) {
    float largest = -INFINITY;
    for (int64_t v = 0; v < vocab; v++) largest = logits[v] > largest ? logits[v] : largest;
    double lanes[CODER_LANES] = {0};
    for (int64_t v = 0; v < vocab; v++) {
        const float p = exp_float(logits[v] - largest);
        memcpy(frequencies + v, &p, sizeof p);
        lanes[v % CODER_LANES] += p > 0 ? (double)p : 0.0;
    }
    double sum = 0;
    for (int k = 0; k < CODER_LANES; k++) sum += lanes[k];
    const double scale = (double)(CODER_TOTAL - vocab) / sum;
    int64_t total = 0;
    for (int64_t v = 0; v < vocab; v++) {
        float p;
        memcpy(&p, frequencies + v, sizeof p);
        const double share = p > 0 ? (double)p * scale : 0.0;
        total += frequencies[v] = 1 + (uint32_t)(int32_t)(share < 2147483520.0 ? share : 2147483520.0);
    }
    return total;
}

/* Move the highest byte of `low` to the bytes that are held back, or write these if it is no 255. */
static void coder_shift(Coder *coder) {
    const int64_t top = (int64_t)(coder->low >> 56);
    if (coder->held > 0 && top == 255) {
        coder->held++;
    } else {
        if (coder->held > 0) coder->bytes[coder->length++] = (uint8_t)coder->first;
        for (; coder->held > 1; coder->held--) coder->bytes[coder->length++] = 255;
        coder->first = top, coder->held = 1;
    }
    coder->low <<= 8;
}

/* Encode one of `total` cases, `total` at most 2^31: those from `start` on, `size` of them. Returns 0 if the memory for
   bytes may not suffice, and then changes nothing. */
int64_t coder_encode(Coder *coder, int64_t start, int64_t size, int64_t total) {
    if (coder->length + coder->held + CODER_ROOM > coder->capacity) return 0;
    const uint64_t unit = coder->range / (uint64_t)total, added = unit * (uint64_t)start;
    coder->low += added;
    coder->range = unit * (uint64_t)size;
    if (coder->low < added) { /* a carry */
        coder->first++;
        for (; coder->held > 1; coder->held--, coder->first = 0) coder->bytes[coder->length++] = (uint8_t)coder->first;
    }
    while (coder->range < CODER_LEAST) {
        coder_shift(coder);
        coder->range <<= 8;
    }
    return 1;
}

/* Encode a token by its probability; returns 0 as `coder_encode`. */
int64_t coder_encode_token(Coder *coder, const float *logits, int64_t vocab, int64_t token) {
    const int64_t total = coder_frequencies(logits, vocab, coder->frequencies);
    int64_t start = 0;
    for (int64_t v = 0; v < token; v++) start += coder->frequencies[v];
    return coder_encode(coder, start, coder->frequencies[token], total);
}

/* Which of `total` cases comes next; `coder_consume` must follow. */
int64_t coder_decode(Coder *coder, int64_t total) {
    const uint64_t at = coder->low / (coder->range / (uint64_t)total);
    return at < (uint64_t)total ? (int64_t)at : total - 1;
}

/* Move on by the cases that were found. What lies beyond the last byte is 0. */
void coder_consume(Coder *coder, int64_t start, int64_t size, int64_t total) {
    const uint64_t unit = coder->range / (uint64_t)total;
    coder->low -= unit * (uint64_t)start;
    coder->range = unit * (uint64_t)size;
    while (coder->range < CODER_LEAST) {
        coder->low = coder->low << 8 | (coder->length < coder->capacity ? coder->bytes[coder->length] : 0);
        coder->length++;
        coder->range <<= 8;
    }
}

/* Decode a token. */
int64_t coder_decode_token(Coder *coder, const float *logits, int64_t vocab) {
    const int64_t total = coder_frequencies(logits, vocab, coder->frequencies);
    const int64_t at = coder_decode(coder, total);
    int64_t start = 0, token = 0;
    while (token < vocab - 1 && start + coder->frequencies[token] <= at) start += coder->frequencies[token++];
    coder_consume(coder, start, coder->frequencies[token], total);
    return token;
}
