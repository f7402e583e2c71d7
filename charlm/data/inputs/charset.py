"""The likely encoding of bytes that are not valid in another one, and what to do about it."""

import codecs
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_MARKS = (  # that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
_CANDIDATES = (
    "utf_8 utf_16_le utf_16_be utf_32_le utf_32_be cp1252 cp1251 cp1250 cp1253 cp1254 cp1255 cp1256 cp1257 koi8_r "
    "cp866 cp932 euc_jp gb18030 big5 cp949"
)
_LIKELIEST = "cp1252"  # wherever it gives the same text as the encoding that was found
_SAMPLE = 1 << 16  # bytes around the first invalid one
_CHUNK = 1 << 20


def likely_encoding(open_file: Callable[[], BinaryIO], offset: int, given: str) -> str | None:
    """An encoding in which the whole of a file is text; None if none is likely.

    Args:
        open_file: opens the file.
        offset: of a byte that is invalid in the encoding `given`.
        given: the encoding that was tried, which is not found again.
    """
    from charset_normalizer import from_bytes  # slow to import and rarely needed

    with open_file() as file:
        start = file.read(4)
        file.seek(max(0, offset - _SAMPLE // 2) // 4 * 4)
        sample = file.read(_SAMPLE)
    if marked := [name for mark, name in _MARKS if start.startswith(mark)]:
        found = marked[0]
    elif _is_damaged_utf8(sample):
        return None
    else:
        sample = sample[: len(sample) // 4 * 4] or sample
        best = from_bytes(sample, cp_isolation=_CANDIDATES.split()).best()
        if best is None:
            return None
        found = _LIKELIEST if _LIKELIEST in best.could_be_from_charset else best.encoding.replace("_", "-")
    if codecs.lookup(found).name == codecs.lookup(given).name or not _is_text(open_file, found):
        return None
    return found


def iconv_command(path: str, encoding: str) -> str:
    """A command that writes a copy of a file in UTF-8, or that converts what is piped through it if `path` is -."""
    command = f"iconv -f {encoding.replace('utf-16-', 'utf-16').replace('utf-32-', 'utf-32')} -t utf-8"
    return command if path == "-" else f"{command} {shlex.quote(path)} > {shlex.quote(Path(path).stem + '.utf8.txt')}"


def _is_damaged_utf8(sample: bytes) -> bool:
    """Whether a sample is invalid UTF-8, but at least half of what isn't ASCII is valid, which is no accident."""
    text = sample.decode("utf-8", "replace")
    invalid = text.count("\ufffd")
    return 0 < invalid <= sum(not character.isascii() for character in text) / 2


def _is_text(open_file: Callable[[], BinaryIO], encoding: str) -> bool:
    """Whether a file is valid in an encoding and has no NUL."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_file() as file:
        final = False
        while not final:
            chunk = file.read(_CHUNK)
            final = not chunk
            try:
                if "\0" in decoder.decode(chunk, final):
                    return False
            except UnicodeError:
                return False
    return True
