"""charlm trains small recurrent language models on your own text, measures them and writes text with them.

    import charlm

    model = charlm.train("novel.txt", minutes=5)        # or charlm.load(), the newest run
    print(model.sample("The ", temperature=0.7, seed=1))
    print(model.evaluate().bits_per_character)          # of the test split
    nats = model.surprisal("The cat sat on the mat.")   # of each character

`train`, `resume` and `load` return a `TextModel`; help(charlm.TextModel) shows what it does, help(charlm.train) how to
train it. A mistake raises a `CharlmError`, whose message says what to do. docs/python.md describes every name.

Letters in the docstrings: T time steps, B batch, E embedding width, H hidden width, G gate count times H, V vocabulary,
L layers. Sequences are time-major, (T, B, ...). Losses are nats unless a name says bits.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC_NAMES = {
    "api": ("Callbacks", "resume", "train"),
    "compression": ("compress", "decompress"),
    "loading": ("load", "load_infill_models"),
    "text_model": ("TextModel",),
    "config": ("CorpusOptions", "ModelConfig", "ModelOptions", "TokenizerConfig", "TrainOptions"),
    "errors": ("CharlmError",),
    "evaluation.dynamic": ("DynamicConfig",),
    "evaluation.neural_cache": ("NeuralCacheConfig",),
    "evaluation.score": ("Evaluation",),
    "evaluation.spans.choice": ("Calibration", "Choice", "calibrate", "choose"),
    "evaluation.spans.classification": ("Classification",),
    "evaluation.spans.scores": ("SpanScore",),
    "model.encoder": ("BidirectionalEncoder",),
    "sampling.config": ("Bias", "Cycle", "Ramp", "SampleConfig", "Steer"),
    "sampling.infill.fill": ("FillConfig", "Filling"),
}
_MODULE_OF = {name: module for module, names in _PUBLIC_NAMES.items() for name in names}

__all__ = [
    "Bias",
    "BidirectionalEncoder",
    "Calibration",
    "Callbacks",
    "CharlmError",
    "Choice",
    "Classification",
    "CorpusOptions",
    "Cycle",
    "DynamicConfig",
    "Evaluation",
    "FillConfig",
    "Filling",
    "ModelConfig",
    "ModelOptions",
    "NeuralCacheConfig",
    "Ramp",
    "SampleConfig",
    "SpanScore",
    "Steer",
    "TextModel",
    "TokenizerConfig",
    "TrainOptions",
    "calibrate",
    "choose",
    "compress",
    "decompress",
    "load",
    "load_infill_models",
    "resume",
    "train",
]

if TYPE_CHECKING:
    from charlm.api import Callbacks, resume, train
    from charlm.compression import compress, decompress
    from charlm.config import CorpusOptions, ModelConfig, ModelOptions, TokenizerConfig, TrainOptions
    from charlm.errors import CharlmError
    from charlm.evaluation.dynamic import DynamicConfig
    from charlm.evaluation.neural_cache import NeuralCacheConfig
    from charlm.evaluation.score import Evaluation
    from charlm.evaluation.spans.choice import Calibration, Choice, calibrate, choose
    from charlm.evaluation.spans.classification import Classification
    from charlm.evaluation.spans.scores import SpanScore
    from charlm.loading import load, load_infill_models
    from charlm.model.encoder import BidirectionalEncoder
    from charlm.sampling.config import Bias, Cycle, Ramp, SampleConfig, Steer
    from charlm.sampling.infill.fill import FillConfig, Filling
    from charlm.text_model import TextModel


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:  # imported when needed: torch takes a second or two
        return getattr(import_module(f"charlm.{_MODULE_OF[name]}"), name)
    own = sys.modules[__name__]  # from which Python finds the nearest name
    raise AttributeError(f"module 'charlm' has no attribute {name!r}", name=name, obj=own)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
