/* What else could have stood at a place of a text: a small panel, whose tokens each begin a branch. */
import { conditions } from "/static/conditions.js";
import { ask, byId, element, guarded, percent, visible } from "/static/page.js";
import { steering } from "/static/settings.js";

const panel = byId("others");
let opener = null,
  request = null,
  marked = null, // the character that the panel is about
  width = innerWidth;

export function closeOthers({ focus = false } = {}) {
  request?.abort();
  panel.hidden = true;
  marked?.classList.remove("here");
  marked = null;
  if (focus) opener?.focus();
  opener = null;
}

export async function showOthers(sample, place, character, onBranch, { focus }) {
  closeOthers();
  opener = sample.paper;
  request = new AbortController();
  const given = { ...conditions(), source: sample.source };
  const body = { model: byId("model").value, text: sample.before(place), steer: steering(), ...given };
  const offers = await guarded(() => ask("POST", "/api/alternatives", body, request.signal));
  if (!offers) return;
  const written = sample.before(place + 1).slice(sample.before(place).length);
  const rows = offers.map(({ text, probability }) =>
    element(
      "button",
      {
        type: "button",
        onclick: () => {
          closeOthers();
          onBranch(sample, place, text);
        },
        disabled: text === "",
      },
      element("span", { class: text === written ? "token written" : "token" }, visible(text)),
      element("meter", { value: probability, max: 1, "aria-hidden": "true" }),
      element("span", { class: "share" }, percent(probability)),
    ),
  );
  panel.replaceChildren(element("p", {}, `Instead of ${visible(written)}:`), ...rows);
  panel.hidden = false;
  const spot = character.getClientRects()[0] ?? character.getBoundingClientRect();
  const right = document.body.getBoundingClientRect().right - 8;
  const left = Math.max(8, Math.min(spot.left, right - panel.offsetWidth));
  panel.style.left = `${left + scrollX}px`;
  const height = panel.offsetHeight + 6,
    isAbove = !focus && spot.bottom + height > innerHeight && spot.top > height;
  panel.style.top = `${(isAbove ? spot.top - height : spot.bottom + 6) + scrollY}px`;
  if (!character.classList.contains("here")) {
    marked = character;
    marked.classList.add("here");
  }
  if (!focus) return;
  panel.querySelector("button:not(:disabled)")?.focus({ preventScroll: true });
  panel.scrollIntoView({ block: "nearest" });
}

function moveFocus(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  const buttons = [...panel.querySelectorAll("button:not(:disabled)")];
  buttons.at((buttons.indexOf(document.activeElement) + by) % buttons.length).focus();
}

panel.addEventListener("keydown", moveFocus);
addEventListener("resize", () => {
  if (innerWidth === width) return; // such as when a phone hides its bar
  width = innerWidth;
  closeOthers();
});

document.addEventListener("keydown", (event) => event.key === "Escape" && closeOthers({ focus: true }));
document.addEventListener("pointerdown", (event) => panel.contains(event.target) || closeOthers());
