/* How expected each token of a text is. */

const ALTERNATIVES = 5;

/* The log-probability of a token, and the likeliest tokens with their probabilities. */
function judge(logits, token) {
  let largest = -Infinity, sum = 0;
  for (const logit of logits) if (logit > largest) largest = logit;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const normaliser = largest + Math.log(sum), top = [];
  for (let v = 0; v < logits.length; v++) {
    if (top.length === ALTERNATIVES && logits[v] <= logits[top[ALTERNATIVES - 1]]) continue;
    let at = top.length;
    while (at > 0 && logits[top[at - 1]] < logits[v]) at--;
    top.splice(at, 0, v);
    top.length = Math.min(top.length, ALTERNATIVES);
  }
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

/* Reads a document, and yields the units of each token; the last has no text and the nats of the end. */
function* readText(network, tokenizer, text) {
  const state = network.initialState(), tokens = tokenizer.encode(text), units = new Units(tokenizer);
  let logits = network.step(state, tokenizer.bos);
  for (const token of tokens) {
    const judged = judge(logits, token);
    if (token === tokenizer.unk) judged.nats += Math.log(tokenizer.unseen);
    yield units.push(token, judged);
    logits = network.step(state, token);
  }
  yield [...units.end(), { ...judge(logits, tokenizer.eos), text: "" }];
}
