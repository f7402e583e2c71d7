import gzip
import logging
import lzma
import math
from collections import Counter

import numpy as np
import pytest

from charlm.config import TokenizerConfig
from charlm.data.dataset import Dataset
from charlm.evaluation import baselines
from charlm.evaluation.baselines import MAX_ORDER, Baseline, best_ngram, measure_baselines
from charlm.ngram.model import NgramModel
from charlm.ngram.score import token_nats

ACCENTS = "".join(f"{n} bottles of beer on the wall, {n} böttles — of beer.\n" for n in range(60))


def measure(dataset: Dataset, split: str = "test") -> dict[str, Baseline]:
    train, valid, text = dataset.train, dataset.valid, dataset.split(split)
    return measure_baselines(dataset.tokenizer, train=train, valid=valid, text=text)


def ngram(dataset: Dataset, ids: np.ndarray, order: int) -> NgramModel:
    return NgramModel.fit(ids, order=order, vocab_size=dataset.tokenizer.vocab_size, bos=dataset.tokenizer.bos)


def gzip_size(data: bytes) -> int:
    return len(gzip.compress(data, 9))


def xz_size(data: bytes) -> int:
    return len(lzma.compress(data))


def random_text(length: int, seed: int) -> str:
    return "".join(np.random.default_rng(seed).choice(list("abc"), length, p=[0.5, 0.3, 0.2]))


def test_unigram_and_uniform_by_hand(dataset_of) -> None:
    # In training a 6, b 2, EOS 1: 9 tokens. V is 5, of which BOS is never predicted. Scored: a, b, EOS.
    found = measure(dataset_of("aabaabaa" + "ab", splits=(80, 0, 20)))
    unigram = [7 / 13, 3 / 13, 2 / 13]
    assert found["unigram"].bits_per_character == pytest.approx(-sum(map(math.log2, unigram)) / 2)
    assert found["uniform"].bits_per_character == pytest.approx(3 * math.log2(4) / 2)


@pytest.mark.parametrize("kind", ["char", "byte", "subword", "word"])
@pytest.mark.parametrize("documents", ["file", "line"])
def test_they_agree_with_direct_computations(dataset_of, kind: str, documents: str) -> None:
    tokenizer = TokenizerConfig(kind=kind, vocab_size=350)
    dataset = dataset_of(ACCENTS, tokenizer, documents=documents, splits=(60, 20, 20))
    found = measure(dataset)
    bos, eos, size = dataset.tokenizer.bos, dataset.tokenizer.eos, dataset.tokenizer.vocab_size
    train, test = (dataset.split(name).ids.tolist() for name in ("train", "test"))
    seen, asked = (Counter(token for token in ids if token != bos) for ids in (train, test))
    nats = -sum(n * math.log((seen[token] + 1) / (seen.total() + size - 1)) for token, n in asked.items())
    assert found["unigram"].nats == pytest.approx(nats)
    assert found["uniform"].nats == pytest.approx(asked.total() * math.log(size - 1))
    model = ngram(dataset, dataset.train.ids, found["ngram"].order)
    assert found["ngram"].nats == pytest.approx(token_nats(model, dataset.test.ids).sum())
    before, after = (
        b"".join(b"\0" if token == eos else dataset.tokenizer.token_bytes(token) for token in ids)
        for ids in (train, test)
    )
    for name, size in (("gzip", gzip_size), ("xz", xz_size)):
        assert found[name].nats == pytest.approx(8 * math.log(2) * (size(before + after) - size(before)))
    for baseline in found.values():
        assert baseline.bits_per_character == pytest.approx(baseline.nats / math.log(2) / dataset.test.facts.characters)


