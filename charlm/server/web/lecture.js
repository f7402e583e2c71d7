/* The Lecture page: the steps of a tiny network, and gradients through time. */
import { drawChart } from "/static/chart.js";
import { typeset } from "/static/equations.js";
import { ask, byId, element, guarded, percent, ready, visible } from "/static/page.js";

const LONG = ["tinyshakespeare", "python-docs", "reviews"]; // whose documents have many steps
let cells = {},
  running = null,
  traced = null,
  place = 0;

function showEquations() {
  byId("equations").replaceChildren(
    ...typeset(cells[byId("cell").value].equations),
    element("p", { class: "hint" }, cells[byId("cell").value].reference),
  );
}

const bar = (share, kind = "") =>
  element("meter", { min: 0, max: 1, value: Math.max(0, Math.min(1, share)), class: kind, "aria-hidden": "true" });

function showStep() {
  const steps = traced[byId("moment").value];
  place = Math.max(0, Math.min(steps.length - 1, place));
  const step = steps[place];
  const states = Object.entries(step.states).flatMap(([name, values]) =>
    values.map((value, unit) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, `${name}${unit}`),
        element("td", {}, element("div", { class: "signed" }, bar(-value, "minus"), bar(value))),
        element("td", { class: "figure" }, value.toFixed(2).replace("-", "−")),
      ),
    ),
  );
  const next = Object.entries(step.distribution)
    .sort((one, other) => other[1] - one[1])
    .slice(0, 12)
    .map(([name, p]) =>
      element(
        "tr",
        { class: name === step.target ? "target" : "" },
        element("th", { scope: "row" }, visible(name)),
        element("td", {}, bar(p)),
        element("td", { class: "figure" }, percent(p)),
      ),
    );
  byId("step").replaceChildren(
    element("div", {}, element("h2", {}, "reads"), element("p", { class: "token" }, visible(step.reads))),
    element("div", {}, element("h2", {}, "state"), element("table", {}, element("tbody", {}, ...states))),
    element("div", {}, element("h2", {}, "next character"), element("table", {}, element("tbody", {}, ...next))),
    element(
      "div",
      {},
      element("h2", {}, "says"),
      element("p", { class: "token" }, visible(step.says)),
      ...(step.target === null
        ? []
        : [element("p", { class: "hint" }, step.says === step.target ? "right" : `should be ${visible(step.target)}`)]),
    ),
  );
  byId("where").textContent = `step ${place + 1} of ${steps.length}`;
  byId("back").disabled = place === 0;
  byId("next").disabled = place === steps.length - 1;
}

function move(by) {
  place += by;
  showStep();
}

async function train() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  byId("status").textContent = "Training …";
  const body = {
    text: byId("word").value,
    cell: byId("cell").value,
    hidden: +byId("hidden").value,
    steps: +byId("steps").value,
    seed: +byId("seed").value,
  };
  const answer = await guarded(() => ask("POST", "/api/trace", body, signal));
  if (signal.aborted) return;
  byId("status").textContent = "";
  if (!answer) return;
  [traced, place] = [answer, 0];
  byId("trace").hidden = false;
  showStep();
  drawChart(
    byId("loss"),
    [{ name: "nats per character", points: traced.losses.map((loss, step) => [step + 1, loss]), colour: 0 }],
    { label: "Loss in training", x: "steps" },
  );
  byId("status").textContent = traced.learnt
    ? `Learnt: it writes ${traced.written}.`
    : `Not learnt: it writes ${traced.written}. Give it more steps or units.`;
}

async function diagnose() {
  byId("measuring").textContent = "Training and measuring three networks …";
  const [kind, name] = byId("corpus").value.split(/:(.*)/s);
  const body = { [kind]: name, lags: +byId("lags").value, steps: +byId("training").value };
  const found = await guarded(() => ask("POST", "/api/diagnose", body));
  byId("measuring").textContent = "";
  if (!found) return;
  const moments = found.cells.flatMap((cell, colour) =>
    ["start", "trained"].filter((when) => cell[when]).map((when) => ({ cell, colour, when, flow: cell[when] })),
  );
  drawChart(
    byId("gradients"),
    moments.map(({ cell, colour, when, flow }) => {
      const curve = flow.gradients[flow.memory];
      return {
        name: `${cell.cell} ${when}`,
        points: curve.map((value, lag) => [lag, value / curve[0]]),
        colour,
        kind: when === "start" ? "thin" : "",
      };
    }),
    { label: "Share of the gradient left after k steps", x: "steps back", log: true },
  );
  byId("verdicts").replaceChildren(
    ...moments.map(({ cell, when, flow }) => element("li", {}, `${cell.cell}, ${when}: ${flow.verdict.sentence}`)),
  );
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  train();
});
byId("diagnose").addEventListener("submit", (event) => {
  event.preventDefault();
  diagnose();
});
byId("cell").addEventListener("change", showEquations);
byId("moment").addEventListener("change", () => {
  place = 0;
  showStep();
});
byId("back").addEventListener("click", () => move(-1));
byId("next").addEventListener("click", () => move(1));
await guarded(async () => {
  cells = await ask("GET", "/api/cells");
  byId("cell").replaceChildren(...Object.keys(cells).map((name) => element("option", { value: name }, name)));
  showEquations();
  const { named, uploads } = await ask("GET", "/api/corpora");
  byId("corpus").replaceChildren(
    ...uploads.map((name) => element("option", { value: `upload:${name}` }, name)),
    ...named.filter(({ here }) => here).map(({ name }) => element("option", { value: `corpus:${name}` }, name)),
  );
  const long = LONG.find((name) => named.some((one) => one.here && one.name === name));
  if (long) byId("corpus").value = `corpus:${long}`;
});
ready();
