/* The arrays of charlm/export/sections.py. */

/* Undo base64 and deflate. */
async function unpack(base64) {
  const packed = Uint8Array.from(atob(base64.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* The arrays by name: typed arrays, strings, and for matrices { rows, columns, scales, levels }. */
function readSections(index, bytes) {
  const arrays = {};
  let at = 0;
  const take = (Type, count) => {
    const size = count * Type.BYTES_PER_ELEMENT;
    const values = new Type(bytes.slice(at, at + size).buffer);
    at += size;
    return values;
  };
  for (const { name, kind, shape } of index) {
    const count = shape.reduce((product, size) => product * size, 1);
    if (kind === "singles") {
      arrays[name] = take(Float32Array, count);
    } else if (kind === "text") {
      arrays[name] = new TextDecoder().decode(take(Uint8Array, count));
    } else if (kind.startsWith("rows")) {
      const scales = take(Float32Array, shape[0]);
      const levels = take(kind === "rows8" ? Int8Array : Int16Array, count);
      arrays[name] = { rows: shape[0], columns: shape[1], scales, levels };
    } else {
      const values = new Int32Array(count);
      for (let plane = 0; plane < Number(kind.slice("integers".length)); plane++) {
        take(Uint8Array, count).forEach((byte, index) => { values[index] |= byte << (8 * plane); });
      }
      arrays[name] = values;
    }
  }
  return arrays;
}
