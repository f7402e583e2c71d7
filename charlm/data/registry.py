"""Named corpora: the registry, the small bundled texts, CPython's own text, and downloads.

The registry is `corpora/registry.toml`. A downloaded text is checked against its sha256 and kept in the cache.
"""

import importlib
import io
import logging
import os
import sysconfig
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

from charlm.config import DocumentKind
from charlm.data.inputs.download import download
from charlm.data.packed.compressed import unpacked
from charlm.data.packed.zip_member import extract
from charlm.errors import CorpusError
from charlm.files import cache_folder, cache_path
from charlm.progress import Progress, silent

logger = logging.getLogger(__name__)

_DOWNLOADS = "corpora"  # subfolder of the cache
_EXCLUDED_FOLDERS = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "lib2to3"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One file or text of a corpus, opened again for each reading."""

    name: str
    size: int
    """Size in bytes as stored, before reading; the file may change."""
    open: Callable[[], BinaryIO]
    """Opens the text, which is unpacked as it is read if the file is compressed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OfficialSplit:
    """Where a split of a named corpus is; what is None is as for the corpus itself."""

    url: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    member: str | None = None
    range: tuple[int, int] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What differs from the corpus."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedCorpus:
    """An entry of the registry."""

    name: str
    kind: Literal["bundled", "python", "download"]
    description: str
    licence: str
    origin: str
    """Where the text comes from, for people to read."""
    bytes: int | None = None
    """Size of the text, or of the archive that it is in; None when it depends on the running Python."""
    sha256: str | None = None
    """Checksum of the same file."""
    file: str | None = None
    """For a bundled text: the file next to the registry."""
    url: str | None = None
    """For a download: its address."""
    member: str | None = None
    """For a zip archive: the name of the text in it."""
    range: tuple[int, int] | None = None
    """For a text in an archive: its first byte, and the byte after its last; None for all of it. A character
    that the end would cut in two belongs to the part."""
    documents: DocumentKind = "file"
    """The default for `CorpusConfig.documents`."""
    splits: tuple[float, float, float] | None = None
    """The default for `CorpusConfig.splits`; None leaves that of `CorpusConfig`."""
    valid: OfficialSplit | None = None
    """The official validation split of a download."""
    test: OfficialSplit | None = None
    """The official test split."""

    @property
    def here(self) -> bool:
        """Whether the text can be read without the network."""
        return self.kind != "download" or os.path.exists(cache_path(_DOWNLOADS) / self._download_name)

    @property
    def _download_name(self) -> str:
        return f"{self.name.replace(':', '-')}.txt"

    @property
    def held_out(self) -> dict[str, "NamedCorpus"]:
        """The official validation and test splits, as corpora named NAME:valid and NAME:test."""
        return {
            part: replace(self, name=f"{self.name}:{part}", valid=None, test=None, **split.settings)
            for part, split in (("valid", self.valid), ("test", self.test))
            if split is not None
        }

    def sources(self, progress: Progress = silent) -> list[Source]:
        """The text, downloaded first if necessary.

        Raises `DownloadError` when the download fails, and `CorpusError` when this Python lacks the text.
        """
        if self.kind == "bundled":
            assert self.file is not None
            return [file_source(registry_folder() / self.file)]
        if self.kind == "download":
            return [file_source(self._fetch(progress))]
        return {"python-docs": _python_docs, "python-source": _python_source}[self.name]()

    def _fetch(self, progress: Progress) -> Path:
        path = cache_folder(_DOWNLOADS) / self._download_name
        if self.member is None:
            self._download(path, progress)
        elif not path.exists():
            assert self.url is not None
            archive = path.with_name(self.url.rpartition("/")[2])
            self._download(archive, progress)
            extract(archive, self.member, path, part=self.range, what=self.name, progress=progress)
        return path

    def _download(self, path: Path, progress: Progress) -> None:
        """Download to `path`, unless the right file is there."""
        assert self.url is not None and self.sha256 is not None and self.bytes is not None
        download(self.url, path, what=self.name, size=self.bytes, sha256=self.sha256, progress=progress)


def file_source(path: Path, name: str | None = None) -> Source:
    """A file on disk as a source, compressed or not."""
    shown = name or path.name
    return Source(name=shown, size=path.stat().st_size, open=lambda: unpacked(path.open("rb"), shown))


def _text_source(name: str, text: str) -> Source:
    content = text.encode()
    return Source(name=name, size=len(content), open=lambda: io.BytesIO(content))


def _python_docs() -> list[Source]:
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except (ImportError, AttributeError):
        raise CorpusError("this Python lacks pydoc_data.topics; give a text of your own") from None
    return [_text_source(f"{name}.txt", topics[name]) for name in sorted(topics)]


def _python_source() -> list[Source]:
    root = Path(sysconfig.get_path("stdlib"))
    paths = (path.relative_to(root) for path in root.rglob("*.py"))
    names = sorted(path.as_posix() for path in paths if not _EXCLUDED_FOLDERS & set(path.parts))
    if not names:
        raise CorpusError(f"this Python has no library source in {root}; give a text of your own")
    return [file_source(root / name, name) for name in names]


def registry_folder() -> Path:
    """The folder of the registry and the bundled texts: inside the installed package, or next to it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_corpora"
    return installed if installed.is_dir() else package.parent / "corpora"


@cache
def registry() -> dict[str, NamedCorpus]:
    """All named corpora by name, in the order of the file."""
    return read_registry(registry_folder() / "registry.toml")


def find_named(name: str) -> NamedCorpus | None:
    """A named corpus, or with NAME:valid or NAME:test one of its official splits; None if there is none."""
    corpus, colon, part = name.partition(":")
    entry = registry().get(corpus)
    return entry if entry is None or not colon else entry.held_out.get(part)


def read_registry(path: Path) -> dict[str, NamedCorpus]:
    """The named corpora in a TOML file."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    for entry in entries.values():
        for part in ("valid", "test"):
            if part in entry:
                entry[part] = OfficialSplit(**_with_tuples(entry[part]))
    return {name: NamedCorpus(name=name, **_with_tuples(entry)) for name, entry in entries.items()}


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a table, each list as a tuple."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
