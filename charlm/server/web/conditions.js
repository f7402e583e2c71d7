/* What a text is written or read with: labels, such as the stars of a review, and the source of a pair. */
import { byId, element } from "/static/page.js";

// The chosen labels, written as for `charlm sample --label`.
const labels = () =>
  [...byId("labels").querySelectorAll("select")].map(({ value }) => value).filter((label) => label !== "");

// The fields of a request; the source is undefined for a model of texts without sources.
export const conditions = () => ({
  label: labels(),
  source: byId("pair").hidden ? undefined : byId("source").value,
});

// A list for each label of the model, and a field for the source if it is one of pairs; what was chosen before, or stands
// in the address of the page, stays chosen.
export function showConditions(model) {
  const query = new URLSearchParams(location.search);
  const wanted = new Set([...labels(), ...query.getAll("label")]);
  const lists = model.labels.map(({ name, values }, index) => {
    const id = `label-${index}`;
    const options = values.map((value) => {
      const label = `${name}=${value}`;
      return element("option", { value: label, selected: wanted.has(label) }, value);
    });
    const list = element("select", { id }, element("option", { value: "" }, "any"), ...options);
    return element("div", {}, element("label", { for: id }, `Label ${name}`), list);
  });
  byId("labels").replaceChildren(...lists);
  byId("pair").hidden = model.pairs === null;
  if (model.pairs === null) return;
  byId("source").value ||= query.get("source") ?? "";
  byId("source-label").textContent = `Source (${model.pairs.source})`;
  byId("source-hint").textContent = `The text is the '${model.pairs.target}' of this '${model.pairs.source}'.`;
}
