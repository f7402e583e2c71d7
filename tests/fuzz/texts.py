"""Random bytes of text files, sound and damaged, and folders of them."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

from mutations import Random, mutated_bytes

ENCODINGS = [
    "utf-8",
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-be",
    "cp1252",
    "gb18030",
]
SUFFIXES = [".txt", ".txt", ".csv", ".tsv", ".jsonl", ".md", ".json", ".bin", ".safetensors", ""]
COMPRESS = [gzip.compress, bz2.compress, lzma.compress]
_SENTENCES = [
    "the cat and the dog",
    "Мороз и солнце",
    "éàü ß €",
    "e\u0301",
    "天地玄黄",
    "🐈 cat",
    "a,b;c\td|e",
    '"a, ""b""',
]
_LINE_ENDS = ["\n", "\n", "\r\n", "\r", "\n\n", "\n \n", "\r\n\r\n", "\u2028", "\x85", "\v", "\n%%\n", "\n\r"]
_ODD = [
    "\0",
    "\x1b[2J",
    "\ufeff",
    "\u202e",
    "\ufffd",
    "\ud800",
    "\U0010ffff",
    "\x7f",
    "\b",
    " " * 999,
    "x" * 70_000,
    "\t",
]


def text_of(chance: Random) -> str:
    """A text of some lines, with odd characters now and then."""
    ends = chance.sample(_LINE_ENDS, chance.choice([1, 1, 2, 5]))
    words = chance.sample(_SENTENCES, chance.choice([1, 1, 2, len(_SENTENCES)]))
    parts = [
        part
        for _ in range(chance.choice([0, 1, 3, 30, 30, 250]))
        for part in (chance.choice(words), chance.choice(ends))
    ]
    for _ in range(chance.choice([0, 0, 0, 1, 2])):
        parts.insert(chance.randrange(len(parts) + 1), chance.choice(_ODD))
    return "".join(parts)


def table_of(chance: Random) -> str:
    """A table of a kind, not always a sound one."""
    if chance.random() < 0.3:
        return "".join(json.dumps({"id": n, "text": chance.choice(_SENTENCES)}) + "\n" for n in range(20))
    delimiter, end = chance.choice(",;\t|"), chance.choice(["\n", "\r\n", "\r"])
    header = chance.choice([["id", "text"], ["a" * 50, ""], ["x"] * 2, ["text", 'quo"te'], ["1", "2"]])
    rows = [
        [str(n), chance.choice([*_SENTENCES, '"open', f'"two{end}lines"'])] for n in range(chance.choice([0, 2, 30]))
    ]
    return "".join(delimiter.join(row) + end for row in [header, *rows])


def encoded(text: str, chance: Random) -> bytes:
    """The bytes of a text in one of the encodings."""
    encoding = chance.choice(ENCODINGS)
    errors = ["replace", "ignore", "surrogatepass" if encoding.startswith("utf") else "replace"]
    return text.encode(encoding, chance.choice(errors))


def packed(chance: Random) -> bytes:
    """An archive or a document, or what begins like one."""
    content, kind = text_of(chance).encode("utf-8", "replace"), chance.randrange(5)
    if kind == 0:
        return chance.choice(COMPRESS)(content)
    if kind == 1:
        return chance.choice([b"%PDF-1.7\n", b"BZh91AY&SY", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"{\\rtf1"]) + content
    names = [["text.txt"], ["word/document.xml"], ["content.xml"], ["META-INF/container.xml"], ["a/b.txt", "c.txt"]]
    return zipped(dict.fromkeys(chance.choice(names), content), chance)


def zipped(files: dict[str, bytes], chance: Random) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    method = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def file_bytes(chance: Random) -> bytes:
    """What a file given as a text may hold: text, a table, an archive, noise, or any of these with changes."""
    kind = chance.randrange(10)
    if kind == 0:
        content = packed(chance)
    elif kind == 1:
        content = chance.randbytes(chance.choice([0, 1, 2, 3, 300, 5000]))
    else:
        content = encoded(table_of(chance) if kind < 4 else text_of(chance), chance)
    return mutated_bytes(content, chance) if chance.random() < 0.4 else content


def write_folder(folder: Path, chance: Random) -> None:
    """Fill a new folder with files, folders and links, also to nothing, to itself, and twice to the same."""
    folder.mkdir(parents=True)
    for number in range(chance.choice([0, 1, 3, 6])):
        path = folder / f"{chance.choice(['', '', '.', ' ', '-', 'é'])}{number}{chance.choice(SUFFIXES)}"
        kind = chance.randrange(8)
        if kind == 0:
            path.symlink_to(chance.choice([".", "..", "nothing", path.name, "0.txt"]))
        elif kind == 1:
            path.touch()
        elif kind == 2 and len(folder.parts) < 40:
            write_folder(path, chance)
        else:
            path.write_bytes(file_bytes(chance))
