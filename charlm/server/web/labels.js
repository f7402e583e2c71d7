/* The labels of a model, such as the stars of a review: for each a list of its values. */
import { byId, element } from "/static/page.js";

// The chosen labels, written as for `charlm sample --label`.
export const labels = () =>
  [...byId("labels").querySelectorAll("select")].map(({ value }) => value).filter((label) => label !== "");

// A list for each label of the model; what was chosen before, or stands in the address of the page, stays chosen.
export function showLabels(model) {
  const wanted = new Set([...labels(), ...new URLSearchParams(location.search).getAll("label")]);
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
}
