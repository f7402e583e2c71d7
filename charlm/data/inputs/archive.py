"""Texts in zip archives, which are downloaded as one file."""

import zipfile
import zlib
from itertools import takewhile
from pathlib import Path

from charlm.errors import DownloadError
from charlm.files import replacing
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
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as file, replacing(to) as written:
            first, last = part or (0, opened.getinfo(member).file_size)
            file.seek(first)
            begin = file.read(3) if first else b""
            written.write(begin[_continued(begin) :])
            done = first + len(begin)
            while done < last:
                content = file.read(min(_CHUNK, last - done))
                if not content:
                    raise EOFError(f"it has {done:,} bytes, and {what} needs {last:,}")
                written.write(content)
                done += len(content)
                progress(f"unpacking {what}", done - first, last - first)
            end = file.read(3)
            written.write(end[: _continued(end)])
    except (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, EOFError, OSError) as error:
        raise DownloadError(
            f"can't unpack {member} from {archive} ({type(error).__name__}: {error}); delete the archive and try again"
        ) from None


def _continued(content: bytes) -> int:
    """How many bytes at the start of `content` belong to a character that begins before it."""
    return len([*takewhile(_CONTINUATION.__contains__, content)])
