/* The view that writes: one or more texts, a frame's work at a time. */

const ENDINGS = { length: "", stop: "ended before the stop text", end: "ended by the model" };

class WriteView {
  constructor(network, tokenizer) {
    Object.assign(this, { network, tokenizer, run: 0, writings: [], views: [] });
    byId("write-form").addEventListener("submit", (event) => { event.preventDefault(); this.start(); });
    // The browser can't point at a wrong value in closed settings.
    const showWrong = ({ target }) => { if (target.closest("details")) target.closest("details").open = true; };
    byId("write-form").addEventListener("invalid", showWrong, true);
    byId("prefix").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("write-form").requestSubmit();
    });
    byId("cancel").addEventListener("click", () => { this.run++; });
    byId("colours").addEventListener("change", () => this.colour());
    byId("copy").addEventListener("click", () => this.copy());
    byId("save").addEventListener("click", () => this.save());
    for (const id of ["temperature", "min-p"]) {
      byId(id).addEventListener("input", () => { byId(`${id}-value`).value = Number(byId(id).value); });
    }
    showScale(byId("write-scale"));
    showLabels(byId("write-labels"), network.config.labels);
    byId("start").disabled = false;
  }

  settings() {
    const number = (id) => Number(byId(id).value);
    const seed = byId("seed").value === "" ? Math.floor(Math.random() * 1e6) : number("seed");
    const stop = byId("stop").value.replaceAll("\\n", "\n").replaceAll("\\t", "\t");
    const controls = { temperature: number("temperature"), minP: number("min-p"), length: number("length") };
    const labels = chosenLabels(byId("write-labels"));
    return { prefix: byId("prefix").value, labels, stop, seed, ...controls };
  }

  async start() {
    const run = ++this.run, settings = this.settings(), began = performance.now();
    byId("cancel").disabled = false;
    byId("copy").disabled = byId("save").disabled = true;
    byId("write-status").textContent = "Writing…" + unknownNote(this.tokenizer, settings.prefix);
    this.prepare(Number(byId("samples").value), settings);
    await workInFrames(() => this.step(), () => this.show(), () => this.run !== run);
    if (this.writings.length && this.views[0].run !== run) return; // a new run has taken over
    const characters = this.writings.reduce((sum, writing) => sum + writing.characters, 0);
    const seconds = (performance.now() - began) / 1000;
    const figures = `${countOf(characters, "character")} in ${seconds.toFixed(1)} s, seed ${settings.seed}.`;
    byId("write-status").textContent = figures + unknownNote(this.tokenizer, settings.prefix);
    byId("cancel").disabled = true;
    byId("copy").disabled = byId("save").disabled = false;
  }

  /* Make the articles of the texts, and read the prefix. */
  prepare(number, settings) {
    byId("texts").textContent = "";
    byId("texts").classList.toggle("many", number > 1);
    this.writings = [];
    this.views = [];
    for (let k = 0; k < number; k++) {
      const make = (tag) => document.createElement(tag);
      const [article, text, prefix, figures] = ["article", "div", "span", "p"].map(make);
      if (number > 1) article.append(Object.assign(document.createElement("h3"), { textContent: `Text ${k + 1}` }));
      text.className = "text";
      prefix.className = "prefix";
      prefix.textContent = settings.prefix;
      article.append(text, figures);
      byId("texts").append(article);
      const view = new TextView(text, this.tokenizer);
      appendTokens(text, [prefix]);
      this.views.push(Object.assign(view, { figures, run: this.run }));
      this.writings.push(new Writing(this.network, this.tokenizer, { ...settings, seed: settings.seed + k }));
    }
    this.colour();
  }

  /* Add a token to each text. */
  step() {
    let goes = false;
    for (const writing of this.writings) {
      if (writing.ended) continue;
      writing.step();
      goes = true;
    }
    return goes;
  }

  show() {
    this.writings.forEach((writing, index) => {
      const view = this.views[index];
      view.append(writing.units.slice(view.units.length, writing.settled));
      if (!writing.ended) return;
      const nats = writing.units.reduce((sum, unit) => sum + unit.nats, 0), ending = ENDINGS[writing.ended];
      const bits = (nats / Math.LN2 / Math.max(1, writing.characters)).toFixed(2);
      const figures = `${countOf(writing.characters, "character")}, ${bits} bits each`;
      view.figures.textContent = figures + (ending && `; ${ending}`);
    });
  }

  colour() {
    const coloured = byId("colours").checked;
    for (const { element } of this.views) element.classList.toggle("coloured", coloured);
    byId("write-scale").hidden = !coloured;
  }

  /* All texts, as a person would want them elsewhere. */
  result() { return this.writings.map(({ prefix, text }) => prefix + text).join("\n\n———\n\n"); }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.result());
      byId("write-status").textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(byId("texts"));
      byId("write-status").textContent = "The browser did not allow copying. The text is selected: press Ctrl+C.";
    }
  }

  save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.result()], { type: "text/plain" }));
    link.download = "text.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}
