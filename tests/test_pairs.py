"""Models of pairs: what is learnt, what is scored, and what is written."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import charlm
from charlm.config import CorpusConfig, TokenizerConfig
from charlm.data.corpus import open_corpus
from charlm.data.dataset import Dataset, make_dataset
from charlm.data.windows import block_windows, document_windows, mean_window, sample_windows, scoring, training_windows
from charlm.errors import ConfigError
from charlm.evaluation.dynamic import dynamic_evaluate
from charlm.evaluation.estimate import SplitSample
from charlm.evaluation.nats import token_nats
from charlm.evaluation.score import evaluate
from charlm.evaluation.spans.scores import score_spans
from charlm.model.language_model import LanguageModel
from charlm.model.loss import window_loss
from charlm.sampling.pairs.targets import pairs_of, parts_of_pairs
from charlm.tokenizers import Tokenizer

PAIRS = CorpusConfig(documents="record", source_column="word", target_column="written")
TOKENIZERS = [
    TokenizerConfig(),
    TokenizerConfig(kind="byte"),
    TokenizerConfig(kind="subword", vocab_size=300),
    TokenizerConfig(kind="word"),
]


@pytest.fixture
def pairs(table_of_pairs: Path) -> Dataset:
    return make_dataset(open_corpus(table_of_pairs, PAIRS), TokenizerConfig())


def rows_of(path: Path) -> list[tuple[str, str]]:
    lines = path.read_text().splitlines()[1:]
    return [(word, written) for word, _, written in (line.partition(",") for line in lines)]


@torch.no_grad()
def plain_nats(model: LanguageModel, tokenizer: Tokenizer, source: str, target: str) -> list[float]:
    """-ln p of each token of a target and of EOS, by a plain loop in float64."""
    eos = tokenizer.eos
    ids = [tokenizer.bos, *tokenizer.encode(source).tolist(), eos, *tokenizer.encode(target).tolist(), eos]
    states, nats = None, []
    first = len(tokenizer.encode(source)) + 2
    for place in range(1, len(ids)):
        logits, states = model(torch.tensor([[ids[place - 1]]]), states)
        if place >= first:
            nats.append(-float(torch.log_softmax(logits[0, 0], 0)[ids[place]]))
    return nats


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda config: config.kind)
def test_documents_are_pairs_and_splits_hold_whole_ones(table_of_pairs: Path, tokenizer: TokenizerConfig) -> None:
    dataset = make_dataset(open_corpus(table_of_pairs, PAIRS), tokenizer)
    known, found = dataset.tokenizer, []
    for split in (dataset.train, dataset.valid, dataset.test):
        assert split.targets is not None and len(split.targets) == split.facts.documents > 10
        for start, target, stop in zip(split.starts[:-1], split.targets, split.starts[1:], strict=True):
            ids = split.read(int(start), int(stop))
            assert (ids[0], ids[target - start - 1], ids[-1]) == (known.bos, known.eos, known.eos)
            found.append((known.decode(ids[1 : target - start - 1]), known.decode(ids[target - start : -1])))
        assert split.facts.tokens == np.count_nonzero(split.predicted(0, len(split)))
        assert split.facts.tokens + split.facts.source_tokens + split.facts.documents == len(split)
    assert sorted(found) == rows_of(table_of_pairs)
    assert found != sorted(found)  # each split has pairs from everywhere in the sorted table
    texts = [text for name in ("train", "valid", "test") for text in dataset.corpus.split_documents(name)]
    assert sorted(texts) == sorted(target for _, target in found)
    assert dataset.corpus.characters == sum(map(len, texts))


def test_only_targets_count_in_every_kind_of_window(pairs: Dataset) -> None:
    split = pairs.train
    predicted = split.predicted(0, len(split))
    kinds = {
        "documents": document_windows(split, batch_size=7, seq_len=3),
        "blocks": block_windows(split, batch_size=7, width_for=lambda rows: 5),
        "sample": sample_windows(split, tokens=10**6, batch_size=7, seq_len=4),
    }
    for windows_of_kind in kinds.values():
        counts = np.zeros(len(split), int)
        for window in windows_of_kind:
            steps, rows = np.nonzero(window.mask.numpy())
            assert len(steps) == window.tokens
            np.add.at(counts, window.starts[rows] + steps + 1, 1)
        assert (counts == predicted).all()
    counts, total = np.zeros(len(split), int), 0
    for window in training_windows(split, batch_size=5, seq_len=4, seed=1):
        if window.cursor.epoch or total >= split.facts.tokens:
            break
        steps, rows = np.nonzero(window.mask.numpy())
        np.add.at(counts, window.starts[rows] + steps + 1, 1)
        total += window.tokens
    assert (counts == predicted).all() and total == split.facts.tokens
    _, mean = mean_window(split, batch_size=5, seq_len=64)
    assert mean == 5 * 6  # five targets, each of five characters and EOS
    part = split.predicted(3, 40)
    assert (part == predicted[3:40]).all()


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda config: config.kind)
def test_the_score_is_the_sum_over_the_targets(
    table_of_pairs: Path, network_for, monkeypatch: pytest.MonkeyPatch, tokenizer: TokenizerConfig
) -> None:
    dataset = make_dataset(open_corpus(table_of_pairs, PAIRS), tokenizer)
    network, known, split = network_for(dataset).double().eval(), dataset.tokenizer, dataset.test
    pairs = [
        (
            known.decode(split.read(int(start) + 1, int(target) - 1)),
            known.decode(split.read(int(target), int(stop) - 1)),
        )
        for start, target, stop in zip(split.starts[:-1], split.targets, split.starts[1:], strict=True)
    ]
    expected = [plain_nats(network, known, *pair) for pair in pairs]
    whole = evaluate(network, known, split)
    assert whole.nats == pytest.approx(math.fsum(map(math.fsum, expected)), abs=1e-4)
    assert whole.tokens == sum(map(len, expected))
    assert whole.characters == sum(len(target) for _, target in pairs)
    nats = token_nats(network, known, split)
    assert nats[split.predicted(0, len(split))] == pytest.approx(np.concatenate(expected), abs=1e-6)
    assert not nats[~split.predicted(0, len(split))].any()
    sample = SplitSample(split, known, tokens=10**6, ngram=None).estimate(network)
    assert sample.nats_per_token == pytest.approx(whole.nats_per_token, abs=1e-6)
    assert dynamic_evaluate(network, known, split).tokens == whole.tokens
    for _ in ("whole blocks", "documents longer than a block"):
        for by in ("document", "word"):
            spans = [*score_spans(network, known, parts_of_pairs(pairs, PAIRS), by)]
            assert math.fsum(span.nats + span.end_nats for span in spans) == pytest.approx(whole.nats, abs=1e-5)
            assert "".join(span.text for span in spans) == "".join(target for _, target in pairs)
        monkeypatch.setattr(scoring, "BLOCK_TOKENS", 4)


def test_the_training_loss_ignores_sources(pairs: Dataset, network_for) -> None:
    network = network_for(pairs).double().eval()
    window = next(training_windows(pairs.train, batch_size=8, seq_len=64, seed=1))
    loss, _ = window_loss(network, window, None)
    nats = list[torch.Tensor]()
    for row in range(window.ids.shape[1]):
        logits, _ = network(window.ids[:, row : row + 1])
        log_p = torch.log_softmax(logits[:, 0], 1)
        start = int(window.starts[row])
        for step in range(len(log_p)):
            if start + step + 1 < len(pairs.train) and window.mask[step, row]:
                assert pairs.train.predicted(start + step + 1, start + step + 2).all()
                nats.append(-log_p[step, pairs.train.read(start + step + 1, start + step + 2)[0]])
    assert len(nats) == window.tokens
    assert float(loss.detach()) == pytest.approx(float(torch.stack(nats).mean().detach()))


def test_a_window_of_sources_alone_has_no_loss(pairs: Dataset, network_for) -> None:
    network = network_for(pairs)
    window = next(iter(document_windows(pairs.train, batch_size=3, seq_len=2)))
    assert window.tokens == 0
    loss, _ = window_loss(network, window, None)
    assert float(loss.detach()) == 0
    loss.backward()


@pytest.fixture
def trained(train_run, keep_run, table_of_pairs: Path) -> charlm.TextModel:
    """A small model that has learnt to write words in capitals."""
    columns = {"source_column": "word", "target_column": "written"}
    shape = {"hidden_size": 48, "embedding_size": 16, "dropout": 0.0, "ngram_order": 0}
    settings = {"batch_size": 16, "steps": 220, "learning_rate": 0.02, "validations": 2}
    run = keep_run(
        "pairs",
        "runs/pairs",
        lambda: train_run("runs/pairs", source=table_of_pairs, corpus=columns, model=shape, **settings),
    )
    config = run / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"text": [str(table_of_pairs)]}))
    return charlm.load(run)


@pytest.fixture(name="run_charlm")
def _run_charlm(request: pytest.FixtureRequest) -> Callable:
    """The fixture `charlm`, whose name is here that of the module."""
    return request.getfixturevalue("charlm")


def held_out(trained: charlm.TextModel) -> list[tuple[str, str]]:
    split = trained.read().test
    return [
        (trained.tokenizer.decode(source[:-1]), trained.tokenizer.decode(target))
        for source, target in pairs_of(split, 9)
    ]


def test_a_rule_is_learnt(trained: charlm.TextModel) -> None:
    matches = trained.exact_matches(trained.read(), "test")
    assert matches.pairs > 12 and matches.share > 0.7  # a twentieth of the rows, which training has not seen
    pairs = held_out(trained)
    written = [trained.sample(source=source, temperature=0.0) for source, _ in pairs]
    assert sum(text == target for text, (_, target) in zip(written, pairs, strict=True)) > 6
    source, text = pairs[0][0], written[0]
    assert trained.with_source(source).sample(temperature=0.0) == text
    assert trained.beam(source=source, width=1)[0].text == text
    assert trained.sample(text[:2], source=source, temperature=0.0) == text
    assert len(trained.sample(source=source, length=3, seed=1)) == 3


def test_targets_are_scored_given_their_sources(trained: charlm.TextModel) -> None:
    pairs = held_out(trained)
    others = [(source, target) for (source, _), (_, target) in zip(pairs, pairs[1:] + pairs[:1], strict=True)]
    right, wrong = ([*trained.score_pairs(some)] for some in (pairs, others))
    assert sum(one.nats for one in wrong) > 5 * sum(one.nats for one in right)
    alone = trained.with_source(pairs[0][0])
    assert alone.score_text(pairs[0][1]).nats == pytest.approx(right[0].nats, abs=1e-4)
    assert sum(alone.surprisal(pairs[0][1])) < right[0].nats


def test_eval_counts_the_targets(trained: charlm.TextModel, run_charlm) -> None:
    shown = run_charlm("eval", "runs/pairs").stdout
    number = trained.read().test.facts.documents
    assert "all figures are those of the targets" in shown and f"of {number} targets" in shown
    values = json.loads(run_charlm("eval", "runs/pairs", "--json").stdout)
    assert values["characters"] == 5 * number and values["tokens"] == 6 * number
    assert values["exact_matches"]["pairs"] == number and values["baselines"] == {}


def test_sample_writes_the_targets_in_order(trained: charlm.TextModel, run_charlm, write) -> None:
    sources = [source for source, _ in held_out(trained)][:3]
    expected = [trained.sample(source=source, temperature=0.0) for source in sources]
    file = write("\n".join(sources[1:]), "sources.txt")
    options = ("sample", "runs/pairs", "--source", sources[0], "--source-file", file, "--temperature", 0)
    assert run_charlm(*options).stdout.splitlines() == expected
    records = [json.loads(line) for line in run_charlm(*options, "--jsonl").stdout.splitlines()]
    assert [(one["source"], one["text"]) for one in records] == list(zip(sources, expected, strict=True))
    assert [one["source"] for one in json.loads(run_charlm(*options[:-2], "--beam", 2, "--json").stdout)] == sources


def test_commands_that_need_texts_refuse_pairs(
    trained: charlm.TextModel, run_charlm, write, table_of_pairs: Path
) -> None:
    text = write("AB", "a.txt")
    for arguments in (
        ("sample", "runs/pairs"),
        ("score", "runs/pairs", text, "--documents", "line"),
        ("score", "runs/pairs", table_of_pairs, "--alone"),
        ("heatmap", "runs/pairs", text),
        ("neurons", "runs/pairs", text),
        ("features", "runs/pairs", text, "--out", "a.npz"),
        ("compress", text, "--model", "runs/pairs"),
        ("export", "runs/pairs", "--html", "a.html"),
        ("sample", "english", "--source", "a"),
        ("eval", "english", table_of_pairs, "--source-column", "word", "--target-column", "written"),
    ):
        error = run_charlm(*arguments, status=1).stderr
        assert error.count("\n") == 1 and ("source" in error), arguments
    bits = [one / math.log(2) for one in trained.with_source("ab").surprisal("AB")]
    shown = json.loads(run_charlm("heatmap", "runs/pairs", text, "--source", "ab", "--json").stdout)
    assert [one["bits"] for one in shown] == pytest.approx(bits, abs=1e-3)
    assert json.loads(run_charlm("neurons", "runs/pairs", text, "--source", "ab", "--json").stdout)["tokens"] == 2
    assert "writes the 'written' of a 'word'" in run_charlm("info", "runs/pairs").stdout


def test_what_makes_no_sense_for_pairs_is_an_error(trained: charlm.TextModel) -> None:
    for refused in (
        lambda: trained.sample("A"),
        lambda: trained.sample(source=""),
        lambda: trained.score_text("A"),
        lambda: trained.surprisal("A"),
        lambda: [*trained.score_texts(["A"])],
        lambda: [*trained.score_pairs([("", "A")])],
        lambda: trained.open_text("pairs.csv", corpus={"documents": "line"}),
    ):
        with pytest.raises(ConfigError):
            refused()


def test_pairs_can_have_labels(run_charlm, write, table_of_pairs: Path) -> None:
    header, *rows = table_of_pairs.read_text().splitlines()
    labelled_rows = (f"{row},{'low' if row < 'd' else 'high'}" for row in rows)
    table = write("\n".join([f"{header},kind", *labelled_rows]), "kinds.csv")
    columns = ("--source-column", "word", "--target-column", "written", "--label-column", "kind")
    tiny = ("--hidden", "16", "--batch-size", "4", "--steps", "20", "--learning-rate", "0.01", "--run")
    run_charlm("train", table, *columns, *tiny, "kinds")
    source = ("--source", "abf", "--length", 12, "--seed", 1)
    labelled = [
        run_charlm("sample", "kinds", *source, *label).stdout
        for label in ((), ("--label", "kind=low"), ("--label", "kind=high:2"))
    ]
    assert len(set(labelled)) > 1
    options = ("--label", "kind=low", "--must-contain", "AB", "--num", 2)
    for more in (("--batch", 2), ("--beam", 3)):
        shown = run_charlm("sample", "kinds", "--source", "abf", "--length", 12, *options, *more, "--jsonl").stdout
        assert all("AB" in json.loads(line)["text"] for line in shown.splitlines())
    scores = [
        json.loads(run_charlm("eval", "kinds", "--json", *options).stdout)["nats"]
        for options in ((), ("--no-labels",), ("--label", "kind=low"))
    ]
    assert len(set(scores)) == 3
    assert "of 300 documents have their true kind" in run_charlm("classify", "kinds", table, "--no-calibrate").stderr
    run_charlm("train", table, *columns, "--init-from", "kinds", "--steps", 2, "--run", "more")
    assert charlm.load("runs/more").model.config.labels == charlm.load("runs/kinds").model.config.labels


def test_what_a_model_of_pairs_lacks_is_one_clear_line(
    trained: charlm.TextModel, run_charlm, write, table_of_pairs: Path
) -> None:
    gaps, text = write("ab\n\nba\n\n", "gaps.txt"), write("AB", "a.txt")
    for arguments, message in (
        (("score", "runs/pairs", "english", table_of_pairs), "only one of runs/pairs/model.safetensors and"),
        (("score", "english", "runs/pairs", table_of_pairs), "is a model of pairs; compare models alike"),
        (("compare", "english", "runs/pairs"), "is a model of pairs; compare models alike"),
        (("heatmap", "runs/pairs", text), "of a 'word'; give one with --source TEXT"),
        (("neurons", "runs/pairs", text), "of a 'word'; give one with --source TEXT"),
        (("heatmap", "runs/pairs", text, "--source", ""), "the source is empty; give a text like those of the column"),
        (
            ("neurons", "runs/pairs", text, "--source", "Ж", "--unknown", "error"),
            "'Ж' (U+0416) at position 0 is not in",
        ),
        (("heatmap", "english", text, "--source", "ab"), "was not trained on pairs; leave it out, or train a model"),
        (("sample", "runs/pairs", "--source-file", gaps), "line 2 is empty, and a target needs a source; remove"),
        (
            ("sample", "runs/pairs", "--source-file", write("\n", "b.txt")),
            "has no sources; give a file with one per line",
        ),
        (("score", "runs/pairs", write("", "empty.csv")), "contains no text to score; give a file that isn't empty"),
    ):
        error = run_charlm(*arguments, status=1).stderr
        assert error.count("\n") == 1 and message in error, (arguments, error)
    run_charlm("heatmap", "runs/pairs", text, "--source", "Ж")  # read as <unk>, as such a character of the text is
    whole = write("ab\nba\n\n", "whole.txt")
    shown = run_charlm("sample", "runs/pairs", "--source-file", whole, "--temperature", 0)
    assert len(shown.stdout.splitlines()) == 2
