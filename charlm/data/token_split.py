"""The token ids of one split, on disk or in memory."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charlm.config import LabelColumn
from charlm.data.encoded.label_codes import Codes
from charlm.data.encoded.parts import SplitFacts
from charlm.data.verified_file import DamagedFileError, VerifiedFile
from charlm.errors import CharlmError
from charlm.tokenizers import Tokenizer

STARTS_IN_MEMORY = 1 << 23
"""Documents of a split up to which their places are kept in memory; those of more are read from disk."""
VERIFIED_AT_ONCE = 1 << 24
"""Tokens of a split up to which all of it is verified when it is opened; of a longer one, each part when it is read."""

_MOST_COUNTED = 10_000_000  # tokens


class TokenSplit:
    """The token ids of one split: its documents in order, each `BOS ... EOS`, or `BOS source EOS target EOS`."""

    def __init__(
        self,
        ids: NDArray[Any] | VerifiedFile,
        starts: NDArray[np.int64],
        facts: SplitFacts,
        labels: Codes | None = None,
        targets: NDArray[np.int64] | None = None,
    ) -> None:
        self._ids = ids
        self.starts = starts
        """Document d is ids[starts[d] : starts[d + 1]]; shape (documents + 1,)."""
        self.labels = labels
        """The codes of each document's labels, (documents, C); None if the model that reads them has no labels."""
        self.targets = targets
        """Where the target of each document begins, (documents,); None if all of a document is predicted."""
        self.facts = facts

    @classmethod
    def open(
        cls,
        folder: Path,
        name: str,
        description: dict[str, Any],
        vocab_size: int,
        label_columns: Sequence[LabelColumn] = (),
    ) -> "TokenSplit":
        """Open the files written by `encode_corpus`; `description` is that of the folder.

        Raises ValueError, KeyError or `CharlmError` when the files don't match it, OSError when they can't be read.
        """
        facts, dtype = SplitFacts.from_json(description["splits"][name]), np.dtype(description["dtype"])
        length = facts.tokens + facts.source_tokens + facts.documents  # neither of the first counts BOS
        if length == 0:
            return cls(np.zeros(0, dtype), np.zeros(1, np.int64), facts)
        sums = description["checksums"][name]
        starts = VerifiedFile(
            folder / f"{name}.starts", np.dtype(np.int64), facts.documents + 1, sums["starts"], length + 1
        )
        starts.verify(0, len(starts))
        ids = VerifiedFile(folder / f"{name}.ids", dtype, length, sums["ids"], vocab_size)
        if length <= VERIFIED_AT_ONCE:
            ids.verify(0, length)
        is_large = len(starts) > STARTS_IN_MEMORY
        places = np.memmap(starts.path, np.int64, "r") if is_large else starts.read(0, len(starts))
        labels = None
        if label_columns:
            shape = (facts.documents, len(label_columns))
            codes = sum(len(column.values) for column in label_columns) + 1
            path = folder / f"{name}.labels"
            file = VerifiedFile(path, np.dtype(np.uint16), shape[0] * shape[1], sums["labels"], codes)
            labels = file.read(0, len(file)).reshape(shape)
        targets = None
        if facts.source_tokens:
            path = folder / f"{name}.targets"
            file = VerifiedFile(path, np.dtype(np.int64), facts.documents, sums["targets"], length)
            targets = file.read(0, len(file))
        return cls(ids, places, facts, labels, targets)

    def __len__(self) -> int:
        """The number of ids."""
        return len(self._ids)

    def __getitem__(self, part: slice) -> NDArray[Any]:
        """A copy of consecutive ids; raises as `read` does."""
        return self.read(*part.indices(len(self))[:2])

    @property
    def ids(self) -> NDArray[Any]:
        """A copy of all ids. Raises `CharlmError` as `read` does, which is cheaper for a part of them."""
        return self.read(0, len(self))

    def tail(self, count: int) -> NDArray[Any]:
        """A copy of the last `count` ids, or of all if there are fewer; raises as `read` does."""
        return self.read(max(0, len(self) - count), len(self))

    def token_counts(self, vocab_size: int) -> NDArray[np.int64]:
        """How often the last ten million ids have each token, (V,); raises as `read` does."""
        return np.bincount(self.tail(_MOST_COUNTED), minlength=vocab_size)

    def labels_at(self, starts: NDArray[np.int64]) -> Codes | None:
        """The labels of the documents in which some positions are, (B, C); None if there are no labels."""
        if self.labels is None:
            return None
        codes: Codes = self.labels[np.searchsorted(self.starts, starts, side="right") - 1]
        return codes

    def predicted(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Whether each of ids[start:stop] is one that a model predicts: not BOS, nor part of a source."""
        first = max(0, int(np.searchsorted(self.starts, start, side="right")) - 1)
        last = int(np.searchsorted(self.starts[:-1], stop))
        begins = np.asarray(self.starts[first:last])
        counts = begins + 1 if self.targets is None else self.targets[first:last]
        edges = np.zeros(stop - start + 1, np.int8)
        np.add.at(edges, np.clip(begins - start, 0, stop - start), 1)
        np.add.at(edges, np.clip(counts - start, 0, stop - start), -1)
        is_predicted: NDArray[np.bool_] = np.cumsum(edges[:-1]) == 0
        return is_predicted

    def part(self, start: int, stop: int, tokenizer: Tokenizer) -> "TokenSplit":
        """ids[start:stop] as a split; `tokenizer` is the one that encoded them. Raises as `read` does."""
        ids = self.read(start, stop)
        starts = np.flatnonzero(ids == tokenizer.bos)
        text = tokenizer.decode(ids)
        facts = SplitFacts(
            documents=len(starts),
            characters=max(1, len(text)),
            bytes=len(text.encode()),
            tokens=len(ids) - len(starts),
            unknown_characters=tokenizer.count_unknown(ids),
        )
        return TokenSplit(ids, np.append(starts, len(ids)), facts, self.labels_at(start + starts))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """A copy of ids[start:stop].

        Raises `CharlmError` if they were damaged on disk; their folder is then removed, so that the next command makes
        it again.
        """
        if not isinstance(self._ids, VerifiedFile):
            return self._ids[start:stop].copy()
        try:
            return self._ids.read(start, stop)
        except (DamagedFileError, OSError) as error:
            folder = self._ids.path.parent
            shutil.rmtree(folder, ignore_errors=True)
            remedy = f"remove {folder} and run" if folder.exists() else "it was removed, so run"
            raise CharlmError(
                f"{error}; {remedy} the command again, or continue the run with --resume, to encode the text again"
            ) from None
