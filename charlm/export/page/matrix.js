/* Matrices times vectors: WebAssembly with SIMD, assembled here, or JavaScript where there is none.

   Rows of bytes are multiplied by whole numbers of 26 bits, in two parts: x = scale * (high * 2^13 + low). With at most
   2048 columns no sum of products exceeds 31 bits: 127 * 2^13 * 2048 < 2^31. */

const LOW_BITS = 13, MOST_LEVEL = 2 ** 26, MOST_BYTE_COLUMNS = 2048;

/* The bytes of a module whose functions `floats` and `bytes` (w, factors, x, y, rows, stride) add a matrix times x to
   y. A row of the matrix has `stride` numbers, a multiple of 8, of 32 bits or of 8, and its sum is multiplied by its
   factor. The other arguments but `rows` are addresses. Four rows are computed at a time. For `bytes`, x is as
   `Arena.splitVector` leaves it, and its sums are those of whole numbers, which are exact. */
function assembleProducts() {
  const leb = (value) => value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
  const sized = (bytes) => [...leb(bytes.length), ...bytes];
  const section = (id, bytes) => [id, ...sized(bytes)];
  const I32 = 0x7f, V128 = 0x7b, BLOCK = [0x02, 0x40], LOOP = [0x03, 0x40], END = [0x0b];
  const get = (local) => [0x20, local], set = (local) => [0x21, local], constant = (value) => [0x41, ...leb(value)];
  const plus = [0x6a], minus = [0x6b], times = [0x6c], lessThan = [0x48], branch = (depth) => [0x0c, depth];
  const branchIf = (depth) => [0x0d, depth], loadFloat = (offset) => [0x2a, 2, ...leb(offset)];
  const storeFloat = (offset) => [0x38, 2, ...leb(offset)], addFloats = [0x92], multiplyFloats = [0x94];
  const loadVector = (offset) => [0xfd, 0x00, 2, offset], loadBytes = [0xfd, 0x01, 0, 0]; // 8 bytes as 16-bit numbers
  const addVectors = [0xfd, 0xe4, 0x01], multiplyVectors = [0xfd, 0xe6, 0x01];
  const addIntegers = [0xfd, 0xae, 0x01], dot = [0xfd, 0xba, 0x01]; // of 16-bit numbers, in pairs
  const zeros = [0xfd, 0x0c, ...new Array(16).fill(0)];
  const lanes = (local, [lane, add]) =>
    [0, 1, 2, 3].flatMap((index) => [...get(local), 0xfd, lane, index, ...(index ? [add] : [])]);
  const FLOAT_LANES = [0x1f, 0x92], INTEGER_LANES = [0x1b, 0x6a];
  const double = {
    load: [0x2b, 3, 0], ofFloat: [0xbb], toFloat: [0xb6], ofInteger: [0xb7], plus: [0xa0], times: [0xa2],
  };
  const highStep = [0x44, ...new Uint8Array(Float64Array.of(1 << LOW_BITS).buffer)]; // f64.const
  const [w, factors, x, y, rows, stride, k, p, at] = [...new Array(9).keys()], [low, high, eight, sum] = [9, 10, 11, 12];
  const increase = (local, amount) => [...get(local), ...amount, ...plus, ...set(local)];
  const range = (count) => [...new Array(count).keys()];

  /* For each kind of number: its bytes, where x begins, the locals of a row's sums, and the code for eight columns of a
     row and for adding the row to y. */
  const floats = {
    size: 4, start: 0, sums: 1,
    columns: (own) => [[low, 0], [high, 16]].flatMap(([values, offset]) => [
      ...get(own), ...get(p), ...loadVector(offset), ...get(values), ...multiplyVectors, ...addVectors, ...set(own)]),
    row: (own, offset) => [
      ...get(y), ...get(y), ...loadFloat(offset), ...lanes(own, FLOAT_LANES), ...get(factors), ...loadFloat(offset),
      ...multiplyFloats, ...addFloats, ...storeFloat(offset)],
  };
  const bytes = {
    size: 1, start: 16, sums: 2,
    columns: (own) => [
      ...get(p), ...loadBytes, ...set(eight),
      ...[[own, high], [own + 1, low]].flatMap(([total, values]) => [
        ...get(total), ...get(eight), ...get(values), ...dot, ...addIntegers, ...set(total)])],
    row: (own, offset) => [
      ...get(y), ...get(y), ...loadFloat(offset), ...double.ofFloat,
      ...lanes(own, INTEGER_LANES), ...double.ofInteger, ...highStep, ...double.times,
      ...lanes(own + 1, INTEGER_LANES), ...double.ofInteger, ...double.plus, ...get(x), ...double.load, ...double.times,
      ...get(factors), ...loadFloat(offset), ...double.ofFloat, ...double.times, ...double.plus, ...double.toFloat,
      ...storeFloat(offset)],
  };

  const products = (kind, count) => {
    const width = [...get(stride), ...constant(kind.size), ...times]; // bytes of a row
    const own = (index) => sum + kind.sums * index;
    return [
      ...range(kind.sums * count).flatMap((index) => [...zeros, ...set(sum + index)]), ...constant(0), ...set(k),
      ...get(x), ...set(at),
      ...LOOP,
      ...get(at), ...loadVector(kind.start), ...set(low), ...get(at), ...loadVector(kind.start + 16), ...set(high),
      ...get(w), ...get(k), ...constant(kind.size), ...times, ...plus, ...set(p),
      ...range(count).flatMap((index) => [...kind.columns(own(index)), ...increase(p, width)]),
      ...increase(at, constant(32)), ...increase(k, constant(8)), ...get(k), ...get(stride), ...lessThan, ...branchIf(0),
      ...END,
      ...range(count).flatMap((index) => kind.row(own(index), 4 * index)),
      ...increase(w, [...width, ...constant(count), ...times]), ...increase(y, constant(4 * count)),
      ...increase(factors, constant(4 * count)), ...get(rows), ...constant(count), ...minus, ...set(rows),
    ];
  };
  const whileAtLeast = (kind, count) => [
    ...BLOCK, ...LOOP, ...get(rows), ...constant(count), ...lessThan, ...branchIf(1), ...products(kind, count),
    ...branch(0), ...END, ...END];
  const code = (kind) => sized([2, 3, I32, 11, V128, ...whileAtLeast(kind, 4), ...whileAtLeast(kind, 1), ...END]);
  const named = (name, index) => [...sized([...new TextEncoder().encode(name)]), 0, index];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 6, I32, I32, I32, I32, I32, I32, 0]),
    ...section(2, [1, 1, 0x65, 1, 0x6d, 2, 0, 1]), // import memory "e" "m" of at least a page
    ...section(3, [2, 0, 0]),
    ...section(7, [2, ...named("floats", 0), ...named("bytes", 1)]),
    ...section(10, [2, ...code(floats), ...code(bytes)]),
  ]);
}

