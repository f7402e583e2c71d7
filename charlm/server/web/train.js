/* The Train page: starts a training, and shows the chosen runs while they grow. */
import { ask, byId, element, guarded, notice, ready } from "/static/page.js";
import { RunView, clock, showRuns } from "/static/runs.js";

const LOOK = 2000; // milliseconds between two looks at the runs
const LIST_EVERY = 3; // looks, since the list covers all runs
let corpora = { named: [], uploads: [] },
  views = [], // the chosen runs, also those that don't exist yet
  shown = [], // those of them that do
  names = [],
  last = null,
  begun = "", // the run that was started and doesn't exist yet
  told = false, // whether the problem of the last training was shown
  listed = "", // the answer that the list shows
  drawn = "", // the names of the runs that are shown
  ticking = false,
  looks = 0;

async function listCorpora(chosen) {
  corpora = await ask("GET", "/api/corpora");
  const named = corpora.named.map(({ name, here }) =>
    element("option", { value: `corpus:${name}` }, here ? name : `${name} (download)`),
  );
  const own = corpora.uploads.map((name) => element("option", { value: `upload:${name}` }, name));
  byId("corpus").replaceChildren(
    ...(own.length ? [element("optgroup", { label: "Your texts" }, ...own)] : []),
    element("optgroup", { label: "Named corpora" }, ...named),
  );
  if (chosen) byId("corpus").value = chosen;
  describe();
}

function describe() {
  const name = byId("corpus").value.split(":").slice(1).join(":");
  byId("about").textContent = corpora.named.find((one) => one.name === name)?.description ?? "";
  byId("forget").disabled = !byId("corpus").value.startsWith("upload:");
}

async function upload() {
  const [file] = byId("file").files,
    content = file ?? byId("own").value;
  const title = byId("title").value || file?.name.replace(/\.\w+$/, "") || "text";
  const { name } = await ask("POST", `/api/uploads?title=${encodeURIComponent(title)}`, content, undefined, {
    "content-type": "text/plain",
  });
  byId("file").value = byId("own").value = byId("title").value = "";
  await listCorpora(`upload:${name}`);
  byId("status").textContent = `Added ${name}.`;
}

async function forget() {
  const name = byId("corpus").value.replace("upload:", "");
  await ask("DELETE", `/api/uploads/${encodeURIComponent(name)}`);
  await listCorpora();
  byId("status").textContent = `Deleted ${name}.`;
}

async function start() {
  const [kind, name] = byId("corpus").value.split(/:(.*)/s);
  const body = {
    [kind]: name,
    minutes: +byId("minutes").value,
    run: byId("run").value.trim(),
    documents: byId("documents").value,
  };
  const { run } = await ask("POST", "/api/runs", body);
  byId("run").value = "";
  told = false;
  begin(run);
  choose([run]);
}

// Says that a run is being started; "" when it exists or has ended.
function begin(run) {
  begun = run;
  byId("status").textContent = run && `Starting ${run} …`;
  byId("cancel").hidden = !run;
}

function choose(chosen) {
  views = chosen.map((name) => views.find((view) => view.name === name) ?? new RunView(name));
  looks = 0;
  tick();
}

async function tick() {
  if (ticking || document.hidden) return;
  ticking = true;
  await guarded(
    async () => {
      if (looks++ % LIST_EVERY === 0 || views.some(({ name }) => !names.includes(name))) await list();
      shown = views.filter(({ name }) => names.includes(name));
      if (begun && (names.includes(begun) || (last?.run === begun && !last.running))) begin("");
      // A run that rests is looked at with the list: it may be continued in a terminal.
      const isDue = ({ state }) => looks % LIST_EVERY === 1 || !state || state.training || state.own?.running;
      let grown = false;
      for (const view of shown.filter(isDue)) grown = (await view.update()) || grown;
      last = shown[0]?.state.own ?? last;
      tellProblem();
      byId("live").hidden = !shown.length;
      const key = shown.map(({ name }) => name).join("\n");
      if (grown || key !== drawn) showRuns(shown, last);
      drawn = key;
    },
    { background: true },
  );
  ticking = false;
}

// Once: what the user does next may have an error of its own.
function tellProblem() {
  if (!last?.problem || told) return;
  notice(last.problem);
  told = true;
}

async function list() {
  const answer = await ask("GET", "/api/runs"),
    text = JSON.stringify([answer, views.map(({ name }) => name)]);
  last = answer.last;
  if (text === listed) return;
  listed = text;
  names = answer.runs.map(({ run }) => run);
  const focused = byId("runs").contains(document.activeElement) ? document.activeElement.value : null;
  byId("runs").replaceChildren(
    ...answer.runs.map((run) =>
      element(
        "li",
        {},
        element(
          "label",
          { class: "check" },
          element("input", {
            type: "checkbox",
            checked: views.some(({ name }) => name === run.run),
            onchange: toggle,
            value: run.run,
          }),
          run.run,
        ),
        element("span", { class: "hint" }, summary(run)),
      ),
    ),
  );
  [...byId("runs").querySelectorAll("input")].find(({ value }) => value === focused)?.focus();
}

function toggle({ target }) {
  const others = views.map(({ name }) => name).filter((name) => name !== target.value);
  choose(target.checked ? [target.value, ...others] : others);
}

function summary({ training, network, progress, bits_per_character: bits, text }) {
  const state = training ? "training" : progress === null ? "not started" : progress >= 1 ? "finished" : "stopped";
  return [
    state,
    network,
    text,
    progress === null || progress >= 1 ? null : `${Math.round(100 * progress)}%`,
    bits === null ? null : `${bits.toFixed(3)} bits per character`,
  ]
    .filter(Boolean)
    .join(" · ");
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(start);
});
byId("corpus").addEventListener("change", describe);
byId("upload").addEventListener("click", () => guarded(upload));
byId("forget").addEventListener("click", () => guarded(forget));
const change = (how, body, run = shown[0].name) =>
  guarded(async () => {
    await ask("POST", `/api/runs/${encodeURIComponent(run)}/${how}`, body);
    told = false;
    looks = 0;
    tick();
  });
byId("cancel").addEventListener("click", () => change("stop", {}, begun));
byId("stop").addEventListener("click", () => change("stop", {}));
byId("resume").addEventListener("click", () => {
  const minutes = +byId("more").value,
    { progress = 0, seconds = 0 } = shown[0].steps.at(-1) ?? {};
  if (progress >= 1 && minutes * 60 <= seconds) {
    notice(`${shown[0].name} finished after ${clock(seconds)}. To train longer, give more minutes in total.`);
    return;
  }
  shown[0].continued = true;
  change("resume", minutes ? { minutes } : {});
});
byId("delete").addEventListener("click", () => {
  if (!confirm(`Delete the run ${shown[0].name} with its model? This can't be undone.`)) return;
  guarded(async () => {
    const { name } = shown[0];
    await ask("DELETE", `/api/runs/${encodeURIComponent(name)}`);
    choose(views.map((view) => view.name).filter((one) => one !== name));
  });
});
document.addEventListener("visibilitychange", tick);
setInterval(tick, LOOK);
await guarded(listCorpora);
const { runs, last: latest } = (await guarded(() => ask("GET", "/api/runs"))) ?? { runs: [], last: null };
const isStarting = latest?.running && !runs.some(({ run }) => run === latest.run);
if (isStarting) begin(latest.run);
if (isStarting || runs.length) choose([isStarting ? latest.run : (runs.find(({ training }) => training) ?? runs[0]).run]);
ready();
