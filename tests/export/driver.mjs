// Runs the scripts of an exported page without a page: reads a request from standard input and prints the results.
import { readFileSync } from "node:fs";

const { page, simd, reads = [], writes = [], encodes = [] } = JSON.parse(readFileSync(0, "utf8"));
const html = readFileSync(page, "utf8");
const after = (mark) => html.slice(html.indexOf(mark) + mark.length).split("</script>", 1)[0];
const names = "{ loadModel, Writing, readText, judge }";
const { loadModel, Writing, readText } = new Function(`${after("<script>")}\nreturn ${names};`)();
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

console.log(JSON.stringify({
  simd: network.arena.simd !== null,
  reads: reads.map((text) => [...readText(network, tokenizer, text)].flat()),
  writes: writes.map(write),
  encodes: encodes.map((text) => tokenizer.encode(text)),
}));
