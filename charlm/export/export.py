"""Exports a model: rounds its weights, prunes its n-grams to a size, and makes the page of the result."""

import logging
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from charlm.config import check_range
from charlm.errors import CharlmError, ConfigError
from charlm.export.card import about_of, card_of
from charlm.export.fitting import fit_ngrams
from charlm.export.html_page import fill_page
from charlm.export.model_sections import add_context_nodes, add_model, page_config
from charlm.export.prior_codec import add_ngrams
from charlm.export.program_js import program_script
from charlm.export.rounding import Bits, rounded_model
from charlm.export.sections import Sections
from charlm.kernels import PROGRAMS
from charlm.model.language_model import LanguageModel
from charlm.nouns import count_of
from charlm.progress import Progress, silent
from charlm.sampling.edges.opening import needs_opening
from charlm.text_model import TextModel, require_forward

logger = logging.getLogger(__name__)

DEFAULT_MAX_SIZE = 3_000_000
"""Bytes."""
_UNKNOWN_FIGURES = " " * 150  # as long as any figures, so that a page that fits also fits with them


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportFacts:
    """The size of a page, what was left out of its model, and what that costs."""

    bytes: int
    weight_bits: int
    ngrams: int
    """N-grams of two tokens and more in the page."""
    ngrams_before: int
    """Those of the model."""
    split: str | None
    """The held-out split that was scored; None if it isn't available."""
    characters: int | None
    """Characters of that split."""
    bits_per_character: float | None
    """Of the model in the page."""
    bits_per_character_before: float | None
    """Of the model itself."""

    @property
    def loss(self) -> float | None:
        """How much worse the page predicts, as a share; None if unknown."""
        if self.bits_per_character is None or not self.bits_per_character_before:
            return None
        return self.bits_per_character / self.bits_per_character_before - 1

    def to_json(self) -> dict[str, Any]:
        """All figures by name."""
        return asdict(self) | {"loss": self.loss}


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A page and its model."""

    page: str
    """HTML."""
    model: TextModel
    """The model in the page: rounded weights, pruned n-grams."""
    facts: ExportFacts


def export_page(
    model: TextModel,
    *,
    title: str | None = None,
    bits: Bits = 8,
    max_size: int = DEFAULT_MAX_SIZE,
    progress: Progress = silent,
) -> Export:
    """Make the page of a model.

    Args:
        model: a model that reads from left to right.
        title: the title of the page; None is the name of the text.
        bits: of each weight of a matrix, 8 or 16.
        max_size: the most bytes of the page. N-grams are left out until it fits.
        progress: called with the progress of fitting and scoring.

    Raises `ConfigError` for a model that a page can't run, and for a page that is too large without n-grams.
    """
    if bits not in get_args(Bits):
        raise ConfigError(f"--bits is {bits}; it must be 8 or 16")
    check_range("--max-size", max_size, 1, 1 << 30)
    _require_exportable(model)
    checkpoint, tokenizer = model.checkpoint, model.tokenizer
    if title is None:
        title = "A charlm model" if checkpoint.corpus is None else checkpoint.corpus.name
    rounded, matrices = rounded_model(checkpoint.model.with_label_ngrams(0), bits)  # they would take too many bytes
    program = program_script(rounded)
    opening = needs_opening(checkpoint.corpus)

    def write(smaller: LanguageModel, figures: str = _UNKNOWN_FIGURES) -> str:
        """The page of the model with fewer n-grams; `figures` is what its card says of the score."""
        sections = Sections()
        add_model(sections, smaller, matrices, tokenizer)
        if smaller.prior is not None and smaller.prior.ngram is not None:
            add_ngrams(sections, smaller.prior.ngram)
        add_context_nodes(sections, smaller)
        return fill_page(
            title=title,
            about=about_of(checkpoint),
            card=card_of(checkpoint, smaller, bits=bits, figures=figures),
            header={"config": page_config(smaller, opening=opening), "sections": sections.index},
            program=program,
            weights=sections.compressed(),
        )

    fitted = fit_ngrams(rounded, write, max_size, progress=progress)
    exported = replace(model, checkpoint=replace(checkpoint, model=fitted.model))
    facts = _measure(model, exported, bits, progress)
    page = write(fitted.model, _figures(facts))
    return Export(page=page, model=exported, facts=replace(facts, bytes=len(page.encode())))


def _require_exportable(model: TextModel) -> None:
    """Raise `ConfigError` for a model that a page can't run."""
    require_forward(model, "charlm export")
    config = model.model.config
    if config.network != "recurrent":
        raise ConfigError(
            f"charlm export can't write a page for a {config.network} yet; use a model with --network recurrent"
        )
    if config.cell not in PROGRAMS:
        raise ConfigError(
            f"the cell {config.cell} has no compiled form, from which the page's code is made; train a model with "
            "another --cell"
        )
    if model.tokenizer.kind == "word":
        raise ConfigError(
            "charlm export can't write a page for a model of words; train one with --tokenizer char, byte or subword"
        )


def _measure(before: TextModel, after: TextModel, bits: Bits, progress: Progress) -> ExportFacts:
    """Score both models on the held-out split, if it can be read; `bytes` is 0."""
    split = own = exported = None
    try:
        split = before.held_out_split()
        dataset = before.read(split=split, progress=progress)
        own = before.score(dataset, split, progress=progress)
        exported = after.score(dataset, split, progress=progress)
    except CharlmError as error:
        logger.warning("the page is not scored: %s", str(error).partition(";")[0])
    return ExportFacts(
        bytes=0,
        weight_bits=bits,
        ngrams=_num_ngrams(after.model),
        ngrams_before=_num_ngrams(before.model),
        split=None if exported is None else split,
        characters=None if exported is None else exported.characters,
        bits_per_character=None if exported is None else exported.bits_per_character,
        bits_per_character_before=None if own is None else own.bits_per_character,
    )


def _figures(facts: ExportFacts) -> str:
    if facts.bits_per_character is None or facts.bits_per_character_before is None or facts.characters is None:
        return "not measured"
    return (
        f"{facts.bits_per_character:.3f} bits per character on {count_of(facts.characters, 'held-out character')}; "
        f"{facts.bits_per_character_before:.3f} before it was made smaller for this page"
    )


def _num_ngrams(model: LanguageModel) -> int:
    return 0 if model.prior is None or model.prior.ngram is None else model.prior.ngram.num_ngrams
