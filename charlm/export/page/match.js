/* What followed an earlier occurrence of the last tokens: charlm/ngram/match.py and charlm/model/additions/match.py. */

class Match {
  constructor(config, gate, weight) {
    const { longer, shorter, window, verified, mostMisses, scale, mostStretched } = config;
    Object.assign(this, { longer, shorter, window, verified, mostMisses, scale, mostStretched, gate, weight });
    this.recent = config.recent.length ? new Recent(config) : null;
  }

  initialState() {
    return {
      count: 0, pointer: 0, length: 0, misses: 0, ring: new Int32Array(this.window),
      tables: [new Int32Array(this.window), new Int32Array(this.window)], recent: this.recent?.initialState(),
    };
  }

  /* Read a token. */
  advance(state, token) {
    const { ring, tables } = state, mask = this.window - 1, lengths = [this.longer, this.shorter];
    if (state.pointer && ring[state.pointer & mask] === token) {
      state.pointer++;
      state.length++;
      state.misses = 0;
    } else if (state.pointer) {
      state.pointer = state.length = 0;
      state.misses = Math.min(state.misses + 1, this.mostMisses);
    }
    ring[state.count++ & mask] = token;
    const slots = lengths.map((length) => state.count >= length ? this.slot(state, length) : -1);
    for (let which = 0; which < 2 && state.length < this.longer; which++) {
      const found = slots[which] < 0 ? 0 : tables[which][slots[which]];
      if (!found || state.count - found >= this.window - this.verified) continue;
      const agreeing = this.agreeing(state, found);
      if (agreeing >= lengths[which] && agreeing > state.length) {
        state.pointer = found;
        state.length = agreeing;
        break;
      }
    }
    slots.forEach((slot, which) => { if (slot >= 0) tables[which][slot] = state.count; });
    if (this.recent) this.recent.advance(state.recent, token);
  }

  /* Where the positions after the last `length` tokens are kept. */
  slot({ ring, count }, length) {
    let hash = 0;
    for (let k = 1; k <= length; k++) {
      hash = Math.imul(hash ^ ring[(count - k) & (this.window - 1)], 0x9e3779b1) >>> 0;
      hash = (hash ^ (hash >>> 15)) >>> 0;
    }
    return hash & (this.window - 1);
  }

  /* How many tokens before a position agree with the last ones. */
  agreeing({ ring, count }, position) {
    const mask = this.window - 1;
    let k = 0;
    const agrees = () => ring[(position - k - 1) & mask] === ring[(count - k - 1) & mask];
    while (k < this.verified && position - k > 0 && agrees()) k++;
    return k;
  }

  /* The token that the match predicts, or -1, and its bucket; then the same of the recent contexts. */
  predictions({ pointer, ring, length, misses, recent }) {
    const token = pointer ? ring[pointer & (this.window - 1)] : -1;
    const kind = length < 16 ? length : 16 + Math.min(3, Math.floor(Math.log2(length)) - 4);
    const own = { token, bucket: kind * (this.mostMisses + 1) + misses };
    return this.recent ? [own, ...this.recent.predictions(recent)] : [own];
  }

  /* Change the logits of the predicted tokens; `hidden` is the output of the last layer. */
  mix(state, logits, hidden) {
    const predictions = this.predictions(state), added = [], size = hidden.length;
    const odds = this.stretched(logits, [...new Set(predictions.map(({ token }) => token))]);
    predictions.forEach(({ token, bucket }, index) => {
      if (!odds.has(token)) return;
      let slope = this.scale * this.gate[2 * bucket], offset = this.scale * this.gate[2 * bucket + 1];
      if (this.weight) {
        for (let k = 0; k < size; k++) {
          slope += this.weight[2 * index * size + k] * hidden[k];
          offset += this.weight[(2 * index + 1) * size + k] * hidden[k];
        }
      }
      added.push([token, slope * odds.get(token) + offset]);
    });
    for (const [token, more] of added) logits[token] += more;
  }

  /* ln(p / (1 - p)) of each token with the probability p. The sum over all other tokens is computed once. */
  stretched(logits, tokens) {
    const known = tokens.filter((token) => token >= 0 && token < logits.length);
    if (!known.length) return new Map();
    const own = known.map((token) => logits[token]);
    let rest = 0, largest = -Infinity;
    for (let v = 0; v < logits.length; v++) if (logits[v] > largest) largest = logits[v];
    known.forEach((token) => { logits[token] = -Infinity; });
    for (let v = 0; v < logits.length; v++) rest += Math.exp(logits[v] - largest);
    known.forEach((token, index) => { logits[token] = own[index]; });
    return new Map(known.map((token, index) => {
      const others = own.reduce((sum, logit, other) => other === index ? sum : sum + Math.exp(logit - largest), rest);
      const odds = own[index] - largest - Math.log(others);
      return [token, Math.max(-this.mostStretched, Math.min(this.mostStretched, odds))];
    }));
  }
}
