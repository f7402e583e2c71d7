/* Writes text: charlm/sampling, with the controls that the page shows. */

const MOST_DROPPED = 8; // tokens at the end of a prefix
const LONGEST_OPENING = 600, SENTENCES_FROM = 200; // characters

/* Random numbers in [0, 1) from a seed: splitmix32. */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

let cumulative = new Float64Array(0); // kept, since a new one for each token is slow

/* Draw a token: temperature, then min-p, then the inverse of the cumulative distribution. -Infinity rules one out. */
function draw(logits, { temperature, minP }, random) {
  const size = logits.length;
  let best = 0, largest = logits[0];
  for (let v = 1; v < size; v++) {
    if (logits[v] > largest) [best, largest] = [v, logits[v]];
  }
  if (temperature === 0) return best;
  if (cumulative.length < size) cumulative = new Float64Array(size);
  const least = minP > 0 ? Math.log(minP) : -Infinity;
  let sum = 0;
  for (let v = 0; v < size; v++) {
    const below = (logits[v] - largest) / temperature;
    if (below >= least) sum += Math.exp(below);
    cumulative[v] = sum;
  }
  const wanted = random() * sum;
  let low = 0, high = size - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle] > wanted) high = middle; else low = middle + 1;
  }
  return low;
}

/* One text while it is written: `step` adds a token to `units` until `ended` is "length", "stop" or "end". */
class Writing {
  constructor(network, tokenizer, { prefix = "", labels = [], length = 500, stop = "", seed = 1, ...controls }) {
    Object.assign(this, { network, tokenizer, prefix, labels, length, stop, controls });
    this.random = randomNumbers(seed);
    this.units = [];
    this.text = "";
    this.ended = length > 0 ? null : "length";
    this.characters = 0;
    this.begin();
  }

  /* Read the prefix. */
  begin() {
    const { network, tokenizer } = this;
    this.state = network.initialState(this.labels);
    const prefix = [tokenizer.bos, ...tokenizer.encode(this.prefix)];
    const starts = tokenizer.kind === "subword" ? this.starts(prefix) : null;
    let skipped = 0;
    if (starts) {
      ({ state: this.state, logits: this.logits, skipped } = this.choose(starts));
    } else {
      for (const token of prefix) this.logits = Float32Array.from(network.step(this.state, token));
    }
    this.decoded = new Units(tokenizer, skipped);
    if (network.config.opening && !this.prefix) this.skipOpening();
  }

  /* The ways to continue a prefix that may end inside a token: see charlm/sampling/edges/prefix.py. */
  starts(tokens) {
    const { network, tokenizer } = this, dropped = [];
    for (let count = 1; count <= Math.min(MOST_DROPPED, tokens.length - 1); count++) {
      const rest = tokens.slice(-count).flatMap((token) => [...tokenizer.bytes[token]]);
      const longer = tokenizer.goingBeyond(rest);
      if (longer.length) dropped[count] = { rest, longer };
    }
    const last = Math.max(0, dropped.length - 1), starts = [];
    let weight = 0;
    tokens.forEach((token, index) => {
      const logits = Float32Array.from(network.step(this.state, token)), left = tokens.length - 1 - index;
      if (left > last) return;
      const state = structuredClone(this.state);
      if (left === 0) starts.push({ state, logits, skipped: 0, weight });
      if (dropped[left]) {
        const masked = new Float32Array(logits.length).fill(-Infinity);
        let mass = 0;
        for (const v of dropped[left].longer) {
          masked[v] = logits[v];
          mass += Math.exp(-judge(logits, v).nats);
        }
        starts.push({ state, logits: masked, skipped: dropped[left].rest.length, weight: weight + Math.log(mass) });
      }
      if (left) weight -= judge(logits, tokens[index + 1]).nats;
    });
    return starts;
  }

  choose(starts) {
    const weights = Float64Array.from(starts, ({ weight }) => weight);
    return starts[draw(weights, { temperature: this.controls.temperature && 1, minP: 0 }, this.random)];
  }

  /* Write what precedes a text, which is not shown, up to a paragraph, or after a while a sentence or line. The text
     then begins with no blank. */
  skipOpening() {
    this.blanks = this.tokenizer.texts.flatMap((text, token) => /^\s/.test(text) ? [token] : []);
    const start = { state: structuredClone(this.state), logits: this.logits.slice() };
    let text = "";
    while (text.length < LONGEST_OPENING) {
      const token = this.next({ temperature: 0.8, minP: 0 }, [this.tokenizer.eos]);
      text += this.tokenizer.texts[token];
      this.read(token);
      const unitEnds = text.length >= SENTENCES_FROM && /([.!?…]["'”’]*\s|[。！？\n])$/.test(text);
      if (unitEnds || /\n\s*\n$/.test(text)) return;
    }
    Object.assign(this, start);
  }

  /* Draw the next token, but none of these. */
  next(controls, never = []) {
    this.allowed ??= new Float32Array(this.logits.length);
    this.allowed.set(this.logits);
    for (const token of [...this.tokenizer.neverWritten, ...never]) this.allowed[token] = -Infinity;
    return draw(this.allowed, controls, this.random);
  }

  read(token) { this.logits.set(this.network.step(this.state, token)); }

  step() {
    const token = this.next(this.controls, this.text ? [] : this.blanks), judged = judge(this.logits, token);
    if (token === this.tokenizer.eos) {
      this.ended = "end";
      this.add(this.decoded.end());
      return;
    }
    this.add(this.decoded.push(token, judged));
    if (!this.ended) this.read(token);
  }

  /* Add units, up to a stop text or the length. */
  add(units) {
    for (const unit of units) {
      const room = this.length - this.characters, characters = [...unit.text];
      const shown = characters.length < room ? unit : { ...unit, text: characters.slice(0, room).join("") };
      this.units.push(shown);
      this.characters += Math.min(room, characters.length);
      const searched = Math.max(0, this.text.length - this.stop.length + 1);
      this.text += shown.text;
      const at = this.stop ? this.text.indexOf(this.stop, searched) : -1;
      if (at >= 0) this.cut(at);
      else if (this.characters >= this.length) this.ended ??= "length";
      if (this.ended && this.ended !== "end") return;
    }
  }

  /* End the text before a stop text at this position. */
  cut(at) {
    this.text = this.text.slice(0, at);
    this.ended = "stop";
    let end = 0;
    this.units = this.units.flatMap((unit) => {
      const start = end;
      end += unit.text.length;
      return start >= at ? [] : [{ ...unit, text: unit.text.slice(0, at - start) }];
    });
  }

  /* How many units can be shown: not those that may become a stop text. */
  get settled() {
    if (this.ended || !this.stop) return this.units.length;
    let hidden = Math.min(this.stop.length - 1, this.text.length);
    while (hidden && !this.stop.startsWith(this.text.slice(-hidden))) hidden--;
    let count = this.units.length;
    for (let left = hidden; left > 0; count--) left -= this.units[count - 1].text.length;
    return count;
  }
}
