/* The language model: reads a token and gives the logits of the next. `program` and `residualSum` are generated from
   the cell's Program (charlm/export/program_js.py). */

const SIGMOID = (x) => 1 / (1 + Math.exp(-x)), TANH = Math.tanh, RELU = (x) => x > 0 ? x : 0;

class Network {
  constructor(config, arrays, { simd = true } = {}) {
    this.config = config;
    const { hiddenSize, embeddingSize, vocabSize, numLayers } = config;
    const matrices = Object.values(arrays).filter((array) => array.levels);
    const inMatrices = matrices.reduce((sum, array) => sum + Arena.sizeOf(array), 0);
    const gatesSize = program.gates.length * hiddenSize;
    const inVectors = numLayers * (gatesSize + 16 * hiddenSize) + 4 * embeddingSize + vocabSize;
    this.arena = new Arena(inMatrices + 4 * inVectors + 65536, simd);
    const matrix = (name) => this.arena.matrix(arrays[name]);
    this.embedding = matrix("embedding");
    this.output = config.tied ? this.embedding : matrix("output");
    this.outputBias = arrays.output_bias;
    this.layers = [...new Array(numLayers).keys()].map((layer) => this.layer(layer, arrays, matrix));
    this.inputs = this.arena.vector(embeddingSize);
    this.logits = this.arena.vector(vocabSize);
    this.nextInput = [this.arena.vector(hiddenSize), this.arena.vector(hiddenSize)];
    this.ngram = config.ngram ? new NgramModel(config.ngram, arrays, vocabSize) : null;
    this.priorWeight = arrays["prior.weight"];
    this.priorBias = arrays["prior.bias"];
    this.match = config.match ? new Match(config.match, arrays["match.gate"], arrays["match.weight"]) : null;
    if (config.contexts) this.readContexts(arrays, matrix);
    if (config.labels.length) this.labels = matrix("labels.vectors");
  }

  /* The weights of a layer, and the memory of a step. */
  layer(layer, arrays, matrix) {
    const { hiddenSize } = this.config, name = (part) => `recurrent.layers.${layer}.${part}`;
    const size = program.gates.length * hiddenSize, gates = this.arena.vector(size), bias = new Float32Array(size);
    bias.set(arrays[name("bias")], size - arrays[name("bias")].length); // gates without a bias come first
    const quantities = { h_next: this.arena.vector(hiddenSize), past: this.arena.vector(hiddenSize) };
    program.gates.forEach((gate, k) => { quantities[gate] = gates.subarray(k * hiddenSize, (k + 1) * hiddenSize); });
    for (const saved of program.saved) quantities[saved] = this.arena.vector(hiddenSize);
    for (const extra of program.biases) quantities[extra] = arrays[name(extra)];
    quantities.h = this.arena.vector(hiddenSize);
    if (program.hasCells) for (const name of ["c", "c_next"]) quantities[name] = this.arena.vector(hiddenSize);
    const weights = { input: matrix(name("input")) };
    for (const stage of program.stages) {
      for (const { weight } of stage.products) weights[weight] ??= matrix(name(weight));
    }
    return { gates, bias, quantities, weights };
  }

  /* The vectors of frequent n-grams. */
  readContexts(arrays, matrix) {
    const nodes = arrays["contexts.nodes"];
    this.vectors = matrix("contexts.vectors");
    this.spread = arrays["contexts.spread"] ? matrix("contexts.spread") : null;
    this.summed = this.spread ? this.arena.vector(this.vectors.columns) : this.inputs;
    let node = 0;
    this.rowOf = new Map([...nodes].map((distance, index) => [node += distance, index + 1]));
  }

  /* The state before the first token of a text whose labels have these rows among all values of all labels. */
  initialState(labels = []) {
    const zeros = () => new Float32Array(this.config.hiddenSize);
    const layers = this.layers.map(() => ({
      hidden: Array.from({ length: program.lookback }, zeros), // the latest first
      cells: program.hasCells ? zeros() : null,
    }));
    return { layers, labels, ngram: this.ngram?.initialState(), match: this.match?.initialState() };
  }

  /* Read a token, which changes the state. Returns the logits, which the next step overwrites. */
  step(state, token) {
    if (this.ngram) this.ngram.advance(state.ngram, token);
    if (this.match) this.match.advance(state.match, token);
    this.readToken(state, token);
    let inputs = this.inputs;
    this.layers.forEach((layer, index) => {
      const output = this.runLayer(layer, state.layers[index], inputs);
      if (this.config.residual && index) {
        const sum = this.nextInput[index % 2];
        residualSum(output.length, { layer_input: inputs, layer_output: output, next_input: sum });
        inputs = sum;
      } else inputs = output;
    });
    this.logits.set(this.outputBias);
    this.arena.product(this.output, inputs, this.logits);
    if (this.ngram) this.addPrior(state.ngram, inputs);
    if (this.match) this.match.mix(state.match, this.logits, inputs);
    return this.logits;
  }

  /* What the first layer reads: the embedding of the token, the vectors of the labels, and those of the n-grams that
     end with the token. */
  readToken(state, token) {
    const { inputs, summed } = this;
    inputs.fill(0);
    Arena.addRow(this.embedding, token, inputs);
    for (const row of state.labels) Arena.addRow(this.labels, row, inputs);
    if (!this.vectors) return;
    if (this.spread) summed.fill(0);
    const longest = Math.min(this.config.contexts.longest, this.ngram.width);
    for (let k = 1; k < longest; k++) {
      const row = this.rowOf.get(state.ngram[k]);
      if (row) Arena.addRow(this.vectors, row, summed);
    }
    if (this.spread) this.arena.product(this.spread, summed, inputs);
  }

  runLayer({ gates, bias, quantities, weights }, state, inputs) {
    const size = this.config.hiddenSize;
    gates.set(bias);
    this.arena.product(weights.input, inputs, gates);
    quantities.h.set(state.hidden[0]);
    quantities.past.set(state.hidden[program.lookback - 1]);
    if (state.cells) quantities.c.set(state.cells);
    for (const { products, run } of program.stages) {
      for (const { of, weight, rows: [first, blocks], into, gate: [gate, adds] } of products) {
        if (!adds) quantities[into].fill(0);
        const target = adds ? gates : quantities[into];
        this.arena.product(weights[weight], quantities[of], target, first * size, blocks * size, gate * size);
      }
      run(size, quantities);
    }
    state.hidden.unshift(state.hidden.pop());
    state.hidden[0].set(quantities.h_next);
    if (state.cells) state.cells.set(quantities.c_next);
    return quantities.h_next;
  }

  /* Add the n-gram prior to the logits; `top` are the outputs of the last layer. */
  addPrior(state, top) {
    const { orders, order } = this.config.ngram, known = this.ngram.known(state), size = top.length;
    const orderWeights = orders.map((_, j) => {
      let weight = this.priorBias[j * order + known];
      for (let k = 0; k < size; k++) weight += this.priorWeight[j * size + k] * top[k];
      return weight;
    });
    this.ngram.mix(state, orders, orderWeights, this.logits);
  }
}
