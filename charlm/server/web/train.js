/* The Train page: starts a training, and shows the chosen runs while they grow. */
import { ask, byId, element, guarded, ready } from "/static/page.js";
import { RunView, showRuns } from "/static/runs.js";

const LOOK = 1000; // milliseconds between two looks at the runs
let corpora = { named: [], uploads: [] }, views = [], ticking = false;

async function listCorpora(chosen) {
  corpora = await ask("GET", "/api/corpora");
  const named = corpora.named.map(({ name, here }) => element("option", { value: `corpus:${name}` }, here ? name : `${name} (download)`));
  const own = corpora.uploads.map((name) => element("option", { value: `upload:${name}` }, name));
  byId("corpus").replaceChildren(...(own.length ? [element("optgroup", { label: "Your texts" }, ...own)] : []),
    element("optgroup", { label: "Named corpora" }, ...named));
  if (chosen) byId("corpus").value = chosen;
  describe();
}

function describe() {
  const name = byId("corpus").value.split(":").slice(1).join(":");
  byId("about").textContent = corpora.named.find((one) => one.name === name)?.description ?? "";
}

async function upload() {
  const [file] = byId("file").files, content = file ?? byId("own").value;
  const title = byId("title").value || file?.name.replace(/\.\w+$/, "") || "text";
  const { name } = await ask("POST", `/api/uploads?title=${encodeURIComponent(title)}`, content, undefined, { "content-type": "text/plain" });
  byId("file").value = byId("own").value = byId("title").value = "";
  await listCorpora(`upload:${name}`);
  byId("status").textContent = `Added ${name}.`;
}

async function forget() {
  const [kind, name] = byId("corpus").value.split(":");
  if (kind !== "upload") return;
  await ask("DELETE", `/api/uploads/${encodeURIComponent(name)}`);
  await listCorpora();
}

async function start() {
  const [kind, name] = byId("corpus").value.split(/:(.*)/s);
  const body = { [kind]: name, minutes: +byId("minutes").value, run: byId("run").value.trim(), documents: byId("documents").value };
  const { run } = await ask("POST", "/api/runs", body);
  byId("run").value = "";
  byId("status").textContent = `${run} begins …`;
  choose([run]);
}

function choose(names) {
  views = names.map((name) => views.find((view) => view.name === name) ?? new RunView(name));
  byId("live").hidden = !names.length;
  tick();
}

async function tick() {
  if (ticking || document.hidden) return;
  ticking = true;
  await guarded(async () => {
    const { runs, last } = await ask("GET", "/api/runs");
    const names = runs.map(({ run }) => run);
    if (last?.problem) byId("notice").textContent = last.problem;
    byId("runs").replaceChildren(...runs.map((run) => element("li", {}, element("label", { class: "check" },
      element("input", { type: "checkbox", ...(views.some(({ name }) => name === run.run) ? { checked: true } : {}), onchange: toggle, value: run.run }),
      run.run), element("span", { class: "hint" }, summary(run)))));
    const shown = views.filter(({ name }) => names.includes(name));
    for (const view of shown) await view.update();
    showRuns(shown, last);
  });
  ticking = false;
}

function toggle({ target }) {
  const others = views.map(({ name }) => name).filter((name) => name !== target.value);
  choose(target.checked ? [target.value, ...others] : others);
}

function summary({ training, network, progress, bits_per_character: bits, text }) {
  const state = training ? "training" : progress === null ? "not begun" : progress >= 1 ? "finished" : "stopped";
  return [state, network, text, progress === null ? null : `${Math.round(100 * progress)}%`, bits === null ? null : `${bits.toFixed(3)} bits per character`].filter(Boolean).join(" · ");
}

const first = () => encodeURIComponent(views[0].name);
byId("form").addEventListener("submit", (event) => { event.preventDefault(); guarded(start); });
byId("corpus").addEventListener("change", describe);
byId("upload").addEventListener("click", () => guarded(upload));
byId("forget").addEventListener("click", () => guarded(forget));
byId("stop").addEventListener("click", () => guarded(() => ask("POST", `/api/runs/${first()}/stop`, {})));
byId("resume").addEventListener("click", () => guarded(() =>
  ask("POST", `/api/runs/${first()}/resume`, byId("more").value ? { minutes: +byId("more").value } : {})));
byId("delete").addEventListener("click", () => {
  if (!confirm(`Delete the run ${views[0].name} with its model? This can't be undone.`)) return;
  guarded(async () => {
    await ask("DELETE", `/api/runs/${first()}`);
    choose(views.slice(1).map(({ name }) => name));
  });
});
document.addEventListener("visibilitychange", tick);
setInterval(tick, LOOK);
await guarded(listCorpora);
const { runs } = (await guarded(() => ask("GET", "/api/runs"))) ?? { runs: [] };
if (runs.length) choose([(runs.find(({ training }) => training) ?? runs[0]).run]);
ready();