def test_compressors_are_given_the_text_itself(dataset_of) -> None:
    text = ACCENTS + random_text(20_000, 6)
    found = measure(dataset_of(text, splits=(50, 0, 50)))
    before, after = f"{text[: len(text) // 2]}\0".encode(), f"{text[len(text) // 2 :]}\0".encode()
    for name, size in (("gzip", gzip_size), ("xz", xz_size)):
        bits = 8 * (size(before + after) - size(before))
        assert found[name].bits_per_character == pytest.approx(bits / (len(text) - len(text) // 2))


def test_an_unknown_character_costs_the_same_everywhere(dataset_of) -> None:
    dataset = dataset_of("ab" * 49 + "aé", splits=(98, 0, 2))
    found = measure(dataset)
    unseen = math.log(0x110000 - 0x800 - 2)
    assert found["uniform"].nats == pytest.approx(3 * math.log(4) + unseen)
    assert found["unigram"].nats == pytest.approx(-math.log(50 / 103 * 1 / 103 * 2 / 103) + unseen)
    model = ngram(dataset, dataset.train.ids, found["ngram"].order)
    assert found["ngram"].nats == pytest.approx(token_nats(model, dataset.test.ids).sum() + unseen)
    before, after = b"ab" * 49 + b"\0", "a\ufffd\0".encode()
    for name, size in (("gzip", gzip_size), ("xz", xz_size)):
        assert found[name].nats == pytest.approx(8 * math.log(2) * (size(before + after) - size(before)) + unseen)


def test_the_order_is_chosen_on_validation(dataset_of) -> None:
    train = random_text(800, 1)
    dataset = dataset_of(train + random_text(100, 2) + train[:100], splits=(80, 10, 10))
    scores = {
        split: [
            token_nats(ngram(dataset, dataset.train.ids, order), dataset.split(split).ids).sum()
            for order in range(1, 9)
        ]
        for split in ("valid", "test")
    }
    best = {split: 1 + int(np.argmin(nats)) for split, nats in scores.items()}
    assert best["valid"] != best["test"] == MAX_ORDER
    for split in ("valid", "test"):
        found = measure(dataset, split)["ngram"]
        assert found.order == best["valid"]
        assert found.nats == pytest.approx(scores[split][best["valid"] - 1])


def test_without_validation_it_is_chosen_on_the_end_of_the_training_split(dataset_of) -> None:
    start = random_text(300, 3)
    train = start + random_text(320, 4) + start[:75]  # its last tenth repeats what came before
    dataset = dataset_of(train + random_text(100, 5), splits=(87.5, 0, 12.5))
    ids = dataset.train.ids
    cut = len(ids) - len(ids) // 10
    held = [token_nats(ngram(dataset, ids[:cut], order), ids[cut:]).sum() for order in range(1, 9)]
    test = [token_nats(ngram(dataset, ids, order), dataset.test.ids).sum() for order in range(1, 9)]
    order = 1 + int(np.argmin(held))
    assert order != 1 + int(np.argmin(test))
    found = measure(dataset)["ngram"]
    assert (found.order, found.nats) == (order, pytest.approx(test[order - 1]))


def test_a_training_split_of_one_token_will_do(dataset_of) -> None:
    dataset = dataset_of("ab", splits=(50, 0, 50))
    assert all(math.isfinite(baseline.nats) for baseline in measure(dataset).values())
    assert best_ngram(dataset.tokenizer, dataset.train.ids, dataset.valid.ids).order == 1


def test_of_a_large_training_split_the_last_part_is_counted(
    dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(baselines, "MAX_TOKENS", 1000)
    with caplog.at_level(logging.WARNING):
        found = measure(dataset)
    assert "use only the last 1,000 tokens of the training split" in caplog.text
    model = ngram(dataset, dataset.train.ids[-1000:], found["ngram"].order)
    assert found["ngram"].nats == pytest.approx(token_nats(model, dataset.test.ids).sum())
    monkeypatch.undo()
    assert measure(dataset)["unigram"].nats != pytest.approx(found["unigram"].nats, rel=1e-6)


def test_of_a_large_text_the_first_part_is_compressed(
    dataset_of, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = dataset_of("xü" * 350 + "xé" * 350, splits=(50, 0, 50))
    monkeypatch.setattr(baselines, "MAX_BYTES", 101)
    with caplog.at_level(logging.WARNING):
        found = measure(dataset)
    assert "use only the first 101 bytes of the text" in caplog.text
    before, after = (("xü" * 350).encode() + b"\0")[-101:], ("x\ufffd" * 25 + "x").encode()
    bits = 8 * (xz_size(before + after) - xz_size(before)) + 25 * math.log2(dataset.tokenizer.unseen_characters)
    assert found["xz"].bits_per_character == pytest.approx(bits / 51)
    assert found["uniform"].bits_per_character == pytest.approx(
        (701 * math.log2(4) + 350 * math.log2(dataset.tokenizer.unseen_characters)) / 700
    )
