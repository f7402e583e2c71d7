// Runs the scripts of an exported page without a page: reads a request from standard input and prints the results.
import { readFileSync } from "node:fs";

const { page, simd, reads = [], writes = [], encodes = [], products = [] } = JSON.parse(readFileSync(0, "utf8"));
const html = readFileSync(page, "utf8");
const after = (mark) => html.slice(html.indexOf(mark) + mark.length).split("</script>", 1)[0];
const names = "{ Arena, loadModel, Writing, readText }";
const { Arena, loadModel, Writing, readText } = new Function(`${after("<script>")}\nreturn ${names};`)();
const loaded = await loadModel(JSON.parse(after('id="header">')), after('id="weights">'), { simd });
const { network, tokenizer } = loaded;

function write(settings) {
  const writing = new Writing(network, tokenizer, settings), shown = [];
  while (!writing.ended) {
    writing.step();
    shown.push(writing.units.slice(0, writing.settled).map((unit) => unit.text).join(""));
  }
  const { text, ended, units } = writing;
  return { text, ended, shown, units };
}

function read(request) {
  const { text, labels } = typeof request === "string" ? { text: request } : request;
  return [...readText(network, tokenizer, text, labels)].flat();
}

// A matrix of bytes with the factor 1 times a vector.
function product({ levels, x }) {
  const rows = levels.length, columns = x.length, arena = new Arena(65536 + 2 * rows * columns + 4 * columns);
  const matrix = { rows, columns, scales: new Float32Array(rows).fill(1), levels: Int8Array.from(levels.flat()) };
  const placed = arena.matrix(matrix), vector = arena.vector(columns), result = arena.vector(rows);
  vector.set(x);
  arena.product(placed, vector, result);
  return [...result];
}

console.log(JSON.stringify({
  simd: network.arena.simd !== null,
  reads: reads.map(read),
  writes: writes.map(write),
  products: products.map(product),
  encodes: encodes.map((text) => tokenizer.encode(text)),
}));
