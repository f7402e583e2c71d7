import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data import dataset as dataset_module
from charlm.data import token_split
from charlm.data.corpus import open_corpus
from charlm.data.dataset import make_dataset
from charlm.errors import CharlmError, CorpusError


def texts(dataset, name: str) -> list[str]:
    split, tokenizer = dataset.split(name), dataset.tokenizer
    found = []
    for start, stop in zip(split.starts[:-1], split.starts[1:], strict=True):
        ids = split.read(int(start), int(stop))
        assert ids[0] == tokenizer.bos and ids[-1] == tokenizer.eos
        assert not np.isin(ids[1:-1], [tokenizer.bos, tokenizer.eos]).any()
        found.append(tokenizer.decode(ids))
    return found


LINES = "".join(f"line number {i}\n" for i in range(200))
KINDS = pytest.mark.parametrize("kind", ["char", "byte", "subword", "word"])


@KINDS
@pytest.mark.parametrize("documents", ["file", "line"])
def test_ids_are_the_documents_of_each_split(dataset_of, kind: str, documents: str) -> None:
    dataset = dataset_of(LINES, TokenizerConfig(kind=kind, vocab_size=320), documents=documents, splits=(80, 10, 10))
    found = [texts(dataset, name) for name in ("train", "valid", "test")]
    assert "".join("".join(part) for part in found) == (LINES if documents == "file" else LINES.replace("\n", ""))
    for name, part in zip(("train", "valid", "test"), found, strict=True):
        facts = dataset.split(name).facts
        assert facts.documents == len(part)
        assert facts.characters == sum(map(len, part)) == facts.bytes
        assert facts.tokens == len(dataset.split(name).ids) - facts.documents


def test_the_cache_is_used_and_follows_the_text(dataset_of, monkeypatch: pytest.MonkeyPatch) -> None:
    first = dataset_of(LINES)
    calls = []
    encode = dataset_module.encode_corpus
    monkeypatch.setattr(dataset_module, "encode_corpus", lambda *a, **k: calls.append(1) or encode(*a, **k))
    assert dataset_of(LINES).train.facts == first.train.facts
    assert calls == []
    changed = dataset_of(LINES.replace("number", "figure"))
    assert calls == [1]
    assert "figure" in texts(changed, "train")[0]
    dataset_of(LINES, splits=(80, 10, 10))
    dataset_of(LINES, TokenizerConfig(kind="byte"))
    assert calls == [1, 1, 1]


@pytest.mark.parametrize("damage", ["facts", "gone"])
def test_a_damaged_cache_is_made_again(dataset_of, tmp_path: Path, damage: str) -> None:
    expected = dataset_of(LINES).train.ids.copy()
    (folder,) = (tmp_path / "cache" / "tokens").iterdir()
    if damage == "facts":
        (folder / "facts.json").write_text("{")
    else:
        (folder / "train.starts").unlink()
    np.testing.assert_array_equal(dataset_of(LINES).train.ids, expected)


def test_ids_take_two_bytes_where_that_is_enough(dataset_of) -> None:
    assert dataset_of(LINES).train.ids.dtype == np.uint16
    many = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x11000)])) * 2
    wide = dataset_of(many, splits=(50, 25, 25))
    assert wide.train.ids.dtype == np.uint32
    assert texts(wide, "train")[0] == many[: len(many) // 2]


def test_places_of_many_documents_stay_on_disk(dataset_of, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = dataset_of(LINES, documents="line").train.starts
    monkeypatch.setattr(token_split, "STARTS_IN_MEMORY", 1)
    on_disk = dataset_of(LINES, documents="line").train.starts
    assert isinstance(on_disk, np.memmap) and np.array_equal(on_disk, expected)


@pytest.mark.parametrize("content", ["x", "xy", "ab\n"])
def test_a_split_with_nothing_in_it_is_an_error(dataset_of, content: str) -> None:
    with pytest.raises(
        CorpusError, match=r"^--separator '%%' never occurs inside text, so it is one document and the valid"
    ):
        dataset_of("one\ntwo\n", documents="separator", separator="%%")
    with pytest.raises(CorpusError, match=r"split of text is empty .*--splits \(such as 100/0/0\)"):
        dataset_of(content)


def test_one_character_is_enough_without_held_out_parts(dataset_of) -> None:
    assert texts(dataset_of("x", splits=(100, 0, 0)), "train") == ["x"]


def test_a_cache_that_cannot_be_made_is_an_error(corpus_of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of(LINES)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CHARLM_CACHE", str(tmp_path / "file"))
    with pytest.raises(CharlmError, match="set CHARLM_CACHE to a writable folder"):
        make_dataset(corpus, TokenizerConfig())


def test_the_fitted_tokenizer_is_kept(dataset_of, tmp_path: Path) -> None:
    first = dataset_of(LINES, TokenizerConfig(kind="subword", vocab_size=320))
    (path,) = (tmp_path / "cache" / "tokenizers").iterdir()
    stored = json.loads(path.read_text())
    assert len(stored.pop("sha256")) == 64 and stored == first.tokenizer.to_json()


@KINDS
@pytest.mark.parametrize("documents", ["file", "line"])
def test_a_backward_dataset_is_the_forward_one_reversed(text: Path, kind: str, documents: str) -> None:
    tokenizer = TokenizerConfig(kind=kind, vocab_size=320)
    ahead = make_dataset(open_corpus(text, CorpusConfig(documents=documents)), tokenizer)
    behind = make_dataset(open_corpus(text, CorpusConfig(documents=documents, direction="backward")), ahead.tokenizer)
    for name in ("train", "valid", "test"):
        one, other = ahead.split(name), behind.split(name)
        assert one.facts == other.facts
        forward = [one.ids[a:b].tolist() for a, b in pairwise(one.starts)]
        backward = [other.ids[a:b].tolist() for a, b in pairwise(other.starts)]
        assert backward == [[document[0], *document[-2:0:-1], document[-1]] for document in forward[::-1]]
        assert one.ids.dtype == other.ids.dtype
