"""What `charlm compare` prints: a table of the models, and how each compares with the best."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.table import Table

from charlm.cli.ui.console import stdout
from charlm.cli.ui.numbers import duration, perplexity_of, size, thousands
from charlm.nouns import count_of, rounded

if TYPE_CHECKING:
    from charlm.text_model.comparison import ComparedModels, GapToBest, ModelScore


def show_comparison(found: "ComparedModels") -> None:
    """Print a table, the best model first, and a sentence for each of the others."""
    comparison, console = found.comparison, stdout()
    scores = sorted(found.scores, key=lambda score: score.nats)
    facts = f"{count_of(comparison.characters, 'character')}, {count_of(comparison.words, 'word')}"
    console.print(f"{found.text}: {facts}", style="bold", soft_wrap=True)
    console.print(_table(scores, one_document=len(comparison.lengths) == 1))
    console.print()
    for score in scores:
        if score.difference is not None:
            console.print(sentence(score.model, score.difference, comparison.characters), soft_wrap=True)


def _table(scores: "list[ModelScore]", *, one_document: bool) -> Table:
    """A row for each model."""
    columns: dict[str, Callable[[ModelScore], str]] = {
        "bits/char": lambda score: f"{score.bits_per_character:.4f}",
        "bits/word": lambda score: f"{score.bits_per_word:.3f}",
        "perplexity/word": lambda score: perplexity_of(score.perplexity_per_word, 1),
        "documents won": lambda score: thousands(score.documents_won),
        "parameters": lambda score: thousands(score.parameters),
        "file": lambda score: size(score.file_bytes),
        "chars/s": lambda score: thousands(score.characters_per_second),
        "trained": lambda score: "–" if score.training_seconds is None else duration(score.training_seconds),
    }
    if one_document:
        del columns["documents won"]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model", overflow="fold")
    for heading in columns:
        table.add_column(heading, justify="right")
    for score in scores:
        table.add_row(score.model, *(cell(score) for cell in columns.values()))
    return table


def sentence(model: str, gap: "GapToBest", characters: int) -> str:
    """How a model compares with the best one on a text of so many characters."""
    if math.isinf(gap.high):
        from charlm.evaluation.comparison import LEAST_CHARACTERS

        return (
            f"too little text to tell whether {gap.than} is better than {model}: {characters:,} of at least "
            f"{LEAST_CHARACTERS:,} characters; give a longer text"
        )
    amount = f"{gap.bits_per_character:.4f}"
    interval = f"95% interval {rounded(gap.low, '+.4f')} to {rounded(gap.high, '+.4f')}, for other texts and seeds"
    if gap.clear:
        return f"{gap.than} is better than {model} by {amount} bits per character ({interval})"
    unclear = f"no significant difference between {model} and {gap.than} in bits per character ({interval})"
    if not gap.clear_on_the_text:
        return unclear
    return (
        f"{unclear}; of these two models {gap.than} is better, by {amount} (95% interval for other texts: "
        f"{rounded(gap.text_low, '+.4f')} to {rounded(gap.text_high, '+.4f')}), but training with another seed could "
        "change the difference by as much"
    )
