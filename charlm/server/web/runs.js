/* One run as it grows, from the figures since the last look, and the charts of one or several. */
import { drawChart } from "/static/chart.js";
import { ask, byId, element, inWordsOfPage } from "/static/page.js";

const RECENT = 5; // records over which the speed is taken

export class RunView {
  constructor(name) {
    this.name = name;
    this.clear();
    this.baselines = {};
    this.samples = [];
    this.asked = false;
    this.continued = false; // from this page, and no figures have come since
    this.shown = null; // the state that was shown last
  }

  clear() {
    [this.steps, this.validations, this.offset] = [[], [], 0];
  }

  // Asks for what is new, and returns whether anything is.
  async update() {
    let grown = false;
    const path = `/api/runs/${encodeURIComponent(this.name)}`,
      scored = this.validations.length;
    for (let more = true; more;) {
      const answer = await ask("GET", `${path}?offset=${this.offset}`);
      if (this.continued && answer.records.length) {
        this.continued = false;
        this.clear(); // to be given all again, with the settings, which may have changed
        continue;
      }
      if (answer.restarted) this.clear();
      grown ||= answer.restarted || answer.records.length > 0;
      for (const record of answer.records) (record.kind === "step" ? this.steps : this.validations).push(record);
      // A run that is continued drops the records after its last save and writes them again.
      if (answer.records.length) {
        this.steps = this.steps.filter(
          (record, index, all) => index + 1 === all.length || record.step < all[index + 1].step,
        );
      }
      const { training, own, settings = this.state?.settings ?? {} } = answer;
      // The process of a training ends a little after the training.
      const ending = Boolean(own?.running && !training && (this.state?.training || this.state?.ending));
      [this.offset, this.state, more] = [answer.offset, { training, ending, own, settings }, answer.more];
    }
    if (this.validations.length !== scored) this.samples = await ask("GET", `${path}/samples`);
    if (!this.asked && this.steps.length) {
      this.asked = true; // without waiting: it may take a minute
      ask("GET", `${path}/baselines`)
        .then((found) => {
          this.baselines = found;
        })
        .catch(() => {});
    }
    const shown = JSON.stringify([this.state, this.baselines, this.samples.length]);
    grown ||= shown !== this.shown;
    this.shown = shown;
    return grown;
  }

  // Bits per character of a nat per token, from a validation; for characters that is 1 / ln 2.
  get scale() {
    const known = this.validations.find((record) => record.nats_per_token);
    return known ? known.bits_per_character / known.nats_per_token : 1 / Math.LN2;
  }
}

export const clock = (seconds) => {
  const whole = Math.max(0, Math.round(seconds)),
    rest = String(whole % 60).padStart(2, "0");
  return whole < 3600
    ? `${Math.floor(whole / 60)}:${rest}`
    : `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:${rest}`;
};

// `own` is the training of this server, if it is one of this run.
function stateOf({ steps, state: { training, ending } }, own) {
  const last = steps.at(-1);
  if (own?.running && own.stopping) return "stopping";
  if (training) return last ? "training" : "reading the text";
  if (own?.running && !ending) return "starting";
  return !last ? "not started" : last.progress >= 1 ? "finished" : "stopped";
}

function figuresOf(view, own) {
  const last = view.steps.at(-1),
    before = view.steps.at(-1 - RECENT) ?? view.steps[0],
    state = ["state", stateOf(view, own)];
  if (!last) return [state];
  const speed = (last.tokens - before.tokens) / (last.seconds - before.seconds);
  const best = Math.min(...view.validations.map((record) => record.bits_per_character ?? Infinity));
  const left = last.progress > 0 ? (last.seconds * (1 - last.progress)) / last.progress : NaN;
  return [
    state,
    ["steps", last.step.toLocaleString()],
    ["epochs", last.epoch.toFixed(2)],
    ["time", clock(last.seconds)],
    ["time left", view.state.training && Number.isFinite(left) ? clock(left) : "–"],
    ["speed", Number.isFinite(speed) ? `${Math.round(speed).toLocaleString()} tokens/s` : "–"],
    ["best validation", Number.isFinite(best) ? `${best.toFixed(3)} bits` : "–"],
    ["n-gram to beat", view.baselines.ngram ? `${view.baselines.ngram.toFixed(3)} bits` : "–"],
  ];
}

function listed(settings) {
  const shown = (value) => (value === true ? "on" : value === false ? "off" : value);
  return Object.entries(settings)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(value)}`)
    .join(", ");
}

function chosen(view, own) {
  if (own?.settings) return `Selected: ${listed(own.settings)}. Reason: ${inWordsOfPage(own.why)}.`;
  return listed(view.state.settings);
}

// Shows the first of the runs in full, and the curves of all.
export function showRuns(views, last) {
  const [view] = views;
  if (!view) return;
  const own = last?.run === view.name ? last : null,
    busy = Boolean(view.state.training || own?.running);
  byId("name").textContent = view.name;
  byId("chosen").textContent = chosen(view, own);
  byId("notes").replaceChildren(...(own?.notes ?? []).map((note) => element("li", {}, inWordsOfPage(note))));
  byId("figures").replaceChildren(
    ...figuresOf(view, own).flatMap(([name, value]) => [
      element("div", {}, element("dt", {}, name), element("dd", {}, value)),
    ]),
  );
  byId("progress").value = view.steps.at(-1)?.progress ?? 0;
  byId("progress-box").hidden = !view.state.training;
  byId("stop").disabled = !own?.running || own.stopping;
  byId("resume").disabled = busy;
  byId("delete").disabled = busy;
  const several = views.length > 1,
    series = [],
    norms = [];
  views.forEach((one, index) => {
    const [colour, prefix] = [several ? index : 0, several ? `${one.name}: ` : ""];
    const loss = one.steps
      .filter((record) => record.loss !== null)
      .map((record) => [record.step, record.loss * one.scale]);
    const valid = one.validations
      .filter((record) => record.bits_per_character !== null)
      .map((record) => [record.step, record.bits_per_character]);
    series.push(
      { name: `${prefix}training`, points: loss, colour, kind: "thin" },
      { name: `${prefix}validation`, points: valid, colour: several ? index : 1 },
    );
    norms.push({
      name: `${prefix}norm`,
      points: one.steps
        .filter((record) => record.gradient_norm !== null)
        .map((record) => [record.step, record.gradient_norm]),
      colour,
    });
  });
  const end = view.steps.at(-1)?.step ?? 1;
  if (view.baselines.ngram)
    series.push({ name: "n-gram", points: [[end, view.baselines.ngram]], colour: 2, kind: "dashed" });
  if (view.baselines.xz) series.push({ name: "xz", points: [[end, view.baselines.xz]], colour: 3, kind: "dashed" });
  drawChart(byId("losses"), series, {
    label: "Bits per character in training and on the validation split",
    x: "steps",
    spikes: true,
  });
  drawChart(byId("gradients"), norms, { label: "Gradient norm before clipping", x: "steps", log: true });
  const texts = view.samples.slice(-3).reverse();
  byId("samples").replaceChildren(
    ...(texts.length
      ? texts.map((sample) =>
          element(
            "article",
            { class: "sample" },
            element("h4", {}, `step ${sample.step.toLocaleString()}`),
            element("div", { class: "text" }, sample.text),
          ),
        )
      : [element("p", { class: "hint" }, "The first sample appears with the first validation.")]),
  );
}
