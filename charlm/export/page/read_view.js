/* The view that reads: the heat map of a text, and the curve of its bits. */

const LONGEST_READ = 50_000; // characters
const CURVE = { height: 150, left: 28, bottom: 6, top: 8 };

class ReadView {
  constructor(network, tokenizer) {
    Object.assign(this, { network, tokenizer, run: 0 });
    byId("read-form").addEventListener("submit", (event) => { event.preventDefault(); this.start(); });
    byId("cancel-reading").addEventListener("click", () => { this.run++; });
    showScale(byId("read-scale"));
    showLabels(byId("read-labels"), network.config.labels);
    byId("start-reading").disabled = false;
  }

  async start() {
    const run = ++this.run, whole = byId("passage").value, text = whole.slice(0, LONGEST_READ);
    this.view ??= new TextView(byId("heat"), this.tokenizer);
    this.view.clear();
    byId("curve").hidden = byId("read-scale").hidden = true;
    if (!text) {
      byId("read-status").textContent = "Paste a text first.";
      return;
    }
    byId("read-status").textContent = "Reading…";
    byId("cancel-reading").disabled = false;
    const labels = chosenLabels(byId("read-labels")), waiting = [];
    const reading = readText(this.network, this.tokenizer, text, labels);
    const step = () => {
      const { done, value } = reading.next();
      if (!done) waiting.push(...value);
      return !done;
    };
    await workInFrames(step, () => this.view.append(waiting.splice(0)), () => this.run !== run);
    if (this.run > run + 1) return; // a new run has taken over
    byId("cancel-reading").disabled = true;
    const bits = this.view.units.map(({ nats }) => nats / Math.LN2);
    const total = bits.reduce((sum, value) => sum + value, 0);
    const characters = this.view.units.reduce((sum, unit) => sum + [...unit.text].length, 0);
    const mean = (total / Math.max(1, characters)).toFixed(2);
    const cut = text.length < whole.length ? ` The first ${count(LONGEST_READ)} were read.` : "";
    byId("read-status").textContent = `${countOf(characters, "character")}, ${mean} bits each.` + cut +
      unknownNote(this.tokenizer, text);
    byId("read-scale").hidden = false;
    if (characters > 20) this.showCurve(bits);
  }

  /* The running mean of the bits per character. */
  showCurve(bits) {
    const lengths = this.view.units.map(({ text }) => [...text].length);
    const reach = Math.max(4, Math.round(bits.length / 60));
    const sums = [[0, 0]];
    bits.forEach((value, index) => sums.push([sums[index][0] + value, sums[index][1] + lengths[index]]));
    const points = [];
    for (let index = 0; index < bits.length; index += Math.max(1, Math.floor(bits.length / 720))) {
      const low = sums[Math.max(0, index - reach)], high = sums[Math.min(bits.length, index + reach + 1)];
      points.push([index / Math.max(1, bits.length - 1), (high[0] - low[0]) / Math.max(1, high[1] - low[1])]);
    }
    const highest = Math.max(1, Math.ceil(Math.max(...points.map(([, mean]) => mean))));
    byId("curve").hidden = false;
    const { height, left, bottom, top } = CURVE, width = byId("curve").clientWidth;
    const x = (share) => left + share * (width - left);
    const y = (mean) => height - bottom - mean / highest * (height - bottom - top);
    const svg = this.shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
    const [place, most] = points.reduce((best, point) => point[1] > best[1] ? point : best);
    const peak = `The most surprising passage has ${most.toFixed(1)}, at ${Math.round(100 * place)}% of the text.`;
    svg.setAttribute("aria-label", `Bits per character along the text. ${peak}`);
    for (const mark of new Set([0, Math.round(highest / 2), highest])) {
      svg.append(this.shape("line", { x1: left, x2: width, y1: y(mark), y2: y(mark) }));
      const label = this.shape("text", { x: left - 10, y: y(mark) + 4, "text-anchor": "end" });
      label.textContent = mark;
      svg.append(label);
    }
    const places = points.map(([share, mean]) => `${x(share).toFixed(1)} ${y(mean).toFixed(1)}`);
    svg.append(this.shape("path", { d: `M${places.join("L")}` }));
    byId("curve").querySelector("svg")?.remove();
    byId("curve").append(svg);
  }

  shape(name, attributes) {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [attribute, value] of Object.entries(attributes)) shape.setAttribute(attribute, value);
    return shape;
  }
}
