"""From the bytes of a source to text, in chunks; bytes that are no text are an error that gives their offset."""

import codecs
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from charlm.config import CorpusConfig
from charlm.data.registry import Source
from charlm.errors import CorpusError

if TYPE_CHECKING:
    import hashlib

_CHUNK = 1 << 20  # bytes read at a time
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
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
    """The text of a whole UTF-8 file; a byte order mark at the start is dropped.

    Args:
        name: the path of the file, or - for standard input.
        stream: a stream to read instead of the file; `name` is then used in messages only.

    Raises:
        CorpusError: it can't be read, or is not UTF-8; names the first invalid byte and its offset.
    """
    shown = "standard input" if name == "-" else name
    try:
        if stream is not None:
            data = stream.read()
        elif name != "-":
            data = Path(name).read_bytes()
        elif sys.stdin is None:
            raise CorpusError("standard input is closed; name a file instead of -")
        else:
            data = sys.stdin.buffer.read()
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except OSError as error:
        raise CorpusError(f"{shown} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        offset = error.start + len(codecs.BOM_UTF8) * data.startswith(codecs.BOM_UTF8)
        raise CorpusError(
            f"{shown} is not valid UTF-8: byte {error.object[error.start]:#04x} at byte offset {offset}; save it as "
            "UTF-8"
        ) from None


def decoded(source: Source, config: CorpusConfig, digest: "hashlib._Hash") -> Iterator[tuple[str, int]]:
    """One source's text in chunks, each with the number of bytes read so far; drops a byte order mark at the start.

    Args:
        source: the source to read.
        config: the encoding of the source, and how to treat undecodable bytes.
        digest: the hash to update with the bytes.

    Raises:
        CorpusError: the source has undecodable bytes, NUL characters or lone surrogates, and errors is "strict".
        OSError: the source can't be read.
    """
    decoder = codecs.getincrementaldecoder(config.encoding)(config.errors)
    offset = characters = 0
    with source.open() as file:
        final = False
        while not final:
            chunk = file.read(_CHUNK)
            final = not chunk
            digest.update(chunk)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final)
            except UnicodeDecodeError as error:
                error_offset = offset - pending + error.start
                is_utf16 = error_offset == 0 and error.object[:2] in _UTF16_MARKS
                remedy = "it starts like UTF-16: pass --encoding utf-16" if is_utf16 else _REMEDY
                raise CorpusError(
                    f"{source.name}: byte {error.object[error.start]:#04x} at byte offset {error_offset} is not valid "
                    f"{config.encoding}; {remedy}"
                ) from None
            except UnicodeError as error:  # some codecs give no position
                raise CorpusError(f"{source.name} is not valid {config.encoding} ({error}); {_REMEDY}") from None
            offset += len(chunk)
            if characters == 0:
                text = text.removeprefix("\ufeff")
            text = _checked(text, source.name, characters, config.errors)
            characters += len(text)
            if text:
                yield text, offset


def _checked(text: str, name: str, offset: int, errors: str) -> str:
    """`text`, with NULs and lone surrogates replaced by U+FFFD or refused; `offset` is its first character's."""
    if "\0" in text:
        if errors == "strict":
            raise CorpusError(
                f"{name}: NUL at character offset {offset + text.index(chr(0))}, so this is not plain text; if it is "
                "UTF-16, pass --encoding utf-16; to read it anyway, pass --errors replace"
            )
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()  # fails only on surrogates, which codecs such as unicode_escape let through
    except UnicodeEncodeError as error:
        if errors == "strict":
            raise CorpusError(
                f"{name}: a lone surrogate (U+{ord(text[error.start]):04X}) at character offset "
                f"{offset + error.start}, which is not a character; {_REMEDY}"
            ) from None
        return re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text
