/* From text to tokens and back: charlm/tokenizers. */

const utf8 = new TextEncoder();

/* The tokenizer of a page: `encode(text)` gives tokens, and `bytes[token]` their UTF-8. */
class Tokenizer {
  constructor({ kind, bos, eos, unk, unseen, neverWritten, pieces, byteTokens, algorithm }, scores) {
    Object.assign(this, { kind, bos, eos, unk, unseen, neverWritten, byteTokens, algorithm, scores });
    this.bytes = pieces.map((piece) => typeof piece === "number" ? Uint8Array.of(piece) : utf8.encode(piece ?? ""));
    this.texts = this.bytes.map((bytes) => new TextDecoder().decode(bytes));
    this.tokenOf = new Map();
    pieces.forEach((piece, token) => {
      if (typeof piece === "string" && piece && token !== unk) this.tokenOf.set(piece, token);
    });
    this.longest = Math.max(...[...this.tokenOf.keys()].map((piece) => piece.length));
    if (kind === "subword") {
      const normal = [...this.tokenOf].filter(([piece]) => piece !== "\n").map(([, token]) => scores[token]);
      this.unknownScore = normal.reduce((least, score) => Math.min(least, score)) - 10;
      this.highestScore = normal.reduce((most, score) => Math.max(most, score));
    }
  }

  encode(text) {
    if (this.kind === "byte") return [...utf8.encode(text)];
    if (this.kind === "char") return [...this.known(text)].map((character) => this.tokenOf.get(character) ?? this.unk);
    const split = this.algorithm === "bpe" ? (part) => this.merged(part) : (part) => this.likeliest(part);
    const parts = text.toWellFormed?.() ?? text;
    return parts.split("▁").flatMap((part, index) => [...(index ? this.spelled("▁") : []), ...split(part)]);
  }

  /* The text, or one that is canonically equivalent and has no unknown characters. */
  known(text) {
    const forms = [text, text.normalize("NFC"), text.normalize("NFD")];
    return forms.find((form) => !this.unknown(form).length) ?? text;
  }

  /* The distinct characters of a text that are outside the vocabulary. */
  unknown(text) {
    return this.kind === "char" ? [...new Set(text)].filter((character) => !this.tokenOf.has(character)) : [];
  }

  /* The tokens of the bytes of a text. */
  spelled(text) { return [...utf8.encode(text)].map((byte) => this.byteTokens[byte]); }

  /* The likeliest pieces (Kudo 2018), as SentencePiece finds them in single precision. */
  likeliest(text) {
    const size = text.length, score = new Float32Array(size + 1), start = new Int32Array(size + 1).fill(-1);
    const token = new Int32Array(size + 1);
    for (let at = 0, width; at < size; at += width) {
      width = text.codePointAt(at) > 0xffff ? 2 : 1;
      let single = false;
      const offer = (end, id, own) => {
        if (start[end] !== -1 && !(own + score[at] > score[end])) return;
        score[end] = own + score[at];
        start[end] = at;
        token[end] = id;
      };
      for (let end = at + width; end <= Math.min(size, at + this.longest); end++) {
        const id = this.tokenOf.get(text.slice(at, end));
        if (id === undefined) continue;
        offer(end, id, text[at] === "\n" ? this.highestScore - 0.1 : this.scores[id]);
        single ||= end === at + width;
      }
      if (!single) offer(at + width, this.unk ?? -1, this.unknownScore);
    }
    const tokens = [];
    for (let end = size; end > 0; end = start[end]) {
      tokens.push(...(token[end] < 0 ? this.spelled(text.slice(start[end], end)).reverse() : [token[end]]));
    }
    return tokens.reverse();
  }

  /* The pieces by merging pairs, that of the highest score first (Sennrich et al. 2016). */
  merged(text) {
    return (text.match(/\n| *[^ \n]+| +/g) ?? []).flatMap((word) => {
      const parts = [...word];
      for (;;) {
        let best = -1, bestScore = -Infinity;
        for (let k = 0; k + 1 < parts.length; k++) {
          const id = this.tokenOf.get(parts[k] + parts[k + 1]);
          if (id !== undefined && this.scores[id] > bestScore) [best, bestScore] = [k, this.scores[id]];
        }
        if (best < 0) break;
        parts.splice(best, 2, parts[best] + parts[best + 1]);
      }
      return parts.flatMap((part) => this.tokenOf.get(part) ?? this.spelled(part));
    });
  }

  /* The tokens that begin with these bytes and are longer. */
  goingBeyond(data) {
    const begins = (bytes) => bytes.length > data.length && data.every((byte, index) => bytes[index] === byte);
    return this.bytes.flatMap((bytes, token) => begins(bytes) && !this.neverWritten.includes(token) ? [token] : []);
  }
}
