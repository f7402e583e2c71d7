"""From the bytes of a source to text, in chunks; bytes that are no text are an error that gives their offset."""

import codecs
import io
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from charlm.config import CorpusConfig
from charlm.data.inputs.charset import iconv_command, likely_encoding
from charlm.data.inputs.formats import require_text_format
from charlm.data.packed.compressed import Unpacker, unpacked
from charlm.data.registry import Source
from charlm.errors import CorpusError
from charlm.files import user_path

if TYPE_CHECKING:
    import hashlib

CHUNK = 1 << 20
"""Bytes of a source that are read at a time."""

_REMEDY = "name another with --encoding, or pass --errors replace"


def check_encoding(encoding: str) -> None:
    """Raise `CorpusError` unless `encoding` is a text encoding that Python knows."""
    try:
        " ".encode(encoding)  # fails for an unknown codec and for one that doesn't encode text
        codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError):
        raise CorpusError(
            f"--encoding {encoding[:40]!r} is not a known text encoding; try utf-8, latin-1 or cp1251"
        ) from None


def read_utf8(name: str, stream: BinaryIO | None = None) -> str:
    """The text of a whole UTF-8 file, compressed or not; a byte order mark at the start is dropped.

    Args:
        name: the path of the file, or - for standard input.
        stream: a stream to read instead of the file; `name` is then used in messages only.

    Raises:
        CorpusError: it can't be read, or is not UTF-8; names the first invalid byte, its offset, and what to do.
    """
    shown = "standard input" if name == "-" else name
    try:
        if stream is not None:
            file: BinaryIO = io.BytesIO(stream.read())
        elif name != "-":
            file = io.BytesIO(user_path(name).read_bytes())  # a pipe can't be read from its start again
        elif sys.stdin is None:
            raise CorpusError("standard input is closed; name a file instead of -")
        else:
            file = io.BytesIO(sys.stdin.buffer.read())
        with unpacked(file, shown) as text_file:
            require_text_format(text_file, shown, name)
            data = text_file.read()
    except IsADirectoryError:
        raise CorpusError(f"{shown} is a folder; name a file") from None
    except (OSError, ValueError) as error:  # ValueError for a name with a NUL
        raise CorpusError(f"{shown} can't be read: {getattr(error, 'strerror', error)}") from None
    try:
        text = data.decode()
        if (offset := data.find(0)) < 0:
            return text.removeprefix("\ufeff")
        problem = f"has a NUL at byte offset {offset}, so it is not UTF-8 text"
    except UnicodeDecodeError as error:
        offset = error.start
        problem = f"is not valid UTF-8: byte {data[offset]:#04x} at byte offset {offset}"
    found = likely_encoding(lambda: io.BytesIO(data), offset, "utf-8")
    remedy = "save it as UTF-8" if found is None else f"it looks like {found}; convert it: {iconv_command(name, found)}"
    raise CorpusError(f"{shown} {problem}; {remedy}")


class Decoded(NamedTuple):
    """A chunk of a text."""

    text: str
    bytes: int
    """Bytes of the text read so far, unpacked if it is compressed."""
    stored: int
    """Bytes of the file read so far."""


def decoded(source: Source, config: CorpusConfig, digest: "hashlib._Hash") -> Iterator[Decoded]:
    """One source's text in chunks; drops a byte order mark at the start.

    Args:
        source: the source to read.
        config: the encoding of the source, and how to treat undecodable bytes.
        digest: the hash to update with the bytes, unpacked.

    Raises:
        CorpusError: the source has undecodable bytes, NUL characters or lone surrogates, and errors is "strict".
        OSError: the source can't be read.
    """
    decoder = codecs.getincrementaldecoder(config.encoding)(config.errors)
    offset = characters = 0
    with source.open() as file:
        require_text_format(file, source.name)
        final = False
        while not final:
            chunk = file.read(CHUNK)
            final = not chunk
            digest.update(chunk)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final)
            except UnicodeDecodeError as error:
                error_offset = offset - pending + error.start
                remedy = _remedy(source, error_offset, config.encoding)
                raise CorpusError(
                    f"{source.name}: byte {error.object[error.start]:#04x} at byte offset {error_offset} is not valid "
                    f"{config.encoding}; {remedy}"
                ) from None
            except UnicodeError as error:  # some codecs give no position
                remedy = _remedy(source, offset, config.encoding)
                raise CorpusError(f"{source.name} is not valid {config.encoding} ({error}); {remedy}") from None
            offset += len(chunk)
            if characters == 0:
                text = text.removeprefix("\ufeff")
            text = _checked(text, source, characters, config)
            characters += len(text)
            if text:
                yield Decoded(text, offset, file.stored if isinstance(file, Unpacker) else offset)


def _remedy(source: Source, offset: int, encoding: str, otherwise: str = _REMEDY) -> str:
    """What to do about a source whose byte at an offset is invalid in an encoding."""
    found = likely_encoding(source.open, offset, encoding)
    return otherwise if found is None else f"it looks like {found}: pass --encoding {found}"


def _checked(text: str, source: Source, offset: int, config: CorpusConfig) -> str:
    """`text`, with NULs and lone surrogates replaced by U+FFFD or refused; `offset` is its first character's."""
    if "\0" in text:
        if config.errors == "strict":
            remedy = _remedy(source, 0, config.encoding, "to read it anyway, pass --errors replace")
            raise CorpusError(
                f"{source.name}: NUL at character offset {offset + text.index(chr(0))}, so this is not plain text in "
                f"{config.encoding}; {remedy}"
            )
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()  # fails only on surrogates, which codecs such as unicode_escape let through
    except UnicodeEncodeError as error:
        if config.errors == "strict":
            raise CorpusError(
                f"{source.name}: a lone surrogate (U+{ord(text[error.start]):04X}) at character offset "
                f"{offset + error.start}, which is not a character; {_REMEDY}"
            ) from None
        return re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text
