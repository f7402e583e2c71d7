"""Texts that a model writes at temperature 1, to measure what it writes."""

from collections.abc import Iterator

from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.sampling.config import SampleConfig
from charlm.sampling.generate import generate_many
from charlm.tokenizers import Tokenizer

_TEXTS = 16
"""Written side by side."""


def free_texts(
    model: LanguageModel, tokenizer: Tokenizer, characters: int, *, progress: Progress = silent
) -> Iterator[str]:
    """Texts of at least `characters` in all, each from the start of a document, since hidden openings would only take
    time; `progress` is called with the characters written."""
    config = SampleConfig(temperature=1.0, length=characters // _TEXTS)
    written = 0
    for generated in generate_many(model, tokenizer, config=config, seed=1, num=characters, batch=_TEXTS):
        written += len(generated.text)
        progress("looking for copies", min(characters, written), characters)
        yield generated.text
        if written >= characters:
            return
