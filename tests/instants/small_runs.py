"""Small runs of each kind, the commands that begin and continue them, and what of their files has to be equal."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from charlm import api
from charlm.config import TokenizerConfig
from charlm.errors import RunError
from charlm.storage.checkpoint import load
from charlm.storage.resume_file import load_resume_file
from charlm.training import run_log

SHAPE = {"hidden_size": 6, "embedding_size": 4, "dropout": 0.2, "ngram_order": 0}
LENGTH = {"steps": 12, "validations": 3, "batch_size": 4, "seq_len": 16, "threads": 1}
RUN = Path("runs/broken")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of run."""

    corpus: dict[str, Any] = field(default_factory=dict)
    tokenizer: TokenizerConfig | None = None
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    saves_each_step: bool = True
    """Whether it is saved after every step, or only at the beginning and at the end."""
    replaces: bool = False
    """Whether it replaces an older run, from whose model it begins."""


KINDS = {
    "characters": Kind(),
    "subwords": Kind(
        tokenizer=TokenizerConfig(kind="subword", vocab_size=320),
        model={"ngram_order": 3, "context_vectors": 20},
        training={"averaging": 0.3, "optimizer": "muon"},
    ),
    "lines": Kind(corpus={"documents": "line"}, training={"averaging": 0.2}, saves_each_step=False),
    "backward": Kind(corpus={"direction": "backward"}, model={"num_layers": 2, "ngram_order": 3}, replaces=True),
}


def text() -> str:
    """A text of 160 lines."""
    words = ("cat", "dog", "owl", "elk")
    return "".join(f"{word} and the {word}, a {number} of {word}s.\n" for number in range(40) for word in words)


def begin(kind: Kind, source: Path, on_instant: Callable[[str], None] = lambda name: None) -> None:
    """Give the command that begins the run."""
    start = {"init_from": RUN} if kind.replaces else {"tokenizer": kind.tokenizer}
    api.train_run(
        source,
        run=RUN,
        corpus={"splits": (50, 40, 10)} | kind.corpus,
        model={} if kind.replaces else SHAPE | kind.model,
        training=LENGTH | kind.training,
        auto=False,
        overwrite=kind.replaces,
        callbacks=callbacks(on_instant),
        **start,
    )


def go_on(kind: Kind, source: Path, on_instant: Callable[[str], None] = lambda name: None) -> None:
    """Give the command that continues the run, or begin it if there is nothing to continue."""
    try:
        api.resume_run(RUN, callbacks=callbacks(on_instant))
    except RunError as error:
        if "no run in" in str(error) or (kind.replaces and load(RUN / "model.safetensors").training.step == 2):
            begin(kind, source, on_instant)
        elif "is finished (12 of 12 steps); to train longer pass a larger --steps" not in str(error):
            raise


def callbacks(on_instant: Callable[[str], None]) -> api.Callbacks:
    """Callbacks for which every step and every record is an instant."""
    return api.Callbacks(
        on_event=lambda record: on_instant(type(record).__name__),
        should_stop=lambda: bool(on_instant("step")),
    )


def begin_older(kind: Kind, source: Path) -> None:
    """The run that is replaced, if the kind has one; it has another text."""
    if kind.replaces:
        other = source.with_name("older.txt")
        other.write_text(text().replace("cat", "tac"))
        corpus, training = {"splits": (50, 40, 10)} | kind.corpus, LENGTH | {"steps": 2}
        api.train_run(other, run=RUN, corpus=corpus, model=SHAPE | kind.model, training=training, auto=False)


@contextlib.contextmanager
def saving(kind: Kind) -> Iterator[None]:
    """Save after every step or seldom, whatever the time, and write short samples."""
    spacing = 0.0 if kind.saves_each_step else 1e9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_log, "SAVE_EVERY", spacing)
        patch.setattr(run_log, "SAVE_SPACING", spacing)
        patch.setattr(run_log, "SAMPLE", replace(run_log.SAMPLE, length=20))
        yield


def content(folder: Path) -> dict[str, bytes] | None:
    """The files of a run folder, but for the lock."""
    if not folder.is_dir():
        return None
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".lock"}


def outcome(folder: Path) -> dict[str, Any]:
    """All that has to be equal: the files by name, without the seconds that it took and what depends on them."""
    assert {path.name for path in folder.iterdir()} == {
        ".lock",
        "config.json",
        "metrics.jsonl",
        "samples.txt",
        "model.safetensors",
        "resume.safetensors",
    }
    equal: dict[str, Any] = {name: (folder / name).read_text() for name in ("config.json", "samples.txt")}
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    equal["metrics.jsonl"] = [record | {"seconds": None} for record in records]
    for name in ("model.safetensors", "resume.safetensors"):
        checkpoint = load(folder / name)
        equal[name] = {
            "weights": {key: value.numpy().tobytes() for key, value in checkpoint.model.state_dict().items()},
            "tokenizer": checkpoint.tokenizer.to_json(),
            "corpus": checkpoint.corpus,
            "training": replace(checkpoint.training, seconds=0.0),
        }
    resume = load_resume_file(folder / "resume.safetensors")[1]
    recent = [record | {"seconds": None} for record in resume.values["recent"]]
    equal["values"] = resume.values | {"seconds": None, "recent": recent, "lengths": resume.values["lengths"][1]}
    equal["tensors"] = {key: value.numpy().tobytes() for key, value in resume.tensors.items()}
    return equal


def assert_as_unbroken(folder: Path, unbroken: dict[str, Any], instant: object) -> None:
    ended = outcome(folder)
    for name in unbroken:
        assert ended[name] == unbroken[name], f"{name} differs after {instant}"
