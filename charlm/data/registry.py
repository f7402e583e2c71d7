"""Named corpora: the registry, the small texts that come with charlm, CPython's own text, and downloads.

The registry is `corpora/registry.toml`. A text that is downloaded is checked against its sha256 and kept in the cache.
"""

import importlib
import io
import logging
import os
import sysconfig
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Literal

from charlm.config import DocumentKind
from charlm.errors import CorpusError, DownloadError
from charlm.files import cache_folder, cache_path
from charlm.progress import Progress, silent

logger = logging.getLogger(__name__)

_DOWNLOADS = "corpora"  # the part of the cache
_NOT_SOURCE = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "lib2to3"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One file-like piece of a corpus, opened afresh for every pass."""

    name: str
    size: int
    """Bytes, as far as known before reading."""
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedCorpus:
    """An entry of the registry."""

    name: str
    kind: Literal["bundled", "python", "download"]
    description: str
    licence: str
    origin: str
    """Where the text comes from, for a person to read."""
    bytes: int | None = None
    """Size; None where it depends on the Python that runs."""
    sha256: str | None = None
    file: str | None = None
    """Bundled: the file beside the registry."""
    url: str | None = None
    """Download: where from."""
    documents: DocumentKind = "file"
    """What one document is, unless the user says otherwise."""
    splits: tuple[float, float, float] | None = None
    """Shares of train, validation and test, unless the user says otherwise; None means the usual default."""

    @property
    def here(self) -> bool:
        """Whether the text can be read without the network."""
        return self.kind != "download" or os.path.exists(cache_path(_DOWNLOADS) / self._download_name)

    @property
    def _download_name(self) -> str:
        return f"{self.name}.txt"

    def sources(self, progress: Progress = silent) -> list[Source]:
        """The text, fetched first if need be; raises `DownloadError`, or `CorpusError` where this Python lacks it."""
        if self.kind == "bundled":
            assert self.file is not None
            return [file_source(registry_folder() / self.file)]
        if self.kind == "download":
            return [file_source(self._fetch(progress))]
        return {"python-docs": _python_docs, "python-source": _python_source}[self.name]()

    def _fetch(self, progress: Progress) -> Path:
        import pooch  # slow to import, rarely needed
        import requests

        assert self.url is not None and self.sha256 is not None
        pooch.get_logger().setLevel("ERROR")
        path = cache_folder(_DOWNLOADS) / self._download_name
        try:
            pooch.retrieve(
                self.url,
                known_hash=f"sha256:{self.sha256}",
                fname=path.name,
                path=path.parent,
                downloader=pooch.HTTPDownloader(
                    progressbar=_PoochProgress(self.name, self.bytes, progress), timeout=30
                ),
            )
        except ValueError:
            raise DownloadError(
                f"what {self.url} sent is not the {self.name} of the registry (its sha256 differs); nothing was kept. "
                "Try again, or pass a copy of your own as a file"
            ) from None
        except (requests.RequestException, OSError) as error:
            reason = str(error).splitlines()[0][:120]
            raise DownloadError(
                f"can't download {self.name} from {self.url} ({type(error).__name__}: {reason}); check the network, or "
                f"save the file as {path}"
            ) from None
        return path


class _PoochProgress:
    """What pooch expects of a progress bar, passed on to a `Progress`."""

    def __init__(self, name: str, expected: int | None, progress: Progress) -> None:
        self._what = f"downloading {name}"
        self._expected = expected
        self._progress = progress
        self._done = 0
        self.total: int | None = expected

    def update(self, amount: int) -> None:
        self._done += amount
        self._progress(self._what, self._done, self.total or self._expected)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        self._progress(self._what, self._done, self._done)


def file_source(path: Path, name: str | None = None) -> Source:
    """A file on disk as a source."""
    return Source(name=name or path.name, size=path.stat().st_size, open=lambda: path.open("rb"))


def _text_source(name: str, text: str) -> Source:
    content = text.encode()
    return Source(name=name, size=len(content), open=lambda: io.BytesIO(content))


def _python_docs() -> list[Source]:
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError):
        raise CorpusError("this Python comes without pydoc_data.topics; give a text of your own") from None
    return [_text_source(f"{name}.txt", topics[name]) for name in sorted(topics)]


def _python_source() -> list[Source]:
    root = Path(sysconfig.get_path("stdlib"))
    paths = (path.relative_to(root) for path in root.rglob("*.py"))
    names = sorted(path.as_posix() for path in paths if not _NOT_SOURCE & set(path.parts))
    if not names:
        raise CorpusError(f"this Python keeps no source of its library in {root}; give a text of your own")
    return [file_source(root / name, name) for name in names]


def registry_folder() -> Path:
    """Where the registry and the bundled texts are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_corpora"
    return installed if installed.is_dir() else package.parent / "corpora"


@cache
def registry() -> dict[str, NamedCorpus]:
    """All named corpora, by name, in the order of the file."""
    return read_registry(registry_folder() / "registry.toml")


def read_registry(path: Path) -> dict[str, NamedCorpus]:
    """The named corpora of a TOML file."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    for entry in entries.values():
        if "splits" in entry:
            entry["splits"] = tuple(entry["splits"])
    return {name: NamedCorpus(name=name, **entry) for name, entry in entries.items()}
