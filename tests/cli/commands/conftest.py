"""What several commands read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def reviews(planted: Any, write: Callable[..., Path]) -> dict[str, Path]:
    """Labelled texts, and in runs/a a model with a unit that knows the labels."""
    planted.save(Path("runs/a/model.safetensors"))
    good, bad = (planted.texts(label, 60, seed, consistent=True) for seed, label in enumerate(("positive", "negative")))
    lines = [f"{text}\t{label}\n" for some, label in ((good, "good"), (bad, "bad")) for text in some]
    return {
        "good": write("\n".join(good), "good.txt"),
        "bad": write("\n".join(bad), "bad.txt"),
        "both": write("".join(lines), "both.tsv"),
    }
