"""The ids on disk are those that each document has by itself, however a text is read and cut."""

import re
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data import documents as documents_module
from charlm.data import encoding
from charlm.data.corpus import Corpus, read_corpus
from charlm.data.dataset import make_dataset
from charlm.data.encoded import split_writer
from charlm.data.encoded.label_codes import LabelCodes
from charlm.data.encoded.split_writer import encode_corpus
from charlm.data.sources import find_sources
from charlm.data.splits import SPLITS, boundaries
from charlm.errors import CharlmError
from charlm.tokenizers import Tokenizer, fit_tokenizer

SEPARATORS = {"line": r"\r\n|\n|\r", "paragraph": r"(?>\r\n|\n|\r)(?:[ \t]*(?>\r\n|\n|\r))+", "separator": "%%"}
LEARNT = "the cat sat on the mat, Ünïcode \U0001f600\n" * 40
TOKENIZERS: dict[str, Tokenizer] = {
    kind: fit_tokenizer([LEARNT], len(LEARNT), TokenizerConfig(kind=kind, vocab_size=320))  # type: ignore[arg-type]
    for kind in ("char", "byte", "subword")
}


def plainly(text: str, config: CorpusConfig) -> list[list[str]]:
    """The documents of each split, found one by one."""
    splits: list[list[str]] = [[], [], []]
    if config.documents == "file":
        start = 0
        for index, end in enumerate(boundaries(len(text), config.splits)):
            splits[index] += [text[start:end]] if end > start else []
            start = end
        return splits
    found = [part for part in re.split(SEPARATORS[config.documents], text) if part]
    ends = boundaries(sum(map(len, found)), config.splits)
    position = index = 0
    for document in found:
        while index < 2 and position >= ends[index]:
            index += 1
        splits[index].append(document)
        position += len(document)
    return splits


def corpus_of(path: Path, text: str, config: CorpusConfig) -> Corpus:
    path.write_text(text, encoding="utf-8", newline="")
    return read_corpus(find_sources(path), config)


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("documents", ["file", "line", "paragraph", "separator"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(data=st.data())
def test_each_document_is_encoded_as_by_itself(tmp_path_factory, kind: str, documents: str, data) -> None:
    text = data.draw(st.text("abé\u2581\U0001f600 \t\n\r%", max_size=80)).strip(" \t\r\n%") + "end"
    first = data.draw(st.integers(1, 100))
    second = data.draw(st.integers(0, 100 - first))
    separator = "%%" if documents == "separator" else None
    config = CorpusConfig(documents=documents, separator=separator, splits=(first, second, 100 - first - second))
    folder, tokenizer = tmp_path_factory.mktemp("ids"), TOKENIZERS[kind]
    with pytest.MonkeyPatch.context() as patch:
        if documents != "file":  # where a long file is read in parts, subwords end
            patch.setattr(encoding, "CHUNK", data.draw(st.sampled_from([3, 10, 1 << 20])))
        patch.setattr(split_writer, "BATCH", data.draw(st.sampled_from([1, 10, 1 << 20])))
        encode_corpus(corpus_of(folder / "text", text, config), tokenizer, folder / "ids")
    for name, wanted in zip(SPLITS, plainly(text, config), strict=True):
        ids = np.fromfile(folder / "ids" / f"{name}.ids", dtype=np.uint16)
        starts = np.fromfile(folder / "ids" / f"{name}.starts", dtype=np.int64)
        encoded = [
            [tokenizer.bos, *tokenizer.encode(document, unknown="replace").tolist(), tokenizer.eos]
            for document in wanted
        ]
        assert ids.tolist() == [*chain.from_iterable(encoded)]
        assert starts.tolist() == [sum(map(len, encoded[:index])) for index in range(len(encoded) + 1)]


def test_a_document_in_several_parts_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "CHUNK", 4)
    monkeypatch.setattr(documents_module, "MOST_BUFFERED", 3)
    text = "a long line\nb\n\nanother long line\nc"
    corpus = corpus_of(tmp_path / "text", text, CorpusConfig(documents="line", splits=(100, 0, 0)))
    assert [*corpus.split_documents("train")] == ["a long line", "b", "another long line", "c"]
    assert sum(len(part.texts) for _, part in corpus.parts()) > 4
    encode_corpus(corpus, TOKENIZERS["byte"], tmp_path / "ids")
    starts = np.fromfile(tmp_path / "ids" / "train.starts", dtype=np.int64)
    assert np.diff(starts).tolist() == [13, 3, 19, 3]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of(tmp_path / "text", "a text\n" * 99, CorpusConfig())
    with pytest.raises(CharlmError, match=r"can't write the encoded text to .*: No such file or directory; free some"):
        encode_corpus(corpus, TOKENIZERS["byte"], tmp_path / "missing" / "ids")

    def write(*_: object) -> None:
        raise OSError("1000 requested and 0 written")  # as numpy does when the disk is full

    monkeypatch.setattr(split_writer.SplitWriter, "write", write)
    with pytest.raises(CharlmError, match=r"can't write the encoded text to .*: the disk is full; free some space, or"):
        encode_corpus(corpus, TOKENIZERS["byte"], tmp_path / "ids")
    assert not [*tmp_path.glob(".encoding-*"), *tmp_path.glob("ids")]


@pytest.mark.parametrize("kind", ["char", "subword", "word"])
@pytest.mark.parametrize("batch", [1, 300, 1 << 20])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_each_document_has_its_labels_in_every_split(
    labelled_reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, batch: int, direction: str
) -> None:
    monkeypatch.setattr(split_writer, "BATCH", batch)
    columns = ("stars", "author")
    config = CorpusConfig(documents="record", text_column="text", label_column=columns, direction=direction)
    corpus = read_corpus(find_sources(labelled_reviews), config)
    tokenizer = fit_tokenizer([labelled_reviews.read_text()], 5000, TokenizerConfig(kind=kind, vocab_size=400))
    encode_corpus(corpus, tokenizer, tmp_path / "ids", labels=corpus.labels())
    codes = LabelCodes(corpus.labels())
    for name in SPLITS:
        wanted = [(text, part.labels) for part in corpus.split_parts(name) for text in part.texts]
        wanted = wanted[::-1] if direction == "backward" else wanted
        labels = np.fromfile(tmp_path / "ids" / f"{name}.labels", dtype=np.uint16).reshape(-1, len(columns))
        assert labels.tolist() == [codes(labels).tolist() for _, labels in wanted] and len({*map(tuple, labels)}) > 5
        ids = np.fromfile(tmp_path / "ids" / f"{name}.ids", dtype=np.uint16)
        starts = np.fromfile(tmp_path / "ids" / f"{name}.starts", dtype=np.int64)
        step = -1 if direction == "backward" else 1
        for (text, _), start, end in zip(wanted, starts[:-1], starts[1:], strict=True):
            assert tokenizer.decode(ids[start:end][::step]) == text


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_no_python_function_is_called_for_each_document(tmp_path: Path, kind: str) -> None:
    count, calls = 20_000, Counter[str]()
    (tmp_path / "text").write_text("".join(f"{'abcdefghij'[n % 10]}\n" for n in range(count)))
    sys.setprofile(lambda frame, event, _: calls.update([event]))
    try:
        corpus = read_corpus(find_sources(tmp_path / "text"), CorpusConfig(documents="line"))
        dataset = make_dataset(corpus, TokenizerConfig(kind=kind, vocab_size=300))  # type: ignore[arg-type]
    finally:
        sys.setprofile(None)
    assert sum(dataset.split(name).facts.documents for name in SPLITS) == corpus.documents == count
    assert calls["call"] < count / 2
