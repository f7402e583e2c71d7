"""Make the text that the bundled model of English is trained on, from the sources in charlm/pretrained/english.

    python benchmarks/english_text.py CLONES FOLDER [--without FILE...]

CLONES has a git directory for each repository, CLONES/OWNER+NAME, as `git clone --bare` makes it, and a folder for each
unpacked Debian package, CLONES/PACKAGE, as `dpkg-deb -x` makes it, at the versions that sources.tsv names. Writes
FOLDER/train and FOLDER/valid, the last hundredth of each text, and fills in the columns `bytes` and `sha256` of
sources.tsv.

Characters that the model doesn't know are replaced by the nearest known one, or left out. Paragraphs that share 48
letters or more with a text of `--without` are left out: name the texts that the model is measured on.
"""

import argparse
import csv
import gzip
import hashlib
import html
import io
import json
import random
import re
import subprocess
import sys
import textwrap
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from runs import start

from charlm.storage.runs import PRETRAINED

SOURCES = PRETRAINED / "english" / "sources.tsv"
KNOWN = frozenset(
    "\n !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
    "–—‘’“”…§•°£àâçèéêëîïñôöü"
)
NEAREST = (
    dict.fromkeys(map(ord, "\xa0\u2002\u2003\u2009\u200a\u202f"), " ")
    | dict.fromkeys(map(ord, "\xad\u200b\u2060\ufeff†‡"), "")
    | str.maketrans("‐‑−―′″„‚×⁄·øð", "---—'\"“‘x/•od")
    | {
        ord("\t"): "    ",
        ord("⸺"): "——",
        ord("ß"): "ss",
        ord("œ"): "oe",
        ord("æ"): "ae",
        ord("þ"): "th",
        ord("Æ"): "Ae",
        ord("Œ"): "Oe",
    }
)
"""What stands for characters that have no decomposition into known ones."""
SHARED = 48
"""Letters of the shortest passage that counts as shared with a text the model is measured on."""
VALID_SHARE, VALID_MOST = 0.01, 12_000


@dataclass
class Source:
    """A row of sources.tsv: a text, and where it is from."""

    file: str
    title: str
    licence: str
    reader: str
    """The name of one of READERS."""
    most: int
    """Most characters from one file of an origin; 0 if there is no limit."""
    origin: str
    """OWNER/NAME@COMMIT:FILES or "Debian PACKAGE==VERSION:FILES", several joined by "; ". FILES is a regular expression
    that paths are searched for, or {PATH; PATH; ...}."""
    bytes: int
    sha256: str


def plain(data: bytes) -> str:
    """The file as it is."""
    return data.decode("utf-8", "replace")


def markdown(data: bytes) -> str:
    """The prose of Markdown: without front matter, code blocks, images, targets of links and HTML tags."""
    text = re.sub(r"\A---\n.*?\n---\n", "", plain(data).replace("\r\n", "\n"), flags=re.DOTALL)
    text = re.sub(r"\A\+\+\+\n.*?\n\+\+\+\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^(```|~~~).*?^\1[^\n]*$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\{[{%<].*?[}%>]\}|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]+)\]\([^)\s]*[^)]*\)|\[([^\]]+)\]\[[^\]]*\]", lambda link: link[1] or link[2], text)
    text = re.sub(r"^\[[^\]]+\]:.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^#+ *|\*\*|__", "", text, flags=re.MULTILINE)
    return html.unescape(re.sub(r"</?[a-zA-Z][^>]*>", "", text))


def book(data: bytes) -> str:
    """A book in Markdown: chapters and paragraphs, without the head that names title, author and year."""
    text = plain(data).replace("\r\n", "\n")
    return re.sub(r"^#+ *|\*\*|[*_\\]", "", text.partition("\n-------\n")[2] or text, flags=re.MULTILINE)


BLOCKS = "p|div|h[1-6]|li|tr|dt|dd|section|article|blockquote|header|footer|table|ul|ol|dl|figure|figcaption|hr|body"
"""The elements of HTML that end a paragraph."""


def page(data: bytes) -> str:
    """The text of an HTML or XHTML page: a paragraph for each block, lines where the page breaks them."""
    unread = r"<(script|style|head|nav|pre)\b.*?</\1>|<a [^>]*noteref[^>]*>.*?</a>|<!--.*?-->|<\?.*?\?>"
    text = re.sub(unread, "", plain(data), flags=re.DOTALL | re.IGNORECASE)
    text = re.sub(r" ?<br ?/?> ?", "\n", re.sub(r"\s+", " ", text), flags=re.IGNORECASE)
    text = re.sub(rf" ?</?({BLOCKS})\b[^>]*> ?", "\n\n", text, flags=re.IGNORECASE)
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return re.sub(r"^ +| +$", "", text, flags=re.MULTILINE)


