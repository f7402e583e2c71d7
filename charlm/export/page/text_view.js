/* A text on the page whose units are coloured, and described when they are pointed at. */

const STRONGEST = 8; // bits at which the colour is full

const quoted = (text) => text === "" ? "(end of text)" : JSON.stringify(text);

/* Shows units in an element; more can be appended. */
class TextView {
  constructor(element, tokenizer) {
    this.element = element;
    this.tokenizer = tokenizer;
    this.units = [];
    this.spans = [];
    explore(element, () => this.units.length, (index) => this.spans[index], (index) => this.describe(index));
  }

  clear() {
    closeTip();
    this.units = [];
    this.spans = [];
    this.element.textContent = "";
  }

  append(units) {
    const first = this.units.length;
    for (const unit of units) {
      const span = document.createElement("span");
      span.textContent = unit.text;
      span.dataset.index = this.units.length;
      setShade(span, unit.nats / Math.LN2 / STRONGEST);
      this.units.push(unit);
      this.spans.push(span);
    }
    appendTokens(this.element, this.spans.slice(first));
  }

  describe(index) {
    const { text, nats, likeliest } = this.units[index];
    const percent = (p) => p < 0.001 ? "<0.1%" : `${(100 * p).toFixed(p < 0.0995 ? 1 : 0)}%`;
    const alternatives = likeliest.map(([token, p]) => `${percent(p)}  ${quoted(this.tokenizer.texts[token])}`);
    const own = `${quoted(text)}  ${(nats / Math.LN2).toFixed(2)} bits, ${percent(Math.exp(-nats))}`;
    return [own, ...alternatives].join("\n");
  }
}

/* The marks that say what the colours mean. */
function showScale(element) {
  element.append("Surprise in bits: ");
  for (const bits of [0, 2, 4, STRONGEST]) {
    addMark(element, bits === STRONGEST ? `${bits} or more` : `${bits}`, bits / STRONGEST);
  }
}

/* Work for most of each frame until `step` returns false or `isCancelled`; `show` follows each frame's work. */
async function workInFrames(step, show, isCancelled) {
  for (let goes = true; goes && !isCancelled();) {
    const end = performance.now() + 12;
    while (goes && performance.now() < end) goes = step();
    show();
    await new Promise(requestAnimationFrame);
  }
}

const byId = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");
const countOf = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/* Characters outside the vocabulary, as a sentence; "" if there are none. */
function unknownNote(tokenizer, text) {
  const unknown = tokenizer.unknown(tokenizer.kind === "char" ? tokenizer.known(text) : text);
  return unknown.length ? ` The model does not know ${unknown.slice(0, 8).map(quoted).join(", ")}.` : "";
}
