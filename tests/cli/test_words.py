"""Models of words in every command, as a user types them."""

import json
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import charlm as package

PREPARED = "".join(
    f" \n = {word} = \n \n The {word} is <unk> , and so is {n} {word} . \n"
    for n in range(30)
    for word in ("tea", "milk")
)
TEST = " \n = water = \n \n The water is milk , and <unk> . \n"
SHAPE = ["--hidden", "16", "--embedding", "8", "--ngram-order", "3"]
SMALL = ["--tokenizer", "word", *SHAPE, "--steps", "30", "--batch-size", "4"]


@pytest.fixture
def papers(charlm, write) -> Path:
    """The test text of a run `papers`, which was trained on a prepared text with a sampled softmax."""
    train, test = write(PREPARED, "train.txt"), write(TEST, "test.txt")
    charlm("train", train, "--valid", train, "--test", test, *SMALL, "--softmax-samples", "150", "--run", "papers")
    return test


def test_the_perplexity_is_that_of_the_papers(charlm, write) -> None:
    """By a plain double loop over the lines and words of a text without unknown words."""
    train, test = write(PREPARED, "train.txt"), write(PREPARED[:300].rpartition("\n")[0] + "\n", "test.txt")
    charlm("train", train, "--test", test, *SMALL, "--run", "papers")
    values = json.loads(charlm("eval", "papers", "--split", "test", "--no-baselines", "--json").stdout)
    loaded = package.load("papers")
    id_of = {word: token for token, word in enumerate(loaded.tokenizer.words, 258)}
    ids, words = [loaded.tokenizer.bos], 0
    for line in test.read_text().splitlines():
        for word in [*line.split(), "\n"]:
            ids.append(id_of[f" {word}"])
            words += 1
    ids.append(loaded.tokenizer.eos)
    nats, states = 0.0, None
    with torch.no_grad():
        for token, following in pairwise(ids):
            logits, states = loaded.model(torch.tensor([[token]]), states)
            nats -= torch.log_softmax(logits[0, 0].double(), 0)[following].item()
    assert (values["words"], values["tokens"], values["spelled_words"]) == (words, words + 1, 0)
    assert values["perplexity_per_word"] == pytest.approx(math.exp(nats / words), rel=1e-4)
    assert values["perplexity_with_unk"] == values["perplexity_per_word"]


def test_unknown_words_are_spelled_and_counted(charlm, papers: Path) -> None:
    values = json.loads(charlm("eval", "papers", "--json", "--no-baselines").stdout)
    assert values["spelled_words"] == 2 and values["unknown_characters"] == 0  # water, twice
    assert values["tokens"] == values["words"] + 2 * len("water") + 1
    assert 0 < values["spelling_nats"] < values["nats"]
    papers_way = math.exp((values["nats"] - values["spelling_nats"]) / values["words"])
    assert values["perplexity_with_unk"] == pytest.approx(papers_way)
    shown = charlm("eval", "papers", "--no-baselines").stdout
    assert re.search(r"^words spelled +2 \(\d+\.\d% of the nats\)$", shown, re.MULTILINE), shown
    for options in (["--dynamic"], ["--cache"], ["--dynamic", "--cache"]):
        assert json.loads(charlm("eval", "papers", *options, "--json").stdout)["spelled_words"] == 2


def test_texts_are_written_with_their_spaces_and_line_ends(charlm, papers: Path) -> None:
    (written,) = json.loads(charlm("sample", "papers", "--prefix", "The tea is", "-t", "0.5", "--json").stdout)
    assert written["text"].startswith("The tea is <unk> , and so is")
    (stopped,) = json.loads(charlm("sample", "papers", "--prefix", "The tea", "--stop", " , and", "--json").stdout)
    assert ", and" not in stopped["text"]
    assert "<unk>" not in charlm("sample", "papers", "--ban", "<unk>", "--length", "300").stdout
    assert charlm("sample", "papers", "--prefix", "Teas of Ceylon é are").stdout.startswith("Teas of Ceylon é are")


def test_other_commands_read_the_text(charlm, failed, papers: Path) -> None:
    assert "word, " in charlm("info", "papers").stdout
    by_word = charlm("score", "papers", papers, "--by", "word", "--jsonl").stdout
    lines = [json.loads(line) for line in by_word.splitlines()]
    whole = json.loads(charlm("eval", "papers", papers, "--json", "--no-baselines").stdout)
    assert "".join(line["text"] for line in lines) == TEST
    assert sum(line["nats"] + line["end_nats"] for line in lines) == pytest.approx(whole["nats"])
    charlm("heatmap", "papers", papers, "--html", "heat.html")
    assert "milk" in Path("heat.html").read_text()
    assert "papers" in charlm("compare", "papers", "papers", papers).stdout
    charlm("compress", papers, "--model", "papers", "-o", "small")
    charlm("decompress", "small", "-o", "back")
    assert Path("back").read_bytes() == papers.read_bytes()
    assert "charlm export can't write a page for a model of words" in failed("export", "papers", "--html", "a.html")


def test_a_gap_is_filled_with_words(charlm, write) -> None:
    train = write(PREPARED, "train.txt")
    charlm("train", train, *SMALL, "--run", "there")
    charlm("train", train, *SMALL, "--run", "back", "--direction", "backward")
    gap = ["--left", " The tea is", "--right", " , and so is", "--length", "8"]
    assert json.loads(charlm("fill", *gap, "--json").stdout)


def test_mistakes_are_one_line(failed, text: Path) -> None:
    assert "--min-count and --word-split need --tokenizer word" in failed("train", text, "--min-count", "2")
    assert "--vocab-size needs --tokenizer subword or word" in failed("train", text, "--vocab-size", "400")
    assert "--subword-algorithm needs --tokenizer subword" in failed(
        "train", text, "--subword-algorithm", "bpe", "--tokenizer", "word"
    )
    both = failed("train", text, *SMALL, "--match", "--softmax-samples", "20")
    assert "--match needs the logits of all tokens, but --softmax-samples is 20; leave one out" in both
    assert "--softmax-samples is -1" in failed("train", text, *SMALL, "--softmax-samples", "-1")