def treebank(data: bytes) -> str:
    """The sentences of a treebank in CoNLL-U, in paragraphs where it marks them."""
    parts: list[str] = []
    for line in plain(data).splitlines():
        if line.startswith(("# newpar", "# newdoc")):
            parts.append("\n\n" if parts and parts[-1] != "\n\n" else "")
        elif line.startswith("# text = "):
            parts.append((" " if parts and parts[-1].strip() else "") + line.removeprefix("# text = "))
    return "".join(parts)


def dialogue(data: bytes) -> str:
    """Dialogues of Google's data sets: a line for each turn, an empty line between dialogues."""
    names = {"USER": "User", "SYSTEM": "Assistant", "user": "User", "assistant": "Assistant"}
    dialogues = []
    for entry in json.loads(data):
        turns = entry.get("turns") or entry.get("utterances") or ()
        said = ((turn["speaker"], turn.get("utterance") or turn.get("text", "")) for turn in turns)
        dialogues.append("\n".join(f"{names.get(speaker, speaker)}: {text}" for speaker, text in said))
    return "\n\n".join(dialogues)


def split_sentences(data: bytes) -> str:
    """The sentences of WikiSplit without quotations, put together again from words and punctuation that stand apart."""
    lines = [line.partition("\t")[2] for line in plain(data).splitlines()]
    text = "\n\n".join(line.replace(" <::::> ", " ") for line in lines if not re.search(r"^'|''|``|\"", line))
    text = re.sub(r" ('s|'re|'ve|'ll|'d|'m|n't)\b", r"\1", text)
    text = re.sub(r" ([,.;:!?%)\]])", r"\1", text)
    return re.sub(r"([(\[$]) ", r"\1", text)


def first_column(data: bytes) -> str:
    """The first column of a table with tabs, a line each, in random order, twenty lines to a paragraph."""
    lines = list(dict.fromkeys(line.partition("\t")[0] for line in plain(data).splitlines()))
    random.Random(1).shuffle(lines)
    return "\n\n".join("\n".join(lines[at : at + 20]) for at in range(0, len(lines), 20))


def transcript(data: bytes) -> str:
    """A transcript of a space flight, without the times."""
    return re.sub(r"^(\[[\d:-]+\]|_\w+ ?:.*)\n", "", plain(data), flags=re.MULTILINE)


def gutenberg(data: bytes) -> str:
    """A text of Project Gutenberg without its notices; paragraphs are as far to the left as they go."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    start = re.search(r"^\*\*\* ?START OF.*\n", text, flags=re.MULTILINE)
    end = re.search(r"^(\*\*\* ?END OF|End of (the )?Project Gutenberg)", text, flags=re.MULTILINE)
    text = text[start.end() if start else 0 : end.start() if end else len(text)]
    return "\n\n".join(map(textwrap.dedent, text.replace("_", "").split("\n\n")))


def irc(data: bytes) -> str:
    """What people say in a log of IRC: without times, notices and bots, in paragraphs of a minute."""
    said: dict[str, list[str]] = {}
    for time, line in re.findall(r"^\[(\d\d:\d\d)\] ((?:<|\* ).+)", plain(data), flags=re.MULTILINE):
        if not re.match(r"<\w*bot\w*>", line, flags=re.IGNORECASE):
            said.setdefault(time, []).append(line)
    return "\n\n".join("\n".join(lines) for lines in said.values())


def gitter(data: bytes) -> str:
    """What people say in a room of Gitter, as in IRC: without code and addresses, in paragraphs of an hour."""
    said: dict[str, list[str]] = {}
    rows = [row for row in csv.reader(plain(data).splitlines(keepends=True), delimiter="\t") if len(row) == 7]
    for _, _, sent, _, name, _, text in sorted(rows, key=lambda row: row[2]):
        words = " ".join(re.sub(r"```.*?(```|$)", "", text, flags=re.DOTALL).split())
        if words and name != "camperbot" and not re.search(r"\S@\S", words):
            said.setdefault(sent[:13], []).append(f"<{name}> {words}")
    return "\n\n".join("\n".join(lines) for lines in said.values())


def contexts(data: bytes) -> str:
    """The paragraphs of a data set of questions in the format of SQuAD."""
    return "\n\n".join(part["context"] for article in json.loads(data)["data"] for part in article["paragraphs"])


def archive(data: bytes) -> str:
    """The text files of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as files:
        names = sorted(name for name in files.namelist() if re.search(r"\d{4}.*\.txt$", name))
        return "\n\n".join(files.read(name).decode("utf-8", "replace") for name in names)


