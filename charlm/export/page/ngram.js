/* The n-gram model: charlm/ngram/model.py and charlm/native/sources/trie.h, from the parts of
   charlm/export/prior_codec.py. */

class NgramModel {
  constructor({ order, step, middle }, arrays, vocabSize) {
    this.width = order - 1;
    this.vocabSize = vocabSize;
    this.unigrams = arrays["ngram.unigrams"];
    this.tokens = arrays["ngram.tokens"];
    const children = arrays["ngram.children"], codes = arrays["ngram.backoffs"], shares = arrays["ngram.shares"];
    const contexts = children.length;
    this.first = new Int32Array(contexts + 1);
    this.backoffs = new Float32Array(contexts);
    this.weights = new Float32Array(this.tokens.length);
    let code = 0, shared = 0;
    for (let context = 0, at = 0; context < contexts; context++) {
      const count = children[context];
      this.first[context] = at;
      const logit = count ? codes[code++] : 0, odds = 2 ** (step * (logit - middle));
      const backoff = logit ? odds / (1 + odds) : 1;
      this.backoffs[context] = backoff;
      if (count === 1) this.weights[at] = 1 - backoff;
      if (count > 1) {
        let total = 0;
        for (let child = 0; child < count; child++) total += 2 ** (-step * shares[shared + child]);
        for (let child = 0; child < count; child++) {
          this.weights[at + child] = (1 - backoff) * 2 ** (-step * shares[shared + child]) / total;
        }
        shared += count;
      }
      at += count;
    }
    this.first[contexts] = this.tokens.length;
    this.logUnigrams = this.unigrams.map((probability) => Math.log(Math.max(probability, 1e-12)));
    this.probabilities = new Float32Array(vocabSize); // of the tokens that follow a context
    this.extra = new Float64Array(vocabSize); // what is added to the logits of these
    this.isListed = new Uint8Array(vocabSize);
  }

  initialState() { return new Int32Array(this.width).fill(-1); }

  /* The node of a context followed by a token, or -1. */
  child(context, token) {
    let low = this.first[context], high = this.first[context + 1];
    const end = high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tokens[middle] < token) low = middle + 1; else high = middle;
    }
    return low < end && this.tokens[low] === token ? this.vocabSize + low : -1;
  }

  /* Change a state to the one after a token. */
  advance(state, token) {
    for (let k = this.width - 1; k > 0; k--) state[k] = state[k - 1] < 0 ? -1 : this.child(state[k - 1], token);
    if (this.width) state[0] = token;
  }

  /* How many contexts of a state were seen followed by a token. */
  known(state) {
    let count = 0;
    for (const node of state) count += node >= 0 && this.backoffs[node] < 1;
    return count;
  }

  /* Add the log-probabilities of the orders, times their weights, to the logits. Most tokens follow none of the
     contexts: their probability is that of the unigram times a share that is the same for all of them. */
  mix(state, orders, orderWeights, logits) {
    const { probabilities, tokens, weights, first, unigrams, logUnigrams, isListed, extra } = this, listed = [];
    let share = 1, total = 0, constant = 0;
    for (let k = 0, place = 0; k <= this.width && place < orders.length; k++) {
      if (k + 1 === orders[place]) {
        const weight = orderWeights[place++], logShare = Math.log(share);
        total += weight;
        constant += weight * logShare;
        for (const v of listed) {
          extra[v] += weight * (Math.log(Math.max(probabilities[v], 1e-12)) - logUnigrams[v] - logShare);
        }
      }
      const node = k < this.width ? state[k] : -1;
      if (node < 0 || this.backoffs[node] === 1) continue;
      const backoff = this.backoffs[node];
      share *= backoff;
      for (const v of listed) probabilities[v] *= backoff;
      for (let at = first[node]; at < first[node + 1]; at++) {
        const v = tokens[at];
        if (!isListed[v]) {
          isListed[v] = 1;
          listed.push(v);
          probabilities[v] = unigrams[v] * share;
        }
        probabilities[v] += weights[at];
      }
    }
    for (let v = 0; v < logits.length; v++) logits[v] += total * logUnigrams[v] + constant;
    for (const v of listed) {
      logits[v] += extra[v];
      isListed[v] = extra[v] = 0;
    }
  }
}
