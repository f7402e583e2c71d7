/* Typesets the equations of a cell, such as "h = tanh(V x + W h' + b)", as MathML. */
const SPACE = "http://www.w3.org/1998/Math/MathML";
const NAMES = { sigm: "σ", sqrt: "√" },
  SYMBOLS = { "*": "⊙", "-": "−" };
const STATES = new Set(["x", "h", "c", "s"]);

function node(name, ...children) {
  const made = document.createElementNS(SPACE, name);
  made.append(...children);
  return made;
}

// A name with its index: h' is the state one step earlier, h the state of this step, V_g a matrix of gate g.
function symbol(token) {
  const [, name, index, prime] = /^([A-Za-z]+)(?:_(\w+))?('?)$/.exec(token);
  const base = node("mi", NAMES[name] ?? name);
  if (index) return node("msub", base, node("mi", index));
  if (prime) return node("msub", base, node("mrow", node("mi", "t"), node("mo", "−"), node("mn", "1")));
  return STATES.has(name) ? node("msub", base, node("mi", "t")) : base;
}

export function typeset(equations) {
  return equations.split("; ").map((equation) => {
    const tokens = equation.match(/[A-Za-z]+(?:_\w+)?'?|\d+(?:\.\d+)?|\S/g) ?? [];
    const parts = tokens.map((token) => {
      if (/^\d/.test(token)) return node("mn", token);
      return /^[A-Za-z]/.test(token) ? symbol(token) : node("mo", SYMBOLS[token] ?? token);
    });
    const math = node("math", node("mrow", ...parts));
    math.setAttribute("display", "block");
    return math;
  });
}
