/* One text on the Write page: its characters as they arrive, their colours, copied passages, and its buttons. */
import { ask, countOf, element, guarded, saveFile } from "/static/page.js";
import { appendTokens, setShade } from "/static/shared.js";

// The ranges of probability, as of `sample --show-probs`: its name, the share of the full colour, and the lowest.
export const LEVELS = [
  ["50% or more", 0, 0.5],
  ["20% to 50%", 0.25, 0.2],
  ["5% to 20%", 0.5, 0.05],
  ["1% to 5%", 0.75, 0.01],
  ["below 1%", 1, 0],
];
const REST = 400; // milliseconds
const ENDED = {
  eos: "the document ended",
  length: "full length",
  stop: "stop text",
  banned: "all tokens banned",
  constraint: "constraints satisfied",
};

// The share of the full colour of a character with this log-probability.
const shareOf = (nats) => LEVELS.find(([, , lowest]) => Math.exp(nats) >= lowest)[1];

export class Sample {
  constructor(title, { prefix, source }, { onPlace }) {
    this.prefix = prefix;
    this.source = source;
    this.text = "";
    this.length = 0; // characters of the text
    this.nats = [];
    this.end = null;
    this.passages = [];
    this.coloured = false;
    this.paper = element("div", {
      class: "text",
      role: "textbox",
      "aria-readonly": "true",
      "aria-multiline": "true",
      "aria-label": `${title}. Move with the arrow keys and press Enter to see what else the model could have written there.`,
      tabindex: 0,
    });
    this.figures = element("span", { class: "figures" });
    this.element = element(
      "article",
      { class: "sample" },
      element("h2", {}, title),
      this.paper,
      element(
        "footer",
        {},
        this.figures,
        element("button", { class: "quiet", type: "button", onclick: ({ target }) => this.copy(target) }, "Copy"),
        element("button", { class: "quiet", type: "button", onclick: () => this.save() }, "Save"),
      ),
    );
    this.given = element("span", { class: "given" }, prefix);
    this.plain = document.createTextNode(""); // the text without elements
    this.parts = []; // or the elements of its characters
    this.place = null;
    this.draw();
    this.paper.addEventListener("click", (event) => {
      clearTimeout(this.timer);
      if (event.target.dataset.place !== undefined) return onPlace(this, +event.target.dataset.place, event.target);
      const place = this.placeAt(event.clientX, event.clientY);
      if (place !== null) onPlace(this, place, this.characterAt(place));
    });
    this.paper.addEventListener("pointerover", ({ target, pointerType }) => this.point(target, pointerType, onPlace));
    this.paper.addEventListener("pointerleave", () => clearTimeout(this.timer));
    this.paper.addEventListener("keydown", (event) => this.move(event, onPlace));
  }

  // With coloured characters, to rest the mouse on one is enough.
  point(target, pointerType, onPlace) {
    clearTimeout(this.timer);
    if (pointerType !== "mouse" || target.dataset.place === undefined || !this.end) return;
    this.timer = setTimeout(() => onPlace(this, +target.dataset.place, target, { focus: false }), REST);
  }

  add(text, nats) {
    const characters = [...text],
      first = this.length;
    this.text += text;
    this.length += characters.length;
    this.nats.push(...nats);
    if (this.isPlain) this.plain.appendData(text);
    else this.append(characters.map((character, index) => this.part(character, first + index)));
    this.figures.textContent = countOf(this.length, "character");
  }

  finish(end) {
    this.end = end;
    const bits = end.bits_per_character.toFixed(2);
    this.figures.textContent =
      `seed ${end.seed} · ${countOf(this.length, "character")} · ` +
      `${bits} bits each · ${ENDED[end.ended]}`;
  }

  get isPlain() {
    return !this.coloured && !this.passages.length && this.place === null;
  }

  // One element for each character, coloured and underlined as chosen; without either, one text node.
  draw() {
    this.parts = [];
    if (this.isPlain) {
      this.plain.data = this.text;
      this.paper.replaceChildren(this.given, this.plain);
      return;
    }
    const copied = new Set(),
      offset = [...this.prefix].length;
    for (const [start, length] of this.passages) for (let k = 0; k < length; k++) copied.add(start + k - offset);
    this.paper.replaceChildren();
    appendTokens(this.paper, [this.given]);
    this.append([...this.text].map((character, place) => this.part(character, place, { isCopied: copied.has(place) })));
  }

  append(parts) {
    for (const part of parts) this.parts.push(part);
    appendTokens(this.paper, parts);
  }

  part(character, place, { isCopied = false } = {}) {
    const part = element("span", { "data-place": place, class: isCopied ? "copied" : "" }, character);
    if (this.coloured && character !== "\n" && this.nats[place] !== undefined)
      setShade(part, shareOf(this.nats[place]));
    return part;
  }

  colour(on) {
    this.coloured = on;
    this.draw();
  }

  underline(passages) {
    this.passages = passages;
    this.draw();
  }

  characterAt(place) {
    if (this.isPlain) {
      this.place = place;
      this.draw();
    }
    return this.parts[place];
  }

  // The number of the character at a point of the window that hits no element of one; null outside of the text.
  placeAt(x, y) {
    const spot = document.caretPositionFromPoint ? document.caretPositionFromPoint(x, y) : null;
    const range = spot ? null : document.caretRangeFromPoint?.(x, y);
    const node = spot?.offsetNode ?? range?.startContainer,
      offset = spot?.offset ?? range?.startOffset;
    const first = node === this.plain ? 0 : node?.parentElement?.dataset.place;
    if (first === undefined || !this.paper.contains(node)) return null;
    return Math.min(this.length - 1, +first + [...node.data.slice(0, offset)].length);
  }

  move(event, onPlace) {
    const last = this.length - 1;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 40, ArrowUp: -40, Home: -Infinity, End: Infinity };
    if (last < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in steps) {
      event.preventDefault();
      this.mark(Math.max(0, Math.min(last, this.place === null ? 0 : this.place + steps[event.key])));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.mark(this.place ?? 0);
      onPlace(this, this.place, this.characterAt(this.place));
    }
  }

  mark(place) {
    this.paper.querySelector(".here")?.classList.remove("here");
    const character = this.characterAt(place);
    this.place = place;
    character.classList.add("here");
    character.scrollIntoView({ block: "nearest" });
  }

  before(place) {
    return this.prefix + [...this.text].slice(0, place).join("");
  }

  record() {
    return {
      source: this.source,
      text: this.prefix + this.text,
      prefix: this.prefix,
      ...this.end,
      index: undefined,
      log_probabilities: this.nats,
    };
  }

  async copy(button) {
    await navigator.clipboard.writeText(this.prefix + this.text);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2000);
  }

  save() {
    saveFile("text.txt", this.prefix + this.text, "text/plain");
  }
}

// Underlines what is copied, and returns what to say about it; undefined after an error.
export function underlineCopies(samples, model) {
  return guarded(async () => {
    const texts = samples.map((sample) => sample.prefix + sample.text);
    const { passages, least } = await ask("POST", "/api/copies", { model, texts });
    samples.forEach((sample, index) => sample.underline(passages[index]));
    const number = passages.flat().length;
    const found = number === 0 ? "Nothing" : number === 1 ? "One passage" : `${number} passages`;
    return `${found} of ${least} characters or more ${number > 1 ? "are" : "is"} copied from the training text.`;
  });
}