/* Memory for `size` bytes, and products of what lies in it. */
class Arena {
  constructor(size, useSimd = true) {
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(size / 65536) + 1 });
    this.used = 16;
    this.simd = useSimd ? Arena.compile(this.memory) : null;
    const split = this.take(Uint8Array, 16 + 4 * MOST_BYTE_COLUMNS);
    this.split = new Int16Array(split.buffer, split.byteOffset + 16, 2 * MOST_BYTE_COLUMNS);
    this.splitScale = new Float64Array(split.buffer, split.byteOffset, 1);
  }

  /* How many bytes `matrix` takes at most. */
  static sizeOf(matrix) {
    return matrix.rows * ((matrix.columns + 7) * Arena.typeOf(matrix).BYTES_PER_ELEMENT + 4) + 64;
  }

  static typeOf({ columns, levels }) {
    return levels instanceof Int8Array && columns <= MOST_BYTE_COLUMNS ? Int8Array : Float32Array;
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
  matrix(rounded) {
    const { rows, columns, scales, levels } = rounded;
    const stride = 8 * Math.ceil(columns / 8), factors = this.vector(rows);
    const values = this.take(Arena.typeOf(rounded), rows * stride);
    for (let row = 0; row < rows; row++) values.set(levels.subarray(row * columns, (row + 1) * columns), row * stride);
    factors.set(scales);
    return { values, factors, rows, columns, stride };
  }

  /* Add a row of a matrix to a vector. */
  static addRow({ values, factors, columns, stride }, row, vector) {
    for (let k = 0, place = row * stride; k < columns; k++) vector[k] += values[place + k] * factors[row];
  }

  /* Write the numbers of x as whole numbers in two parts, eight high ones and eight low ones in turn, after their
     scale. Returns the address. */
  splitVector(x, columns, stride) {
    const { split, splitScale } = this;
    let most = 0;
    for (let k = 0; k < columns; k++) most = Math.max(most, Math.abs(x[k]));
    const scale = most > 0 ? MOST_LEVEL / 2 ** Math.ceil(Math.log2(most)) : 1;
    splitScale[0] = 1 / scale;
    for (let k = 0; k < stride; k++) {
      const level = k < columns ? Math.round(x[k] * scale) : 0, place = 2 * (k & ~7) + (k & 7);
      const high = (level + (1 << (LOW_BITS - 1))) >> LOW_BITS;
      split[place + 8] = high;
      split[place] = level - (high << LOW_BITS);
    }
    return splitScale.byteOffset;
  }

  /* Add rows `first` to `first + count` of a matrix, times x, to y from `at` on. */
  product(matrix, x, y, first = 0, count = matrix.rows, at = 0) {
    const { values, factors, stride, columns } = matrix, size = values.BYTES_PER_ELEMENT;
    if (this.simd) {
      const add = size === 1 ? this.simd.bytes : this.simd.floats;
      const place = size === 1 ? this.splitVector(x, columns, stride) : x.byteOffset;
      add(values.byteOffset + size * first * stride, factors.byteOffset + 4 * first, place, y.byteOffset + 4 * at, count,
          stride);
      return;
    }
    for (let row = first; row < first + count; row++) {
      let sum = 0;
      for (let k = 0, place = row * stride; k < columns; k++) sum += values[place + k] * x[k];
      y[at + row - first] += sum * factors[row];
    }
  }
}
