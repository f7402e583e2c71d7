"""What a page says of its model: how it was made, and how well it predicts."""

from charlm import __version__
from charlm.model.language_model import LanguageModel
from charlm.nouns import count_of
from charlm.storage.checkpoint import Checkpoint
from charlm.tokenizers import Tokenizer

_TOKENS = {"char": "characters", "byte": "bytes", "subword": "subwords", "word": "words"}


def about_of(checkpoint: Checkpoint) -> str:
    """The line below the title."""
    text = "a text" if checkpoint.corpus is None else checkpoint.corpus.name
    return (
        f"A small neural network that learned to write from {text}. It runs in your browser: nothing you type leaves "
        "this page."
    )


def card_of(checkpoint: Checkpoint, model: LanguageModel, *, bits: int, figures: str) -> list[tuple[str, str]]:
    """Names and values.

    Args:
        checkpoint: the model as it was trained, with the facts of its training.
        model: the model in the page.
        bits: of a weight in the page.
        figures: how well both predict a held-out text, or that this is unknown.
    """
    config, corpus, training = model.config, checkpoint.corpus, checkpoint.training
    card = []
    if corpus is not None:
        documents = "" if corpus.documents == 1 else f" in {count_of(corpus.documents, 'document')}"
        card.append(("Learned from", f"{corpus.name}, {count_of(corpus.characters, 'character')}{documents}"))
    if training is not None:
        minutes, seconds = divmod(round(training.seconds), 60)
        card.append(
            ("Training", f"{minutes} min {seconds} s, {count_of(training.step, 'step')}, {training.epoch:.2f} epochs")
        )
    layers = count_of(config.num_layers, "layer")
    card.append(
        (
            "Network",
            f"{config.layer_kind}, {layers} of {count_of(config.hidden_size, 'unit')}, "
            f"{_vocabulary(checkpoint.tokenizer)}",
        )
    )
    card.append(("Weights", f"{model.num_parameters():,}, rounded to {bits} bits"))
    for label in config.labels:
        card.append((f"Label {label.name}", ", ".join(label.values)))
    own, kept = (None if one.prior is None else one.prior.ngram for one in (checkpoint.model, model))
    if own is not None and kept is not None:
        card.append(
            ("N-grams", f"{kept.num_ngrams:,} of {own.num_ngrams:,}, up to {count_of(own.order, 'token')} long")
        )
    card.append(("Prediction", figures))
    card.append(("The text", "It is not in this page. The n-grams are short passages of it."))
    card.append(("Made with", f"charlm {__version__}"))
    return card


def _vocabulary(tokenizer: Tokenizer) -> str:
    return f"{tokenizer.vocab_size:,} {_TOKENS.get(tokenizer.kind, 'tokens')}"
