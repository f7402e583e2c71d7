"""The page of a model: its size and figures, and whether its scripts compute what Python computes."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from charlm.config import LabelColumn
from charlm.errors import ConfigError
from charlm.export import Export, export_page
from charlm.export.program_js import PROGRAMS
from charlm.loading import load
from charlm.tokenizers.byte import ByteTokenizer
from charlm.tokenizers.char import CharTokenizer

Exported = Callable[..., Export]
InNode = Callable[..., dict[str, Any]]


def _nats(units: list[dict[str, Any]]) -> float:
    return math.fsum(unit["nats"] for unit in units)


@pytest.mark.parametrize("simd", [True, False])
def test_the_page_scores_and_writes_as_python_does(
    exported: Exported, in_node: InNode, tmp_path: Path, sentences: str, simd: bool
) -> None:
    export = exported()
    text = sentences[:900] + "owls, Ω owls and cats.\n"
    greedy = {"prefix": "dog and", "length": 200, "temperature": 0, "minP": 0}
    result = in_node(export, tmp_path, simd=simd, reads=[text], writes=[greedy])
    assert result["simd"] is simd
    assert _nats(result["reads"][0]) == pytest.approx(export.model.score_text(text).nats, rel=1e-5)
    assert "".join(unit["text"] for unit in result["reads"][0]) == text.replace("Ω", "\ufffd")
    written = export.model.sample("dog and", temperature=0.0, length=200, prefix_in_output=False)
    assert result["writes"][0]["text"] == written and len(written) > 20


def test_the_page_scores_the_held_out_split_as_its_facts_say(
    exported: Exported, in_node: InNode, tmp_path: Path
) -> None:
    export = exported()
    facts, dataset = export.facts, export.model.read(split="test")
    corpus, name = dataset.text_of("test")
    texts = [str(text) for text in corpus.split_documents(name)]
    units = in_node(export, tmp_path, simd=True, reads=texts)["reads"]
    bits = sum(map(_nats, units)) / math.log(2) / sum(map(len, texts))
    assert facts.split == "test" and bits == pytest.approx(facts.bits_per_character, rel=1e-3)
    assert facts.loss is not None and facts.loss < 0.02
    assert f"{facts.bits_per_character:.3f} bits per character" in export.page


@pytest.mark.parametrize("cell", PROGRAMS)
def test_every_cell_runs_in_the_page(
    network: Callable[..., Any],
    text_model: Callable[..., Any],
    in_node: InNode,
    tmp_path: Path,
    cell: str,
) -> None:
    model = network(vocab_size=11, cell=cell, num_layers=3, hidden_size=7, embedding_size=5, skip="residual")
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(2).add_(0.05)
    tokenizer, text = CharTokenizer("abcdefgh"), "abacadabracabbagehedge"
    export = export_page(text_model(model, tokenizer))
    # The reference is in double precision: an mLSTM with weights as large as these enlarges the rounding of single
    # precision to 7e-6 in the page and 2e-6 in Python, in opposite directions; other cells stay below 2e-7.
    exact = text_model(copy.deepcopy(export.model.model).double(), tokenizer).score_text(text).nats
    for simd in (True, False):
        units = in_node(export, tmp_path, simd=simd, reads=[text])["reads"][0]
        assert _nats(units) == pytest.approx(exact, rel=1e-5 if cell == "mlstm" else 1e-6)


def test_rows_of_bytes_are_multiplied_without_rounding_their_sums(
    network: Callable[..., Any], text_model: Callable[..., Any], in_node: InNode, tmp_path: Path
) -> None:
    export = export_page(text_model(network(vocab_size=4), CharTokenizer("a")))
    rows = [[127, -127] * 1024, [127] * 2048, [1] + [0] * 2047, [-128] * 2047 + [127], [0] * 2048]
    for x in ([1.0] * 2048, [0.75, -0.999] * 1024, [3e-30] * 2048, [1e30, 1.0] * 1024, [0.0] * 2048):
        result = in_node(export, tmp_path, simd=True, products=[{"levels": rows, "x": x}])["products"][0]
        for row, found in zip(rows, result, strict=True):
            exact = math.fsum(weight * value for weight, value in zip(row, x, strict=True))
            size = max(map(abs, x)) * math.fsum(map(abs, row))
            assert abs(found - exact) <= 2.0**-23 * abs(exact) + 2.0**-26 * size


def test_labels_are_read_and_written_in_the_page(
    network: Callable[..., Any], text_model: Callable[..., Any], in_node: InNode, tmp_path: Path
) -> None:
    stars = LabelColumn(name="stars", values=("1", "5"), documents=(3, 1))
    author = LabelColumn(name="author", values=("<ann>", "bob"), documents=(1, 1))
    model = network(vocab_size=11, labels=(stars, author))
    with torch.no_grad():
        model.labels.vectors.normal_(std=2, generator=torch.Generator().manual_seed(1))
    export = export_page(text_model(model, CharTokenizer("abcdefgh")))
    greedy = {"prefix": "ab", "length": 40, "temperature": 0, "minP": 0}
    chosen = {(): (), (1,): ("stars=5",), (0, 3): ("stars=1", "author=bob")}
    result = in_node(
        export,
        tmp_path,
        simd=True,
        reads=[{"text": "abacadabra", "labels": rows} for rows in chosen],
        writes=[greedy | {"labels": rows} for rows in chosen],
    )
    for units, written, labels in zip(result["reads"], result["writes"], chosen.values(), strict=True):
        own = export.model.with_labels(*labels)
        assert _nats(units) == pytest.approx(own.score_text("abacadabra").nats, rel=1e-5)
        assert written["text"] == own.sample("ab", temperature=0.0, length=40, prefix_in_output=False)
    assert len({round(_nats(units), 3) for units in result["reads"]}) == 3
    assert "&lt;ann&gt;" in export.page and "<ann>" not in export.page


def test_tied_weights_and_a_single_layer_without_n_grams_run_in_the_page(
    network: Callable[..., Any], text_model: Callable[..., Any], in_node: InNode, tmp_path: Path
) -> None:
    model = network(vocab_size=258, hidden_size=9, embedding_size=9, tie_weights=True)
    export = export_page(text_model(model, ByteTokenizer()), bits=16)
    units = in_node(export, tmp_path, simd=True, reads=["naïve 字 text"])["reads"][0]
    assert "".join(unit["text"] for unit in units) == "naïve 字 text"
    assert _nats(units) == pytest.approx(export.model.score_text("naïve 字 text").nats, rel=1e-5)
    assert export.facts.ngrams == 0 and export.facts.split is None and "not measured" in export.page


def test_controls_of_the_page(exported: Exported, in_node: InNode, tmp_path: Path) -> None:
    settings = {"prefix": "cat and", "length": 120, "temperature": 1, "minP": 0, "seed": 3}
    writes = [settings, settings, settings | {"seed": 4}, settings | {"stop": " of "}, settings | {"minP": 1}]
    writes += [settings | {"prefix": "", "seed": seed} for seed in range(5)]
    first, again, other, stopped, likeliest, *begun = in_node(exported(), tmp_path, simd=True, writes=writes)["writes"]
    assert first["text"] == again["text"] != other["text"]
    assert stopped["ended"] == "stop" and first["text"].startswith(stopped["text"]) and " of " not in stopped["text"]
    assert all(stopped["text"].startswith(shown) for shown in stopped["shown"])
    assert likeliest["text"] != first["text"]
    assert all(one["text"] == one["text"].lstrip() != "" for one in begun)
    for unit in first["units"]:
        probabilities = [p for _, p in unit["likeliest"]]
        assert len(probabilities) == 5 and probabilities == sorted(probabilities, reverse=True)


def test_n_grams_are_pruned_until_the_page_fits(exported: Exported) -> None:
    whole = exported()
    smaller = exported(max_size=whole.facts.bytes - 300)
    assert whole.facts.ngrams == whole.facts.ngrams_before > smaller.facts.ngrams > 0
    assert smaller.facts.bytes == len(smaller.page.encode()) <= whole.facts.bytes - 300
    with pytest.raises(ConfigError, match=r"--max-size is 9,000 bytes, but without n-grams the page takes \d+,\d+;"):
        exported(max_size=9000)


def test_the_page_holds_no_markup_of_its_title_and_not_the_text(exported: Exported, sentences: str) -> None:
    export = exported(title="<script>alert(1)</script>")
    assert "<script>alert" not in export.page and "&lt;script&gt;alert(1)" in export.page
    assert sentences[:60] not in export.page
    assert "default-src 'none'" in export.page and "unsafe-inline" not in export.page
    assert "http://" not in export.page.replace("http://www.w3.org/2000/svg", "") and "https://" not in export.page


def test_a_model_that_reads_from_right_to_left_is_refused(train_run: Callable[..., Any]) -> None:
    train_run("runs/back", corpus={"direction": "backward"})
    with pytest.raises(ConfigError, match="charlm export needs a model that reads from left to right"):
        export_page(load("runs/back"))
