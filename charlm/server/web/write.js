/* The Write page: begins and stops texts, and keeps them side by side. */
import { byId, chooseModel, element, guarded, notice, ready, saveFile, stream } from "/static/page.js";
import { showConditions } from "/static/conditions.js";
import { closeOthers, showOthers } from "/static/others.js";
import { LEVELS, Sample, underlineCopies } from "/static/sample.js";
import { permalink, restore, settings, showSteering } from "/static/settings.js";
import { addMark } from "/static/shared.js";

const container = byId("samples"),
  samples = [];
let running = null,
  branches = 0;

function begin(title, request) {
  const sample = new Sample(title, request, { onPlace });
  sample.colour(byId("colours").checked);
  samples.push(sample);
  container.append(sample.element);
  return sample;
}

async function run(request, started) {
  running = new AbortController();
  byId("write").textContent = "Stop";
  byId("status").textContent = "Writing …";
  const done = await guarded(() =>
    stream("/api/write", request, running.signal, (event) => {
      if (Array.isArray(event)) started[event[0]].add(event[1], event[2]);
      else started[event.index].finish(event);
    }),
  );
  const stopped = running.signal.aborted;
  running = null;
  byId("write").textContent = "Write";
  const written = `${started.length === 1 ? "One text" : `${started.length} texts`} written.`;
  byId("status").textContent = done ? written : stopped ? "Stopped." : "";
  if (done) await underline(written);
}

async function write() {
  closeOthers();
  const request = settings(),
    num = request.num ?? 1;
  history.replaceState(null, "", permalink());
  samples.length = 0;
  container.replaceChildren();
  branches = 0;
  const started = Array.from({ length: num }, (_, index) => begin(num > 1 ? `Text ${index + 1}` : "Text", request));
  await run(request, started);
  if (samples.every((sample) => !sample.text && !sample.end)) container.replaceChildren();
}

async function branch(sample, place, text) {
  if (running) return;
  const request = { ...settings(), source: sample.source, prefix: sample.before(place) + text, num: 1 };
  branches += 1;
  const started = begin(`Branch ${branches}`, request);
  started.element.scrollIntoView({ block: "nearest" });
  started.paper.focus({ preventScroll: true });
  await run(request, [started]);
}

function onPlace(sample, place, character, { focus = true } = {}) {
  if (!running) showOthers(sample, place, character, branch, { focus });
}

async function underline(said = "") {
  if (!byId("copied").checked) {
    for (const sample of samples) sample.underline([]);
    byId("status").textContent = said;
  } else if (samples.length) {
    byId("status").textContent = `${said} Looking for copies …`.trim();
    byId("status").textContent = `${said} ${(await underlineCopies(samples, byId("model").value)) ?? ""}`.trim();
  }
}

// A running text can be stopped whatever the fields hold.
function stopOr(start) {
  if (running) running.abort();
  else start();
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
byId("write").addEventListener("click", (event) => {
  event.preventDefault();
  stopOr(() => byId("form").requestSubmit());
});
for (const id of ["source", "prefix"]) {
  byId(id).addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) stopOr(() => byId("form").requestSubmit());
  });
}
// The browser can't point at a wrong field in a closed part.
byId("form").addEventListener("invalid", ({ target }) => target.closest("details")?.setAttribute("open", ""), true);
byId("colours").addEventListener("change", ({ target }) => {
  byId("legend").hidden = !target.checked;
  for (const sample of samples) sample.colour(target.checked);
});
byId("copied").addEventListener("change", () => underline());
byId("link").addEventListener("click", async () => {
  await navigator.clipboard.writeText(permalink());
  byId("status").textContent = "Link copied.";
});
byId("jsonl").addEventListener("click", () => {
  if (!samples.length) return notice("There is no text to save yet.");
  return saveFile(
    "texts.jsonl",
    samples.map((sample) => `${JSON.stringify(sample.record())}\n`).join(""),
    "application/jsonl",
  );
});
for (const [name, share] of LEVELS) addMark(byId("legend"), name, share);
restore();
await chooseModel((model) => {
  showConditions(model);
  showSteering(model);
  byId("about").replaceChildren(element("span", { class: "hint" }, model.summary.map((line) => line.trim()).join(" · ")));
});
ready();
