"""charlm trains small recurrent language models on your own text, measures them and writes text with them.

Letters used throughout: T time steps, B batch, E embedding width, H hidden width, G gate count times H, V vocabulary,
L layers. Sequences are time-major, (T, B, ...). Losses are nats unless a name says bits.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["load", "sample", "train"]

if TYPE_CHECKING:
    from charlm.api import load, sample, train


def __getattr__(name: str) -> Any:
    if name in __all__:  # the API imports torch, which takes a second or two
        from charlm import api

        return getattr(api, name)
    raise AttributeError(f"module 'charlm' has no attribute {name!r}")
