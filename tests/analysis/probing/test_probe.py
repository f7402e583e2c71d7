import numpy as np
import pytest
import torch

from charlm.analysis.probing.classifiers import Accuracy, best_unit
from charlm.analysis.probing.directions import output_scores, unit_direction, weighted_direction
from charlm.analysis.probing.features import blocks, features, stacked
from charlm.analysis.probing.labelled import (
    FEWEST,
    Labelled,
    distinct,
    read_labelled,
    read_pair,
    require_alike,
    require_enough,
    split,
    without,
)
from charlm.analysis.probing.probe import probe
from charlm.errors import CharlmError, CorpusError


@pytest.fixture(scope="session")
def labelled(planted):
    """Make texts of the labels positive and negative."""

    def labelled(count: int, seed: int) -> Labelled:
        both = {label: planted.texts(label, count, seed) for label in ("positive", "negative")}
        return Labelled(
            [text for some in both.values() for text in some], [label for label in both for _ in range(count)]
        )

    return labelled


@pytest.fixture(scope="session")
def vectors(planted):
    """The features of labelled texts."""
    return lambda part: stacked(features(planted.model(), planted.tokenizer, part.texts), len(part.texts))


def test_the_planted_unit_is_found_and_told_by(labelled, vectors, planted) -> None:
    known, held_out = split(labelled(80, 1), 0.25, seed=1)
    own, others = vectors(known), vectors(held_out)
    found = probe(own, known, others, held_out, positive="positive")
    assert found.unit.column % 6 == planted.unit
    assert found.unit.above
    assert found.unit.accuracy.share == found.full.share == 1.0
    assert found.words.share < 1.0  # x and y stand within words
    assert found.negative == "negative" and found.train == len(known.texts)
    assert found.conclusive


def test_the_best_unit_as_a_direction(labelled, vectors, planted) -> None:
    known = labelled(60, 3)
    own, truth = vectors(known), known.truth("positive")
    one = unit_direction(own, truth, blocks(planted.model()))
    assert one.vector.tolist() == [float(index == planted.unit) for index in range(6)]
    block = blocks(planted.model())[1]
    assert (one.layer, one.state) == (block.layer, block.state) == (0, "h")
    means = own[:, 6 + planted.unit]
    assert (one.mean, one.scale) == (pytest.approx(means.mean()), pytest.approx(means.std()))
    turned = unit_direction(own, ~truth, blocks(planted.model()))
    assert turned.vector[planted.unit] == -1 and turned.mean == pytest.approx(-means.mean())


def test_the_direction_that_writes_is_the_one_whose_words_differ(planted) -> None:
    """Texts of the one label have more a, of the other more b; the output layer reads a minus b off unit 3 alone."""
    generator = np.random.default_rng(2)
    kinds = {"many a": 0.7, "many b": 0.3}
    found = Labelled([], [])
    for label, share in kinds.items():
        for _ in range(100):
            found.texts.append("".join(np.where(generator.random(20) < share, "a", "b")))
            found.labels.append(label)
    sample = {"most_texts": 60}  # of either, though one stands before the other
    one = weighted_direction(planted.model(), planted.tokenizer, found, "many a", **sample)
    assert (one.kind, one.layer, one.state) == ("weighted", 0, "h")
    np.testing.assert_allclose(one.vector, np.eye(6)[planted.unit], atol=1e-3)
    assert (one.mean, one.scale) == (pytest.approx(0, abs=0.2), pytest.approx(0.25, abs=0.2))
    assert (
        weighted_direction(planted.model(), planted.tokenizer, found, "many b", **sample).vector[planted.unit] < -0.99
    )
    with pytest.raises(CharlmError, match="scores texts of both labels the same"):
        weighted_direction(planted.model(), planted.tokenizer, Labelled(["ab"] * 4, ["p", "q"] * 2), "p")


def test_scores_are_gradients(planted) -> None:
    model = planted.model("lstm")
    with torch.no_grad():
        model.output.copy_(torch.randn(model.output.shape, generator=torch.Generator().manual_seed(3)))
    texts_ = ["abxba", "b", "yy"]
    found, mean, variance = output_scores(model, planted.tokenizer, texts_)
    states = []
    for text, score in zip(texts_, found, strict=True):
        ids = torch.tensor([planted.tokenizer.bos, *planted.tokenizer.encode(text).tolist()])
        push = torch.zeros(6, requires_grad=True)
        _, hidden, _ = model.read(ids[:-1, None])
        log_p = torch.log_softmax((hidden[:, 0] + push) @ model.output.T + model.output_bias, dim=-1)
        log_p.gather(1, ids[1:, None]).sum().backward()
        np.testing.assert_allclose(score, push.grad.numpy(), rtol=1e-4, atol=1e-5)
        states.append(hidden[:, 0].detach().numpy())
    every = np.concatenate(states)
    np.testing.assert_allclose(mean, every.mean(0), atol=1e-6)
    np.testing.assert_allclose(variance, every.var(0), atol=1e-6)


