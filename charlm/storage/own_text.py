"""The text that a model was trained on and its held-out texts, read again from where its run folder says they are."""

import shlex
from pathlib import Path
from typing import Literal

from charlm.config import CorpusConfig, SplitName
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import unsplit
from charlm.data.sources import missing_text
from charlm.errors import CorpusError, RunError
from charlm.progress import Progress
from charlm.storage.provenance import TextFacts
from charlm.storage.runs import RunFolder


def read_own_text(
    model: Path, facts: TextFacts | None, *, purpose: Literal["scores", "copies"] = "scores", progress: Progress
) -> Corpus:
    """Read the text that a model was trained on.

    Args:
        model: the model file, in its run folder.
        facts: the text's facts in the model file; None if unknown.
        purpose: what the text is for, which decides what an error advises.
        progress: called with the progress of reading.

    Raises `CorpusError` if the text is missing or has changed, and `RunError` if the model file is outside its run
    folder, so that the location of its text is unknown.
    """
    run, path = RunFolder(model.parent), shlex.quote(str(model))
    instead = {
        "scores": f"name a text, as in `charlm eval {path} TEXT --split test`",
        "copies": "leave out --copy-check and --no-copy",
    }[purpose]
    if not run.config.exists():
        run_folder = "name the run folder that it was trained in as MODEL, or " if purpose == "copies" else ""
        raise RunError(f"{model} is outside its run folder, so its text is unknown; {run_folder}{instead}")
    text = run.read_config().text
    if (lost := missing_text(text)) is not None:
        raise CorpusError(
            f"the text {lost} of {run.path} is missing; move it back, or record its new place with `charlm train "
            f"NEWPLACE --resume --run {shlex.quote(str(run.path))}`, or {instead}"
        )
    corpus = open_corpus(text, CorpusConfig() if facts is None else facts.config, progress=progress)
    if facts is None or corpus.sha256 != facts.sha256:
        raise CorpusError(
            f"the text {corpus.name} has changed since the model was trained on it; restore it, or {instead}"
        )
    return corpus


def held_out_arguments(model: Path) -> dict[SplitName, tuple[str, ...]]:
    """Where the splits that are texts of their own are; nothing for a model file outside its run folder."""
    run = RunFolder(model.parent)
    if not run.config.exists():
        return {}
    config = run.read_config()
    arguments: dict[SplitName, tuple[str, ...] | None] = {"valid": config.valid, "test": config.test}
    return {name: own for name, own in arguments.items() if own is not None}


def read_held_out(
    model: Path, facts: TextFacts | None, split: SplitName | None, *, progress: Progress
) -> dict[SplitName, Corpus]:
    """Read the splits that are texts of their own; the test split only if `split` names it.

    The arguments are those of `read_own_text`. Raises `CorpusError` if one is missing, or the validation text changed.
    """
    config = unsplit(CorpusConfig() if facts is None else facts.config)
    texts: dict[SplitName, Corpus] = {}
    for name, arguments in held_out_arguments(model).items():
        if name == "test" and split != "test":
            continue
        kind = "validation" if name == "valid" else name
        if (lost := missing_text(arguments)) is not None:
            raise CorpusError(f"the {kind} text {lost} of {model.parent} is missing; move it back, or name a text")
        texts[name] = corpus = open_corpus(arguments, config, progress=progress)
        valid = facts.valid if name == "valid" and facts is not None else None
        if valid is not None and corpus.sha256 != valid.sha256:
            raise CorpusError(
                f"the {kind} text {corpus.name} has changed since the model was trained; restore it, or name a text"
            )
    return texts
