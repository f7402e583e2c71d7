/* What else could have stood at a place of a text: a small panel, whose tokens each begin a branch. */
import { conditions } from "/static/conditions.js";
import { ask, byId, element, guarded, percent, visible } from "/static/page.js";
import { steering } from "/static/settings.js";

const panel = byId("others");
let opener = null,
  request = null;

export function closeOthers({ focus = false } = {}) {
  request?.abort();
  panel.hidden = true;
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
      element("span", { class: "token" }, visible(text)),
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
  panel.style.top = `${spot.bottom + scrollY + 6}px`;
  if (focus) panel.querySelector("button:not(:disabled)")?.focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => event.key === "Escape" && closeOthers({ focus: true }));
document.addEventListener("pointerdown", (event) => panel.contains(event.target) || closeOthers());
