/* The model of a page, from its header and its packed arrays. */

async function loadModel({ config, sections }, packed, options = {}) {
  const arrays = readSections(sections, await unpack(packed));
  const tokenizer = new Tokenizer(JSON.parse(arrays.tokenizer), arrays["tokenizer.scores"]);
  return { network: new Network(config, arrays, options), tokenizer };
}