def test_labels_without_meaning_are_not_told(labelled, vectors) -> None:
    known, held_out = labelled(100, 5), labelled(100, 6)
    shuffled = np.random.default_rng(1).permutation(200)
    mixed = [Labelled(part.texts, [part.labels[index] for index in shuffled]) for part in (known, held_out)]
    found = probe(vectors(known), mixed[0], vectors(held_out), mixed[1], positive="positive")
    assert not found.conclusive


@pytest.mark.parametrize(
    ("values", "truth", "right"),
    [
        ([1, 2, 3, 4], [False, False, True, True], 4),
        ([4, 3, 2, 1], [False, False, True, True], 4),
        ([1, 1, 1, 1], [False, True, True, True], 3),
        ([1, 2, 2, 3], [False, True, False, True], 3),
        ([5], [True], 1),
    ],
)
def test_best_threshold_by_hand(values: list, truth: list, right: int) -> None:
    found = best_unit(np.array(values, np.float32)[:, None], np.array(truth))
    judged = (np.array(values) > found.threshold) == found.above
    assert (judged == np.array(truth)).sum() == right == found.accuracy.right


def test_best_threshold_against_all_there_are() -> None:
    generator = np.random.default_rng(3)
    for _ in range(50):
        values = generator.integers(0, 5, (9, 3)).astype(np.float32)
        truth = generator.random(9) < 0.5
        cuts = [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5]
        wanted = max(
            int((((values[:, column] > cut) == above) == truth).sum())
            for column in range(3)
            for cut in cuts
            for above in (True, False)
        )
        assert best_unit(values, truth).accuracy.right == wanted


def test_intervals_are_those_of_wilson() -> None:
    low, high = Accuracy(8, 10).interval  # (0.99208 -+ 1.96 sqrt(0.025604)) / 1.38416
    assert (low, high) == (pytest.approx(0.49016, abs=1e-4), pytest.approx(0.94330, abs=1e-4))
    assert Accuracy(0, 5).interval[0] == 0 and Accuracy(5, 5).interval[1] == 1


def test_a_split_keeps_labels_apart_and_texts_once() -> None:
    part = distinct(Labelled([*map(str, range(100)), "1", "2"], ["a"] * 50 + ["b"] * 50 + ["a", "a"]))
    known, held_out = split(part, 0.2, seed=1)
    assert len(known.texts) == 80 and len(held_out.texts) == 20
    assert held_out.labels.count("a") == 10
    assert not set(known.texts) & set(held_out.texts)
    assert split(part, 0.2, seed=1) == (known, held_out) != split(part, 0.2, seed=2)
    assert without(part, known).texts == [text for text in part.texts if text in set(held_out.texts)]


def test_a_text_of_two_labels_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    found = distinct(Labelled(["x", "y", "x", "z", "x"], ["a", "a", "b", "b", "a"]))
    assert found == Labelled(["y", "z"], ["a", "b"])
    assert "1 text has more than one label and is left out" in caplog.text


def test_tables_and_pairs_of_files(write) -> None:
    table = write("text\tlabel\nso good\tspam\r\n\nwith\ttab\tham\n", "a.tsv")
    assert read_labelled(table) == Labelled(["so good", "with\ttab"], ["spam", "ham"])
    pair = read_pair(write("yes\n\nfine\n", "p.txt"), write("no\n", "n.txt"))
    assert pair == Labelled(["yes", "fine", "no"], ["positive", "positive", "negative"])
    assert pair.other("positive") == "negative" and Labelled([], ["a", "b", "c"]).other("a") == "not a"


def test_mistakes_in_labelled_texts_are_named(write) -> None:
    for content, message in (
        ("good\n", "line 1 has no label"),
        ("good\t \n", "line 1 has no label"),
        ("a\tb\n \tbad\n", "line 2 has no text before its label"),
        ("\n\n", "has no text"),
    ):
        with pytest.raises(CorpusError, match=message):
            read_labelled(write(content, "a.tsv"))
    with pytest.raises(CorpusError, match="is not valid UTF-8: byte 0xff at byte offset 1"):
        read_labelled(write(b"a\xff", "a.tsv"))
    with pytest.raises(CorpusError, match="has no text"):
        read_pair(write("a\n", "p.txt"), write("\n \n", "n.txt"))
    with pytest.raises(CorpusError, match="is a folder; name a file"):
        read_pair(write("a\n", "p.txt"), write("a", "x.txt").parent)


def test_too_few_texts_are_refused() -> None:
    many = Labelled([*map(str, range(2 * FEWEST))], ["a", "b"] * FEWEST)
    require_enough(many)
    require_alike(many, many)
    with pytest.raises(CorpusError, match="all texts have the label 'a'"):
        require_enough(Labelled(["a"], ["a"]))
    with pytest.raises(CorpusError, match="only 5 distinct texts have the label"):
        require_enough(Labelled([*map(str, range(10))], ["a", "b"] * 5))
    with pytest.raises(CorpusError, match="no text is left: each has more than one label"):
        require_enough(distinct(Labelled(["a", "a"], ["p", "q"])))
    with pytest.raises(CorpusError, match="label 'c', which"):
        require_alike(Labelled(["a"], ["c"]), many)
    with pytest.raises(CorpusError, match="no test text is left"):
        require_alike(Labelled([], []), many)
