/* How expected each token of a text is. */

const ALTERNATIVES = 5;

/* The log-probability of a token, and the likeliest tokens with their probabilities. */
function judge(logits, token) {
  const top = [];
  let least = -Infinity, sum = 0; // of the likeliest tokens so far, the last one
  for (let v = 0; v < logits.length; v++) {
    if (top.length === ALTERNATIVES && logits[v] <= least) continue;
    let at = top.length;
    while (at > 0 && logits[top[at - 1]] < logits[v]) at--;
    top.splice(at, 0, v);
    top.length = Math.min(top.length, ALTERNATIVES);
    least = logits[top[top.length - 1]];
  }
  const largest = logits[top[0]];
  for (let v = 0; v < logits.length; v++) sum += Math.exp(logits[v] - largest);
  const normaliser = largest + Math.log(sum);
  return { nats: normaliser - logits[token], likeliest: top.map((v) => [v, Math.exp(logits[v] - normaliser)]) };
}

/* Turns tokens into units: the characters that a token completes, with what `judge` says of the tokens since the
   last. */
class Units {
  constructor(tokenizer, skipped = 0) {
    this.tokenizer = tokenizer;
    this.decoder = new TextDecoder();
    this.skipped = skipped; // bytes of the first token that the text already has
    this.waiting = null;
  }

  push(token, judged) {
    const bytes = this.tokenizer.bytes[token].subarray(this.skipped);
    this.skipped = 0;
    const text = this.decoder.decode(bytes, { stream: true });
    const unit = this.waiting ? { ...this.waiting, nats: this.waiting.nats + judged.nats } : { ...judged };
    this.waiting = text ? null : unit;
    return text ? [{ ...unit, text }] : [];
  }

  end() { return this.waiting ? [{ ...this.waiting, text: this.decoder.decode() }] : []; }
}

/* Reads a document with labels, and yields the units of each token; the last has no text and the nats of the end. */
function* readText(network, tokenizer, text, labels = []) {
  const state = network.initialState(labels), tokens = tokenizer.encode(text), units = new Units(tokenizer);
  let logits = network.step(state, tokenizer.bos);
  for (const token of tokens) {
    const judged = judge(logits, token);
    if (token === tokenizer.unk) judged.nats += Math.log(tokenizer.unseen);
    yield units.push(token, judged);
    logits = network.step(state, token);
  }
  yield [...units.end(), { ...judge(logits, tokenizer.eos), text: "" }];
}
