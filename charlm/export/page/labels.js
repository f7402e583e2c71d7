/* The labels of a text, such as the stars of a review: for each a list of its values. */

function showLabels(container, labels) {
  let row = 0;
  labels.forEach(({ name, values }, index) => {
    const list = Object.assign(document.createElement("select"), { id: `${container.id}-${index}` });
    const label = Object.assign(document.createElement("label"), { htmlFor: list.id, textContent: name });
    const part = document.createElement("div");
    list.append(new Option("any", ""), ...values.map((value) => new Option(value, row++)));
    part.append(label, list);
    container.append(part);
  });
  container.hidden = !labels.length;
}

/* The rows of the chosen values among all values of all labels. */
function chosenLabels(container) {
  const values = [...container.querySelectorAll("select")].map(({ value }) => value);
  return values.filter((value) => value !== "").map(Number);
}
