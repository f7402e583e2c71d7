"""Bytes of texts, tables, archives and folders: read and trained on, or an error of one line."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cases import Random, cases, outcome, require_finite, run_command, same_or_error
from mutations import mutated_bytes
from texts import COMPRESS, ENCODINGS, SUFFIXES, encoded, file_bytes, text_of, write_folder, zipped

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import Corpus, open_corpus
from charlm.data.dataset import make_dataset
from charlm.data.packed.compressed import compression_of
from charlm.data.packed.zip_member import extract
from charlm.data.registry import file_source
from charlm.data.sources import find_sources
from charlm.data.splits import SPLITS
from charlm.progress import silent

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:invalid escape sequence"),  # of the codec unicode_escape
]
SEPARATORS = ["\n%%\n", "a", "\r\n", "\r", "\n", "\0", " ", "é", "\ud800", "the cat" * 99]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for the files of a case."""
    return tmp_path / "case"


def write_text(place: Path, chance: Random) -> Path:
    """Write a text, a file or a folder, below an empty folder."""
    shutil.rmtree(place, ignore_errors=True)
    path = place / f"text{chance.choice(SUFFIXES)}"
    if chance.random() < 0.2:
        write_folder(path, chance)
    else:
        place.mkdir()
        path.write_bytes(file_bytes(chance))
    return path


def corpus_config(chance: Random) -> CorpusConfig:
    """A configuration of a text."""
    documents: Any = chance.choice(["file", "line", "paragraph", "separator"])
    return CorpusConfig(
        documents=documents,
        separator=chance.choice(SEPARATORS) if documents == "separator" else None,
        splits=chance.choice(
            [(90, 5, 5), (100, 0, 0), (1, 1, 98), (50, 0, 50), (99.98, 0.01, 0.01), (1e-9, 0, 100 - 1e-9)]
        ),
        direction=chance.choice(["forward", "backward"]),
        encoding=chance.choice(
            ["utf-8", "utf-8", *ENCODINGS, "ascii", "utf-7", "idna", "unicode_escape", "hz", "cp037"]
        ),
        errors=chance.choice(["strict", "replace"]),
    )


def text_in(corpus: Corpus) -> str:
    """All documents, run together."""
    return (
        "".join(corpus.split_texts("train"))
        + "".join(corpus.split_texts("valid"))
        + "".join(corpus.split_texts("test"))
    )


def test_bytes_of_a_corpus(place: Path) -> None:
    """The documents are all of the text, once, and each split's tokens give its documents again."""
    for name, chance in cases("corpora"):
        path, config = write_text(place, chance), corpus_config(chance)
        tokenizer = TokenizerConfig(kind=chance.choice(["char", "char", "byte", "subword"]), vocab_size=300)

        def read(name=name, path=path, config=config, tokenizer=tokenizer) -> None:
            corpus = open_corpus(path, config)
            dataset = make_dataset(corpus, tokenizer)
            assert len(text_in(corpus)) == corpus.characters, name
            for split in SPLITS:
                written = [*corpus.split_documents(split)]
                tokens = getattr(dataset, split)
                assert tokens.facts.characters == sum(map(len, written)), name
                assert len(tokens.ids) == 0 or tokens.ids.max() < dataset.tokenizer.vocab_size, name
                if split == "train" and config.direction == "forward":
                    assert [*documents_in(dataset.tokenizer, tokens.ids)] == written, name

        outcome(name, read)


def documents_in(tokenizer: Any, ids: Any) -> Iterator[str]:
    """The documents that a stream of tokens consists of."""
    begun: list[int] = []
    for token in ids.tolist():
        if token == tokenizer.eos:
            yield tokenizer.decode(begun)
            begun = []
        elif token != tokenizer.bos:
            begun.append(token)
    assert not begun


def test_an_undamaged_text_is_read_as_python_decodes_it(place: Path) -> None:
    place.mkdir()
    path = place / "text.txt"
    for name, chance in cases("encodings"):
        encoding = chance.choice(ENCODINGS)
        path.write_bytes(content := text_of(chance).encode(encoding, "ignore"))
        expected = content.decode(encoding).removeprefix("\ufeff")
        config = CorpusConfig(splits=(100, 0, 0), encoding=encoding)
        same_or_error(name, lambda config=config: text_in(open_corpus(path, config)), expected)


