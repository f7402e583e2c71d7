/* The Read page: the heat map of a text, its curve of bits, and the units that follow something. */
import { drawChart } from "/static/chart.js";
import { conditions, showConditions } from "/static/conditions.js";
import { ask, byId, chooseModel, countOf, element, guarded, ready } from "/static/page.js";
import { closeTip, showExcerpts, showHeatmap } from "/static/shared.js";

const WINDOW = 0.02; // of the text, over which the curve is averaged
let running = null;

function series() {
  const kind = byId("series").value;
  if (kind === "bits") return "";
  const unit = `${byId("layer").value || 0}:${byId("number").value || 0}`;
  return kind === "h" ? unit : `${unit}:${kind}`;
}

function enableUnit() {
  for (const id of ["layer", "number"]) byId(id).disabled = byId("series").value === "bits";
}

async function work(message, path, body, show) {
  running?.abort();
  running = new AbortController();
  closeTip();
  byId("status").textContent = message;
  const answer = await guarded(() => ask("POST", path, body, running.signal));
  byId("status").textContent = "";
  if (answer) show(answer);
}

// Running means of the bits, from the data of the heat map.
function curveOf(data) {
  const bytes = Uint8Array.from(atob(data.bits), (character) => character.charCodeAt(0));
  const bits = Array.from(new Uint16Array(bytes.buffer), (value) => value / 1000);
  const width = Math.max(1, Math.round(bits.length * WINDOW));
  let sum = 0;
  return bits.map((value, place) => {
    sum += value - (place >= width ? bits[place - width] : 0);
    return [place + 1, sum / Math.min(place + 1, width)];
  });
}

function read() {
  const body = { model: byId("model").value, text: byId("text").value, unit: series(), ...conditions() };
  return work("Reading …", "/api/read", body, ({ data, bits_per_character: mean, tokens }) => {
    const map = element("div", { class: "text" });
    byId("scale").replaceChildren();
    byId("map").replaceChildren(map);
    byId("reading").hidden = false;
    showHeatmap(data, map, byId("scale"));
    drawChart(byId("curve"), [{ name: "running mean", points: curveOf(data), colour: 0 }], {
      label: "Bits per token along the text",
      x: "tokens",
      values: false,
    });
    byId("status").textContent = `${countOf(tokens, "token")}, ${mean.toFixed(3)} bits per character.`;
  });
}

async function layOver(unit) {
  const [layer, number, kind = "h"] = unit.split(":");
  byId("series").value = kind;
  byId("layer").value = layer;
  byId("number").value = number;
  enableUnit();
  await read();
  byId("characters").scrollIntoView();
}

function findUnits() {
  const body = { model: byId("model").value, text: byId("text").value, ...conditions() };
  return work(
    "Comparing every unit with every property, and with untrained networks; this takes a while …",
    "/api/neurons",
    body,
    (found) => {
      byId("found").hidden = !found.rows.length;
      byId("rows").replaceChildren(
        ...found.rows.map((row) =>
          element(
            "tr",
            {},
            element("td", { "data-name": "property" }, row.property),
            element(
              "td",
              { "data-name": "unit" },
              element(
                "button",
                {
                  class: "quiet",
                  type: "button",
                  title: "Colour the text by this unit",
                  onclick: () => layOver(row.unit),
                },
                row.unit,
              ),
            ),
            element("td", { "data-name": "response" }, row.response),
            element("td", { "data-name": "score" }, `${row.metric} ${row.found.toFixed(3)}`),
            element("td", { "data-name": "untrained" }, row.untrained.toFixed(3)),
            element("td", { "data-name": "confirmed" }, row.confirmed ? "yes" : "no"),
          ),
        ),
      );
      byId("excerpts").replaceChildren();
      showExcerpts(found.excerpts, byId("excerpts"));
      const confirmed = found.rows.filter((row) => row.confirmed).length;
      byId("status").textContent = found.rows.length
        ? `${confirmed} of ${countOf(found.rows.length, "property", "properties")} ${confirmed === 1 ? "has" : "have"} ` +
          `a confirmed unit, in ${countOf(found.tokens, "token")}.`
        : `No property is frequent enough in ${countOf(found.tokens, "token")}. Give a longer text.`;
    },
  );
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  read();
});
byId("neurons").addEventListener("click", findUnits);
byId("series").addEventListener("change", enableUnit);
byId("text").addEventListener("dragover", (event) => event.preventDefault());
byId("text").addEventListener("drop", async (event) => {
  const [file] = event.dataTransfer.files;
  if (!file) return;
  event.preventDefault();
  byId("text").value = (await file.slice(0, 800_000).text()).slice(0, 200_000);
});
await chooseModel((model) => {
  showConditions(model);
  const kinds = { bits: "surprise" };
  if (model.states.includes("h")) kinds.h = "hidden state of a unit";
  if (model.states.includes("c")) kinds.c = "cell state of a unit";
  for (const gate of model.gates) kinds[gate] = `gate ${gate} of a unit`;
  byId("series").replaceChildren(...Object.entries(kinds).map(([value, name]) => element("option", { value }, name)));
  byId("layer").max = model.layers - 1;
  byId("number").max = model.hidden - 1;
  byId("layer-hint").textContent = model.layers > 1 ? `0 to ${model.layers - 1}` : "only 0";
  byId("number-hint").textContent = `0 to ${model.hidden - 1}`;
  enableUnit();
});
ready();
