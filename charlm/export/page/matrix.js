/* Matrices times vectors: WebAssembly with SIMD, assembled here, or JavaScript where there is none. */

/* The bytes of a module whose `add(w, x, y, rows, stride)` adds a matrix times x to y. All are addresses; a row takes
   `stride` bytes, a multiple of 16. Four rows are computed at a time. */
function assembleProduct() {
  const leb = (value) => value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
  const sized = (bytes) => [...leb(bytes.length), ...bytes];
  const section = (id, bytes) => [id, ...sized(bytes)];
  const I32 = 0x7f, V128 = 0x7b, BLOCK = [0x02, 0x40], LOOP = [0x03, 0x40], END = [0x0b];
  const get = (local) => [0x20, local], set = (local) => [0x21, local], constant = (value) => [0x41, ...leb(value)];
  const plus = [0x6a], minus = [0x6b], times = [0x6c], lessThan = [0x48], branch = (depth) => [0x0c, depth];
  const branchIf = (depth) => [0x0d, depth];
  const loadVector = [0xfd, 0x00, 2, 0], addVectors = [0xfd, 0xe4, 0x01], multiplyVectors = [0xfd, 0xe6, 0x01];
  const zeros = [0xfd, 0x0c, ...new Array(16).fill(0)], lane = (index) => [0xfd, 0x1f, index];
  const [w, x, y, rows, stride, k, p, vector, sum] = [0, 1, 2, 3, 4, 5, 6, 7, 8]; // sums are the locals 8 to 11
  const increase = (local, amount) => [...get(local), ...amount, ...plus, ...set(local)];

  const products = (count) => {
    const sums = [...new Array(count).keys()].map((index) => sum + index);
    const each = (write) => sums.flatMap(write);
    return [
      ...each((local) => [...zeros, ...set(local)]), ...constant(0), ...set(k),
      ...LOOP,
      ...get(x), ...get(k), ...plus, ...loadVector, ...set(vector), ...get(w), ...get(k), ...plus, ...set(p),
      ...each((local) => [...get(local), ...get(p), ...loadVector, ...get(vector), ...multiplyVectors, ...addVectors,
                          ...set(local), ...increase(p, get(stride))]),
      ...increase(k, constant(16)), ...get(k), ...get(stride), ...lessThan, ...branchIf(0),
      ...END,
      ...sums.flatMap((local, index) => [
        ...get(y), ...get(y), 0x2a, 2, ...leb(4 * index), // f32.load
        ...[0, 1, 2, 3].flatMap((part) => [...get(local), ...lane(part), 0x92]), // f32.add
        0x38, 2, ...leb(4 * index)]), // f32.store
      ...increase(w, [...get(stride), ...constant(count), ...times]), ...increase(y, constant(4 * count)),
      ...get(rows), ...constant(count), ...minus, ...set(rows),
    ];
  };
  const whileAtLeast = (count) => [
    ...BLOCK, ...LOOP, ...get(rows), ...constant(count), ...lessThan, ...branchIf(1), ...products(count), ...branch(0),
    ...END, ...END];
  const code = [2, 2, I32, 5, V128, ...whileAtLeast(4), ...whileAtLeast(1), ...END];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 5, I32, I32, I32, I32, I32, 0]),
    ...section(2, [1, 1, 0x65, 1, 0x6d, 2, 0, 1]), // import memory "e" "m" of at least a page
    ...section(3, [1, 0]),
    ...section(7, [1, 3, 0x61, 0x64, 0x64, 0, 0]), // export "add"
    ...section(10, [1, ...sized(code)]),
  ]);
}

/* Memory for `floats` numbers, and products of what lies in it. */
class Arena {
  constructor(floats, useSimd = true) {
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(4 * floats / 65536) + 1 });
    this.all = new Float32Array(this.memory.buffer);
    this.used = 4;
    this.simd = useSimd ? Arena.compile(this.memory) : null;
  }

  /* The compiled product; null in a browser without WebAssembly or SIMD. */
  static compile(memory) {
    try {
      return new WebAssembly.Instance(new WebAssembly.Module(assembleProduct()), { e: { m: memory } }).exports.add;
    } catch {
      return null;
    }
  }

  /* Zeros, whose length in memory is rounded up to a multiple of four. */
  vector(length) {
    const start = this.used;
    this.used += 4 * Math.ceil(length / 4);
    return this.all.subarray(start, start + length);
  }

  /* A matrix from its rounded form; columns are padded with zeros. */
  matrix({ rows, columns, scales, levels }) {
    const stride = 4 * Math.ceil(columns / 4), values = this.vector(rows * stride);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        values[row * stride + column] = levels[row * columns + column] * scales[row];
      }
    }
    return { values, rows, columns, stride };
  }

  /* Add rows `first` to `first + count` of a matrix, times x, to y from `at` on. */
  product(matrix, x, y, first = 0, count = matrix.rows, at = 0) {
    const { values, stride, columns } = matrix;
    if (this.simd) {
      this.simd(values.byteOffset + 4 * first * stride, x.byteOffset, y.byteOffset + 4 * at, count, 4 * stride);
      return;
    }
    for (let row = 0; row < count; row++) {
      let sum = 0;
      for (let k = 0, place = (first + row) * stride; k < columns; k++) sum += values[place + k] * x[k];
      y[at + row] += sum;
    }
  }
}