def test_commands_on_a_corpus(place: Path, sound: Path) -> None:
    """Two steps of training on it, and the score of a sound model."""
    shape = "--steps 2 --hidden 4 --embedding 4 --batch-size 2 --seq-len 8 --threads 1 --validations 1 --dropout 0"
    for name, chance in cases("commands on corpora"):
        path = write_text(place, chance)
        options = [f"--errors={chance.choice(['strict', 'replace'])}", f"--encoding={chance.choice(ENCODINGS)}"]
        options += (
            [f"--documents={chance.choice(['file', 'line', 'paragraph'])}", "--json"] if chance.random() < 0.5 else []
        )
        if chance.random() < 0.5:
            tokenizer = ["--tokenizer", chance.choice(["char", "byte"]), "--ngram-order", chance.choice("0235")]
            ended = run_command(
                name, ["train", str(path), "--run", str(place / "run"), *shape.split(), *tokenizer, *options]
            )
        else:
            models = chance.choice([["eval", str(sound / "run")], ["compare", str(sound / "run"), str(sound / "run")]])
            ended = run_command(name, [*models, str(path), "--threads", "1", *options])
        require_finite(name, ended)


def test_bytes_of_an_archive(place: Path) -> None:
    """A whole file is what was packed; a part of a damaged archive may be any bytes, whose hash is checked before."""
    place.mkdir()
    archive, to = place / "archive.zip", place / "text.txt"
    for name, chance in cases("archives"):
        content = encoded(text_of(chance), chance) * chance.choice([1, 1, 50])
        packed = zipped({"other.txt": b"other", "folder/text.txt": content}, chance)
        part = None
        if chance.random() < 0.4:
            part = chance.choice([(0, len(content)), (1, 5), (3, 3), (len(content) // 2, len(content)), (0, 10**12)])
        damaged = chance.random() < 0.8
        archive.write_bytes(mutated_bytes(packed, chance) if damaged else packed)
        member = chance.choice(
            ["folder/text.txt", "folder/text.txt", "folder/text.txt", "nothing.txt", "folder/", "../x"]
        )

        def read(part=part, member=member) -> bytes:
            extract(archive, member, to, part=part, what="text", progress=silent)
            return to.read_bytes()

        if part is None:
            same_or_error(name, read, content)
        else:
            outcome(name, read)
        assert {path.name for path in place.iterdir()} <= {"archive.zip", "text.txt"}, name


def test_bytes_of_a_compressed_text(place: Path) -> None:
    """Read whole, as often as it is in the file, or an error; never a part of it, nor another text."""
    place.mkdir()
    path = place / "text.txt"
    for name, chance in cases("compressed texts"):
        content, size = text_of(chance).encode("utf-8", "replace"), chance.choice([1000, 1 << 20])
        content *= chance.choice([1, 1, 50])
        packed = chance.choice(COMPRESS)(content) * chance.choice([1, 1, 2])
        path.write_bytes(mutated_bytes(packed, chance) if chance.random() < 0.8 else packed)

        def read(size=size) -> bytes:
            with file_source(path).open() as file:
                return b"".join(iter(lambda: file.read(size), b""))

        found = outcome(name, read)
        if compression_of(path.read_bytes()) is not None:
            assert found in (None, content, content * 2), name


def test_bytes_of_a_zip_archive_that_is_a_text(place: Path) -> None:
    """Its files are read whole, or there is an error."""
    place.mkdir()
    path = place / "texts.zip"
    for name, chance in cases("zip archives"):
        contents = [encoded(text_of(chance), chance) for _ in range(chance.choice([1, 2, 5]))]
        packed = zipped({f"{number}.txt": content for number, content in enumerate(contents)}, chance)
        path.write_bytes(mutated_bytes(packed, chance) if chance.random() < 0.8 else packed)

        def read() -> list[bytes]:
            found = find_sources(path)
            return [source.open().read() for source in found.sources if found.folders]

        for content in outcome(name, read) or []:
            assert content in contents, name
