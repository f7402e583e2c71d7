"""Writes a Program as JavaScript, from the same functions that run on tensors and as C."""

import json
from typing import Any

from charlm.kernels import PROGRAMS
from charlm.kernels.forward import lookback_of
from charlm.kernels.program import Function, Product, Program, reads, residual_sum
from charlm.kernels.symbolic import JAVASCRIPT, statements
from charlm.model.language_model import LanguageModel

_FUNCTION = """function (size, quantities) {{
  const {{ {names} }} = quantities;
  for (let j = 0; j < size; j++) {{
{body}
  }}
}}"""


def program_script(model: LanguageModel) -> str:
    """The JavaScript of a model's cell: `const program = ...` and `const residualSum = ...`; see page/layers.js."""
    program = PROGRAMS[model.config.cell]
    facts: dict[str, Any] = {
        "gates": program.gates,
        "saved": program.saved,
        "hasCells": "c" in program.states,
        "lookback": lookback_of(program, model.recurrent.cell.states),
        "biases": [*(program.biases or ())],
    }
    stages = [
        f"{{ products: {json.dumps([_product(product, program) for product in stage.products])},\n"
        f"run: {function_script(stage.forward)} }}"
        for stage in program.stages
    ]
    members = [f"{name}: {json.dumps(value)}" for name, value in facts.items()]
    members.append("stages: [\n" + ",\n".join(stages) + "]")
    return f"const program = {{ {', '.join(members)} }};\nconst residualSum = {function_script(residual_sum)};\n"


def function_script(function: Function) -> str:
    """A stage's function as a loop over the elements of its quantities."""
    names = reads(function)
    lines, results = statements(function, names, JAVASCRIPT)
    body = [f"const in_{name} = {name}[j];" for name in names] + lines
    body += [f"{name}[j] = {variable};" for name, variable in results.items()]
    every = dict.fromkeys((*names, *results))
    return _FUNCTION.format(names=", ".join(every), body="\n".join(f"    {line}" for line in body))


def _product(product: Product, program: Program) -> dict[str, Any]:
    """The operand, the rows of the weights and the target, both as the number of the first block and of all blocks."""
    rows = [program.recurrent.index(product.rows[0]), len(product.rows)] if product.rows else [0, 1]
    adds = product.into[0] in program.gates
    first = program.gates.index(product.into[0]) if adds else 0
    return {"of": product.of, "weight": product.weight, "rows": rows, "into": product.into[0], "gate": [first, adds]}
