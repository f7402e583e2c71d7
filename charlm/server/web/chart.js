/* Line charts as SVG: axes, series, and the same figures for screen readers in the label. */
const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 240,
  USUAL_WIDTH = 720, // of a container that isn't shown yet
  LEFT = 52,
  RIGHT = 22,
  TOP = 10,
  BOTTOM = 28,
  LETTER = 7; // the width of a letter, about

function shape(name, attributes, text) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Round values between two ends, about `count` of them and at least `least` apart.
function ticks(low, high, count, least = 0) {
  const rough = Math.max(least, (high - low) / count),
    size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((one) => one >= rough);
  const values = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) values.push(value);
  return values;
}

function short(value) {
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(0).replace("-", "−");
  return Math.abs(value) >= 10_000 ? `${+(value / 1000).toPrecision(3)}k` : `${+value.toPrecision(3)}`;
}

// At most `most` points: the means of equal parts.
function thinned(points, most = 600) {
  if (points.length <= most) return points;
  const size = points.length / most;
  return Array.from({ length: most }, (_, part) => {
    const own = points.slice(Math.floor(part * size), Math.floor((part + 1) * size));
    return [own.at(-1)[0], own.reduce((sum, [, y]) => sum + y, 0) / own.length];
  });
}

const drawn = new WeakMap(); // from the container of a chart to what it was drawn with
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const { series, options, width } = drawn.get(target);
    if (target.clientWidth && target.clientWidth !== width) drawChart(target, series, options);
  }
});

// Draws series of {name, points: [[x, y]...], colour: 0 to 5, kind: "" | "thin" | "dashed"}, as wide as the container,
// and again when that changes; a dashed one is a level. The legend has the last values, unless `values` is false. With
// `spikes` the highest 2% of the values may lie above the chart.
export function drawChart(container, series, options) {
  const { label, x, log = false, values = true, spikes = false } = options,
    width = container.clientWidth || USUAL_WIDTH;
  drawn.set(container, { series, options, width });
  observer.observe(container);
  const shown = series.map((one) => ({ ...one, points: thinned(one.points) })).filter((one) => one.points.length);
  const all = shown.flatMap((one) => one.points).filter(([, y]) => Number.isFinite(y) && (!log || y > 0));
  if (!all.length) return container.replaceChildren();
  const scale = log ? Math.log10 : (value) => value;
  const xs = all.map(([value]) => value),
    ys = all.map(([, value]) => scale(value)).sort((one, other) => one - other);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  let low = ys[0],
    high = spikes
      ? Math.max(
          ys[Math.floor(0.98 * (ys.length - 1))],
          ...shown.filter((one) => one.kind === "dashed").map((one) => one.points[0][1]),
        )
      : ys.at(-1);
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const toX = (value) => LEFT + (width - LEFT - RIGHT) * (right > left ? (value - left) / (right - left) : 0.5);
  const toY = (value) =>
    TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.max(-0.02, Math.min(1.02, (scale(value) - low) / (high - low))));
  const last = shown.map((one) => `${one.name} ${short(one.points.at(-1)[1])}`).join(", ");
  const chart = shape("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`,
    class: "chart",
    role: "img",
    "aria-label": `${label}. Last values: ${last}.`,
  });
  const powers = log ? ticks(low, high, 5).filter(Number.isInteger) : [];
  const plain = log ? ticks(10 ** low, 10 ** high, 4) : ticks(low, high, 4);
  const marks = powers.length > 1 ? powers.map((power) => 10 ** power) : plain;
  for (const value of marks) {
    chart.append(
      shape("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: toY(value), y2: toY(value) }),
      shape("text", { x: LEFT - 8, y: toY(value) + 4, "text-anchor": "end" }, short(value)),
    );
  }
  const along = right > left ? ticks(left, right, Math.min(6, width / 70), 1) : [left];
  const labels = along.map((value, index) => (index + 1 < along.length ? short(value) : `${short(value)} ${x}`));
  along.forEach((value, index) => {
    const isLast = index + 1 === along.length, // which names the axis, too
      isAtEdge = isLast && toX(value) > width - RIGHT - 40;
    const place = { x: isAtEdge ? width : toX(value), y: HEIGHT - 8, "text-anchor": isAtEdge ? "end" : "middle" };
    const end = place.x + (LETTER * labels[index].length) / 2,
      hidden = index + 2 === along.length && end > width - LETTER * labels[index + 1].length;
    if (!hidden) chart.append(shape("text", place, labels[index]));
  });
  for (const { points, colour, kind = "" } of shown) {
    const ends =
      kind === "dashed"
        ? [
            [left, points[0][1]],
            [right, points[0][1]],
          ]
        : points;
    const good = ends.filter(([, y]) => Number.isFinite(y) && (!log || y > 0));
    const places = good.map(([a, b]) => `${toX(a).toFixed(1)},${toY(b).toFixed(1)}`).join(" ");
    chart.append(shape("polyline", { class: `series c${colour % 6} ${kind}`, points: places }));
    if (kind !== "dashed" && good.length === 1)
      chart.append(
        shape("circle", {
          class: `c${colour % 6} ${kind}`,
          cx: toX(good[0][0]),
          cy: toY(good[0][1]),
          r: 3,
          fill: "currentColor",
        }),
      );
  }
  const keys = document.createElement("ul");
  keys.className = "keys";
  for (const { name, points, colour, kind = "" } of shown) {
    const key = document.createElement("li"),
      text = document.createElement("span");
    key.className = `c${colour % 6} ${kind}`;
    text.textContent = values ? `${name} ${short(points.at(-1)[1])}` : name;
    key.append(text);
    keys.append(key);
  }
  return container.replaceChildren(chart, keys);
}
