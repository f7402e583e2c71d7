"""Steps whose logits are the same numbers, to the last bit, on every machine: compiled if possible, else by NumPy.

Both round every operation to float32 by itself, add in the same order, and use charlm's own exp and log. The NumPy form
runs the same Program and is some hundred times as slow; it lets an archive be read without a compiler.
"""

from charlm.model.language_model import LanguageModel
from charlm.sampling.steppers import CompiledStepper, Stepper

try:
    from charlm.compression.numpy_stepper import NumpyStepper
except ModuleNotFoundError as error:  # charlm also works without its kernels, but then nothing is portable
    if not (error.name or "").startswith("charlm."):
        raise
    NumpyStepper = None  # type: ignore[assignment,misc]


def portable_stepper(model: LanguageModel) -> Stepper | None:
    """A stepper for one text from the initial state.

    None for a transformer, for a cell without a Program, and for weights that aren't float32 on the CPU.
    """
    states = [model.initial_state(1)]
    if CompiledStepper is not None and CompiledStepper.supports(model, portable=True):
        return CompiledStepper(model, states, portable=True)
    if NumpyStepper is not None and NumpyStepper.supports(model):
        return NumpyStepper(model, states[0])
    return None