READERS: dict[str, Callable[[bytes], str]] = {
    reader.__name__: reader
    for reader in (
        plain,
        markdown,
        book,
        page,
        treebank,
        dialogue,
        split_sentences,
        first_column,
        transcript,
        gutenberg,
        irc,
        gitter,
        contexts,
        archive,
    )
}


def origin_files(clones: Path, origin: str) -> Iterator[bytes]:
    """The contents of the files that one origin names, by path; titles in braces are in the order named."""
    place, _, pattern = origin.partition(":")
    if place.startswith("Debian "):
        folder = clones / place.removeprefix("Debian ").partition("==")[0]
        for path in sorted(folder.rglob("*")):
            if path.is_file() and re.search(pattern, path.relative_to(folder).as_posix()):
                yield gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return
    repository, _, commit = place.partition("@")
    git = ["git", "--git-dir", str(clones / repository.replace("/", "+"))]

    def run(*words: str) -> bytes:
        return subprocess.run([*git, *words], check=True, stdout=subprocess.PIPE).stdout

    names = run("ls-tree", "-r", "-z", "--name-only", commit).decode().split("\0")
    if pattern.startswith("{"):
        chosen = [name.strip() for name in pattern.strip("{}").split("; ")]
    else:
        chosen = sorted(name for name in names if re.search(pattern, name))
    for name in chosen:
        yield run("show", f"{commit}:{name}")


def clean(text: str) -> str:
    """The text in the characters that the model knows, with at most two empty lines in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).translate(NEAREST)
    parts = {character: unicodedata.normalize("NFKD", character) for character in set(text) - KNOWN}
    nearest = {
        character: "".join(part for part in decomposed if part in KNOWN) for character, decomposed in parts.items()
    }
    text = text.translate(str.maketrans(nearest))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" +$", "", text, flags=re.MULTILINE)).strip() + "\n"


def letters(text: str) -> str:
    """The letters of a text, in lower case: what shared passages are looked for in."""
    return re.sub(r"[^a-z]", "", text.lower())


class Passages:
    """The passages of the texts that the model is measured on."""

    def __init__(self, texts: Iterable[str], step: int = 16) -> None:
        self.window, self.step = SHARED - step + 1, step
        self.hashes: set[int] = set()
        for text in map(letters, texts):
            self.hashes.update(hash(text[at : at + self.window]) for at in range(0, len(text), step))

    def shared(self, paragraph: str) -> bool:
        """Whether a paragraph has a passage of theirs of SHARED letters or more."""
        text = letters(paragraph)
        return any(hash(text[at : at + self.window]) in self.hashes for at in range(len(text) - self.window + 1))


def make(source: Source, clones: Path, passages: Passages) -> str:
    """The text of a source."""
    reader, texts = READERS[source.reader], []
    for origin in re.split(r"; (?=[\w-]+/[\w.-]+@|Debian )", source.origin):
        found = [*origin_files(clones, origin)]
        if not found:
            sys.exit(f"{clones} has no file of {origin}")
        for data in found:
            text = clean(reader(data))
            if source.most and len(text) > source.most:
                text = text[: text.rfind("\n\n", 0, source.most)]
            texts.append(text.strip())
    paragraphs = "\n\n".join(texts).split("\n\n")
    return "\n\n".join(paragraph for paragraph in paragraphs if not passages.shared(paragraph)) + "\n"


def main() -> None:
    """Write the texts, and what they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without", type=Path, nargs="*", default=[], help="texts that the model is measured on")
    arguments = parser.parse_args()
    passages = Passages(path.read_text("utf-8", "replace") for path in arguments.without)
    with SOURCES.open(newline="") as table:
        sources = [
            Source(**{**row, "most": int(row["most"]), "bytes": 0}) for row in csv.DictReader(table, delimiter="\t")
        ]
    for source in sources:
        text = make(source, arguments.clones, passages)
        data = text.encode()
        source.bytes, source.sha256 = len(data), hashlib.sha256(data).hexdigest()
        end = text.rfind("\n", 0, len(text) - min(int(VALID_SHARE * len(text)), VALID_MOST)) + 1
        for part, content in (("train", text[:end]), ("valid", text[end:])):
            path = arguments.folder / part / source.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        print(f"{source.file}  {source.bytes:,} bytes", flush=True)
    with SOURCES.open("w", newline="") as table:
        writer = csv.writer(table, delimiter="\t", lineterminator="\n")
        writer.writerow(field.name for field in fields(Source))
        writer.writerows(map(astuple, sources))


if __name__ == "__main__":
    start(main)
