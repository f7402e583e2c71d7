"""One text of a zip archive that was downloaded, or a part of it, as a file of its own."""

import zipfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from charlm.errors import DownloadError
from charlm.files import replacing
from charlm.nouns import count_of
from charlm.progress import Progress

_CHUNK = 1 << 20
_CONTINUATION = range(0x80, 0xC0)  # bytes of UTF-8 that don't begin a character, at most three in a row


def extract(
    archive: Path, member: str, to: Path, *, part: tuple[int, int] | None = None, what: str, progress: Progress
) -> None:
    """Write a file of an archive, or a part of it, to `to`, atomically.

    Args:
        archive: a zip archive.
        member: the name of the file in it.
        to: the file to write.
        part: the first byte to write, and the byte after the last; None for all. A character that the end of a part
            would cut in two belongs to that part.
        what: the name of the text, for progress and errors.
        progress: called with the bytes written.

    Raises `DownloadError` if the archive is damaged, or lacks the file or the part.
    """
    with replacing(to) as written:
        for content, done, total in _contents(archive, member, part, what):
            written.write(content)
            progress(f"unpacking {what}", done, total)


def _contents(archive: Path, member: str, part: tuple[int, int] | None, what: str) -> Iterator[tuple[bytes, int, int]]:
    """The bytes to write, with how many bytes of the part have been read and the length of the part."""
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as file:
            first, last = part or (0, opened.getinfo(member).file_size)
            file.seek(first)
            begin = file.read(3) if first else b""
            done = first + len(begin)
            yield begin[_continued(begin) :], min(done, last) - first, last - first
            while done < last:
                content = file.read(min(_CHUNK, last - done))
                if not content:
                    raise EOFError(f"it has {count_of(done, 'byte')}, and {what} needs {last:,}")
                done += len(content)
                yield content, done - first, last - first
            end = file.read(3)
            yield end[: _continued(end)], last - first, last - first
    except Exception as error:  # of zipfile, or of a module that decompresses: their errors have no common class
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:120]
        raise DownloadError(
            f"can't unpack {member} from {archive} ({reason}); delete the archive and try again"
        ) from None


def _continued(content: bytes) -> int:
    """How many bytes at the start of `content` belong to a character that begins before it."""
    return len([*takewhile(_CONTINUATION.__contains__, content)])
