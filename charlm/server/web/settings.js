/* The settings of the Write page: from the form to a request, and to and from the address of the page. */
import { conditions } from "/static/conditions.js";
import { byId, element } from "/static/page.js";

const NUMBERS = [
  "length",
  "seed",
  "num",
  "top_k",
  "min_length",
  "no_copy",
  "min_p",
  "top_p",
  "typical",
  "repetition_penalty",
  "lines",
];
const LISTS = ["stop", "bias", "ban", "must_contain"];
const TEXTS = ["temperature", "unknown", "acrostic", "pattern", "syllables", "rhyme"];
const WORDS = ["words"];
const FIELDS = [...NUMBERS, ...LISTS, ...TEXTS, ...WORDS];
const FOLDED = ["more", "constraints"];
const ESCAPES = { n: "\n", r: "\r", t: "\t", "\\": "\\" };

const unescaped = (text) => text.replace(/\\([nrt\\])/g, (_, letter) => ESCAPES[letter]);

// One text for each line of a field; \n stands for a line end.
const lines = (text) =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map(unescaped);

export function steering() {
  return [...document.querySelectorAll("#steering input")]
    .filter((slider) => +slider.value !== 0)
    .map((slider) => `${slider.dataset.name}=${slider.value}`);
}

export function settings() {
  const values = { model: byId("model").value, prefix: byId("prefix").value, steer: steering(), ...conditions() };
  for (const name of NUMBERS) if (byId(name).value !== "") values[name] = +byId(name).value;
  for (const name of LISTS) values[name] = lines(byId(name).value);
  for (const name of TEXTS) if (byId(name).value.trim() !== "") values[name] = byId(name).value.trim();
  for (const name of WORDS) values[name] = byId(name).value.split(/\s+/).filter(Boolean);
  values.until_eos = byId("until_eos").checked;
  return values;
}

// The address of this page with all settings that differ from their defaults.
export function permalink() {
  const query = new URLSearchParams({ model: byId("model").value });
  if (byId("prefix").value) query.set("prefix", byId("prefix").value);
  for (const name of FIELDS) {
    if (byId(name).value !== byId(name).defaultValue && byId(name).value !== "") query.set(name, byId(name).value);
  }
  if (byId("unknown").value === "error") query.delete("unknown");
  if (byId("until_eos").checked) query.set("until_eos", "1");
  const { label, source } = conditions();
  if (source) query.set("source", source);
  for (const one of label) query.append("label", one);
  for (const one of steering()) query.append("steer", one);
  return `${location.origin}/?${query}`;
}

export function restore() {
  const query = new URLSearchParams(location.search);
  for (const name of ["prefix", ...FIELDS]) if (query.has(name)) byId(name).value = query.get(name);
  if (!byId("unknown").value) byId("unknown").selectedIndex = 0;
  byId("until_eos").checked = query.has("until_eos");
  for (const part of FOLDED.map(byId)) {
    if ([...part.querySelectorAll("[id]")].some(({ id }) => query.has(id))) part.open = true;
  }
}

// A slider for each direction of the model, from -4 to 4; 0 is off.
export function showSteering(model) {
  const wanted = new Map(new URLSearchParams(location.search).getAll("steer").map((text) => text.split("=")));
  const sliders = model.directions.map(({ name, negative, positive }) => {
    const id = `steer-${name}`,
      shown = element("output", { for: id });
    const slider = element("input", {
      type: "range",
      id,
      min: -4,
      max: 4,
      step: 0.25,
      value: wanted.get(name) ?? 0,
      "data-name": name,
    });
    const show = () => {
      const end = +slider.value < 0 ? negative : positive;
      shown.textContent = +slider.value === 0 ? "off" : `${Math.abs(slider.value)} towards ${end}`;
      slider.setAttribute("aria-valuetext", shown.textContent);
    };
    slider.addEventListener("input", show);
    show();
    return element("div", {}, element("label", { for: id }, `Steer ${name}: `, shown), slider);
  });
  byId("steering").replaceChildren(...sliders);
}
