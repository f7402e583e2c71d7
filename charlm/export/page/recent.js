/* What last followed the last few tokens: charlm/ngram/recent.py. */

class Recent {
  constructor({ recent, slots, history, kinds, buckets }) {
    Object.assign(this, { orders: recent, slots, history, kinds, first: buckets });
  }

  initialState() {
    return {
      known: 0, history: new Int32Array(this.history), tables: this.orders.map(() => new Int32Array(this.slots)),
    };
  }

  /* Read a token. */
  advance(state, token) {
    const longest = this.kinds / 2;
    if (token < 1 << 19) {
      for (const { order, slot, check } of this.entries(state)) {
        const entry = state.tables[order][slot], kind = (entry >>> 8) & 15;
        let run = 1, contradicted = 0;
        if (kind && (entry & 255) === check) {
          contradicted = kind > longest ? 1 : 0;
          if (entry >>> 12 === token) run = Math.min(kind - contradicted * longest + 1, longest);
          else contradicted = 1;
        }
        state.tables[order][slot] = (token << 12) | ((run + contradicted * longest) << 8) | check;
      }
    }
    state.history.copyWithin(1, 0);
    state.history[0] = token;
    state.known = Math.min(state.known + 1, this.history);
  }

  /* The token that each order predicts, and its bucket. */
  predictions(state) {
    const found = this.orders.map((_, order) => ({ token: -1, bucket: this.first + order * this.kinds }));
    for (const { order, slot, check } of this.entries(state)) {
      const entry = state.tables[order][slot], kind = (entry >>> 8) & 15;
      if ((entry & 255) !== check || !kind) continue;
      found[order].token = entry >>> 12;
      found[order].bucket += kind - 1;
    }
    return found;
  }

  /* Where the entries of the last tokens are. */
  entries({ known, history }) {
    const found = [];
    let hash = 0;
    for (let k = 1; k <= known && found.length < this.orders.length; k++) {
      hash = Math.imul(hash ^ history[k - 1], 0x9e3779b1) >>> 0;
      hash = (hash ^ (hash >>> 15)) >>> 0;
      const order = found.length;
      if (k !== this.orders[order]) continue;
      const mixed = this.mixed(hash);
      found.push({ order, slot: mixed & (this.slots - 1), check: mixed >>> 24 });
    }
    return found;
  }

  /* The finaliser of MurmurHash3. */
  mixed(hash) {
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}
