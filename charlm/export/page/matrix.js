/* Matrices times vectors: WebAssembly with SIMD, assembled here, or JavaScript where there is none. */

/* The bytes of a module whose functions `floats` and `bytes` (w, factors, x, y, rows, stride) add a matrix times x to
   y. A row of the matrix has `stride` numbers, a multiple of 8, of 32 bits or of 8, and its sum is multiplied by its
   factor. The other arguments but `rows` are addresses. Four rows are computed at a time. */
function assembleProducts() {
  const leb = (value) => value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
  const sized = (bytes) => [...leb(bytes.length), ...bytes];
  const section = (id, bytes) => [id, ...sized(bytes)];
  const I32 = 0x7f, V128 = 0x7b, BLOCK = [0x02, 0x40], LOOP = [0x03, 0x40], END = [0x0b];
  const get = (local) => [0x20, local], set = (local) => [0x21, local], constant = (value) => [0x41, ...leb(value)];
  const plus = [0x6a], minus = [0x6b], times = [0x6c], lessThan = [0x48], branch = (depth) => [0x0c, depth];
  const branchIf = (depth) => [0x0d, depth], loadFloat = (offset) => [0x2a, 2, ...leb(offset)];
  const loadVector = (offset) => [0xfd, 0x00, 2, offset], loadBytes = [0xfd, 0x01, 0, 0]; // 8 bytes as 16-bit numbers
  const addVectors = [0xfd, 0xe4, 0x01], multiplyVectors = [0xfd, 0xe6, 0x01], toFloats = [0xfd, 0xfa, 0x01];
  const halves = [[0xfd, 0xa7, 0x01], [0xfd, 0xa8, 0x01]]; // the first or last four 16-bit numbers with 32 bits
  const zeros = [0xfd, 0x0c, ...new Array(16).fill(0)], lane = (index) => [0xfd, 0x1f, index];
  const [w, factors, x, y, rows, stride, k, p, at] = [...new Array(9).keys()], [low, high, eight, sum] = [9, 10, 11, 12];
  const increase = (local, amount) => [...get(local), ...amount, ...plus, ...set(local)];
  const sumUp = (local, part, values) =>
    [...get(local), ...values, ...get(part), ...multiplyVectors, ...addVectors, ...set(local)];

  const products = (size, count) => {
    const sums = [...new Array(count).keys()].map((index) => sum + index);
    const width = [...get(stride), ...constant(size), ...times]; // bytes of a row
    const row = (local) => size === 1
      ? [...get(p), ...loadBytes, ...set(eight), ...sumUp(local, low, [...get(eight), ...halves[0], ...toFloats]),
         ...sumUp(local, high, [...get(eight), ...halves[1], ...toFloats]), ...increase(p, get(stride))]
      : [...sumUp(local, low, [...get(p), ...loadVector(0)]), ...sumUp(local, high, [...get(p), ...loadVector(16)]),
         ...increase(p, width)];
    return [
      ...sums.flatMap((local) => [...zeros, ...set(local)]), ...constant(0), ...set(k), ...get(x), ...set(at),
      ...LOOP,
      ...get(at), ...loadVector(0), ...set(low), ...get(at), ...loadVector(16), ...set(high),
      ...get(w), ...get(k), ...constant(size), ...times, ...plus, ...set(p), ...sums.flatMap(row),
      ...increase(at, constant(32)), ...increase(k, constant(8)), ...get(k), ...get(stride), ...lessThan, ...branchIf(0),
      ...END,
      ...sums.flatMap((local, index) => [
        ...get(y), ...get(y), ...loadFloat(4 * index),
        ...[0, 1, 2, 3].flatMap((part) => [...get(local), ...lane(part), ...(part ? [0x92] : [])]), // f32.add
        ...get(factors), ...loadFloat(4 * index), 0x94, 0x92, // f32.mul, f32.add
        0x38, 2, ...leb(4 * index)]), // f32.store
      ...increase(w, [...width, ...constant(count), ...times]), ...increase(y, constant(4 * count)),
      ...increase(factors, constant(4 * count)), ...get(rows), ...constant(count), ...minus, ...set(rows),
    ];
  };
  const whileAtLeast = (size, count) => [
    ...BLOCK, ...LOOP, ...get(rows), ...constant(count), ...lessThan, ...branchIf(1), ...products(size, count),
    ...branch(0), ...END, ...END];
  const code = (size) => sized([2, 3, I32, 7, V128, ...whileAtLeast(size, 4), ...whileAtLeast(size, 1), ...END]);
  const named = (name, index) => [...sized([...new TextEncoder().encode(name)]), 0, index];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 6, I32, I32, I32, I32, I32, I32, 0]),
    ...section(2, [1, 1, 0x65, 1, 0x6d, 2, 0, 1]), // import memory "e" "m" of at least a page
    ...section(3, [2, 0, 0]),
    ...section(7, [2, ...named("floats", 0), ...named("bytes", 1)]),
    ...section(10, [2, ...code(4), ...code(1)]),
  ]);
}

/* Memory for `size` bytes, and products of what lies in it. */
class Arena {
  constructor(size, useSimd = true) {
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(size / 65536) + 1 });
    this.used = 16;
    this.simd = useSimd ? Arena.compile(this.memory) : null;
  }

  /* How many bytes `matrix` takes at most. */
  static sizeOf({ rows, columns, levels }) {
    return rows * ((columns + 7) * (levels instanceof Int8Array ? 1 : 4) + 4) + 64;
  }

  /* The compiled products; null in a browser without WebAssembly or SIMD. */
  static compile(memory) {
    try {
      return new WebAssembly.Instance(new WebAssembly.Module(assembleProducts()), { e: { m: memory } }).exports;
    } catch {
      return null;
    }
  }

  take(Type, length) {
    const start = this.used, bytes = length * Type.BYTES_PER_ELEMENT;
    this.used += 32 * Math.ceil(bytes / 32);
    return new Type(this.memory.buffer, start, length);
  }

  /* Zeros, whose length in memory is rounded up to a multiple of eight. */
  vector(length) { return this.take(Float32Array, length); }

  /* A matrix from its rounded form: its levels, of 8 bits or as floats, and the factor of each row. Columns are padded
     with zeros. */
  matrix({ rows, columns, scales, levels }) {
    const stride = 8 * Math.ceil(columns / 8), factors = this.vector(rows);
    const values = this.take(levels instanceof Int8Array ? Int8Array : Float32Array, rows * stride);
    for (let row = 0; row < rows; row++) values.set(levels.subarray(row * columns, (row + 1) * columns), row * stride);
    factors.set(scales);
    return { values, factors, rows, columns, stride };
  }

  /* Add a row of a matrix to a vector. */
  static addRow({ values, factors, columns, stride }, row, vector) {
    for (let k = 0, place = row * stride; k < columns; k++) vector[k] += values[place + k] * factors[row];
  }

  /* Add rows `first` to `first + count` of a matrix, times x, to y from `at` on. */
  product(matrix, x, y, first = 0, count = matrix.rows, at = 0) {
    const { values, factors, stride, columns } = matrix, size = values.BYTES_PER_ELEMENT;
    if (this.simd) {
      const add = size === 1 ? this.simd.bytes : this.simd.floats;
      add(values.byteOffset + size * first * stride, factors.byteOffset + 4 * first, x.byteOffset, y.byteOffset + 4 * at,
          count, stride);
      return;
    }
    for (let row = first; row < first + count; row++) {
      let sum = 0;
      for (let k = 0, place = row * stride; k < columns; k++) sum += values[place + k] * x[k];
      y[at + row - first] += sum * factors[row];
    }
  }
}
