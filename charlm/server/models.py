"""The models that a server offers, by name: the one it was started with, those of runs, and the bundled ones."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charlm.cells.gates import logistic_gates
from charlm.evaluation.copying import CopyIndex
from charlm.files import MODEL_FILE
from charlm.loading import load
from charlm.server.errors import NotFoundError
from charlm.storage.direction import Direction, direction_paths
from charlm.storage.runs import PRETRAINED, bundled_names, find_model, model_name, newest_models
from charlm.text_model import TextModel

COPY_LENGTH = 40
"""Length of the shortest passage that counts as copied, characters."""
_KEPT = 3  # models in memory


@dataclass(kw_only=True)
class ServedModel:
    """A model in memory."""

    name: str
    text_model: TextModel
    version: tuple[int, int]
    """Time and size of its file."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _copies: CopyIndex | None = None

    def copies(self) -> CopyIndex:
        """The index of the training text; raises `CharlmError` if that is missing."""
        with self._lock:
            if self._copies is None:
                self._copies = self.text_model.copy_index(COPY_LENGTH)
            return self._copies

    def describe(self) -> dict[str, Any]:
        """What the pages show of the model, as JSON values."""
        model, facts, corpus = self.text_model.model, self.text_model.checkpoint.corpus, self.text_model.corpus_config
        config = model.config
        cell = model.recurrent.cell if config.network == "recurrent" else None
        return {
            "name": self.name,
            "summary": repr(self.text_model).split("\n")[1:],
            "text": None if facts is None else facts.name,
            "tokenizer": self.text_model.tokenizer.kind,
            "backward": corpus.direction == "backward",
            "layers": config.num_layers,
            "hidden": config.hidden_size,
            "states": list(cell.states) if cell else [],
            "gates": list(logistic_gates(cell)) if cell else [],
            "labels": [{"name": label.name, "values": label.values} for label in config.labels],
            "pairs": {"source": corpus.source_column, "target": corpus.target_column} if corpus.is_pairs else None,
            "directions": [
                {"name": path.stem, "negative": direction.facts.negative, "positive": direction.facts.positive}
                for path in direction_paths(self.text_model.path)
                for direction in [Direction.load(path)]
            ],
        }


class Models:
    """The models by name; the last few that were used stay in memory."""

    def __init__(self, model: str | None = None) -> None:
        """Offer `model`, an argument as of `charlm sample`, first.

        Raises `RunError` if there is no such model, and `ModelFileError` if it can't be loaded.
        """
        self._first: tuple[str, Path] | None = None
        if model is not None:
            path = find_model(model)
            self._first = (model_name(path), path)
        self._lock = threading.Lock()
        self._loaded: OrderedDict[Path, ServedModel] = OrderedDict()
        if self._first is not None:
            self.load(self._first[0])

    def paths(self) -> dict[str, Path]:
        """The model files by name, the default first."""
        paths = dict([self._first] if self._first is not None else [])
        for path in newest_models():
            paths.setdefault(path.parent.name, path)
        for name in bundled_names():
            paths.setdefault(name, PRETRAINED / name / MODEL_FILE)
        return {name: path for name, path in paths.items() if path.is_file()}

    def find(self, name: str) -> tuple[str, Path]:
        """The name and the file of a model; "" is the default. Raises `NotFoundError` if there is no such model."""
        paths = self.paths()
        found = name or next(iter(paths), "")
        if found not in paths:
            choice = f"choose from {', '.join(paths)}" if paths else "train one on the Train page"
            raise NotFoundError(f"there is no model {found!r}; {choice}", param="model")
        return found, paths[found]

    def load(self, name: str) -> ServedModel:
        """A model by name, read again if its file has changed. Raises as `find`, and `ModelFileError`."""
        found, path = self.find(name)
        facts = facts_of(found, path)
        version = (facts.st_mtime_ns, facts.st_size)
        with self._lock:
            known = self._loaded.pop(path, None)
            if known is None or known.version != version:
                known = ServedModel(name=found, text_model=load(path), version=version)
            self._loaded[path] = known
            while len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
            return known


def facts_of(name: str, path: Path) -> os.stat_result:
    """The time and the size of the file of a model; raises `NotFoundError` if it was deleted just now."""
    try:
        return path.stat()
    except OSError:
        raise NotFoundError(f"the model {name!r} was deleted; choose another", param="model") from None
