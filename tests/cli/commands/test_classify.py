"""`charlm classify`, and the options about labels of the other commands."""

import csv
import json
from pathlib import Path

import pytest

from charlm import load
from charlm.training.start import base


@pytest.fixture
def films(charlm, labelled_reviews, brief: list[str], keep_run) -> str:
    """A small run of labelled reviews."""
    columns = ["--text-column", "text", "--label-column", "stars", "--label-column", "author"]
    keep_run("films", "runs/films", lambda: charlm("train", labelled_reviews, *columns, "--run", "films", *brief))
    config = Path("runs/films/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"text": [str(labelled_reviews)]}))
    return "runs/films"


def test_each_document_has_probabilities(charlm, films: str, labelled_reviews) -> None:
    records = [
        json.loads(line)
        for line in charlm("classify", films, labelled_reviews, "--label", "stars", "--jsonl").stdout.splitlines()
    ]
    assert len(records) == 240 and records[0]["truth"] == "1" and records[0]["text"].startswith("A dull film")
    for record in records:
        assert sum(record["probabilities"].values()) == pytest.approx(1)
        assert record["probabilities"][record["value"]] == max(record["probabilities"].values())
    shown = charlm(
        "classify", films, labelled_reviews, "--label", "stars", "--csv", "--no-calibrate", "--prior", "uniform"
    )
    rows = [*csv.DictReader(shown.stdout.splitlines())]
    assert len(rows) == 240 and rows[-1]["truth"] == "5" and float(rows[0]["probabilities 5"]) >= 0
    right = sum(row["value"] == row["truth"] for row in rows)
    assert f"{right / 240:.1%} of 240 documents have their true stars as the likeliest" in shown.stderr
    table = charlm(
        "classify", films, "-", "--label", "stars", "--documents", "line", stdin=b"A dull film\nA fine film\n"
    )
    assert len(table.stdout.splitlines()) == 3 and "likeliest" not in table.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classify", "films", "TEXT"], "the model has several labels; give one of stars, author"),
        (["classify", "films", "TEXT", "--label", "star"], "the model has no label 'star'; did you mean stars?"),
        (["classify", "films"], "no text given"),
        (["classify", "films", "TEXT", "--label", "stars", "--prior", "1=1"], "--prior has no probability for 3, 5"),
        (["classify", "films", "TEXT", "--label", "stars", "--prior", "2=1"], "--prior names the value '2'"),
        (
            ["classify", "films", "TEXT", "--label", "stars", "--text-column", "txt"],
            "has no column 'txt'; did you mean",
        ),
        (["sample", "films", "--label", "stars=4"], "the model doesn't know stars=4; its values are 1, 3, 5"),
        (["eval", "films", "--label", "mood=x"], "the model has no label 'mood'; its labels are stars, author"),
        (["score", "films", "TEXT", "--label", "stars=1", "--no-labels"], "--label and --no-labels contradict"),
        (["classify", "reviews", "TEXT"], "the model has no labels; train one with --label-column"),
        (["sample", "reviews", "--label", "stars=4"], "the model has no labels; train one with --label-column"),
    ],
)
def test_a_wrong_label_is_one_clear_line(failed, films: str, labelled_reviews, arguments: list[str], said: str) -> None:
    assert said in failed(*[{"films": films, "TEXT": labelled_reviews}.get(word, word) for word in arguments])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--text-column", "body"], "has no column 'body'; its columns are id, stars, text, author"),
        (["--text-column", "text", "--label-column", "star"], "there is no such column; did you mean 'stars'?"),
        (["--text-column", "text", "--label-column", "id"], "--label-column id has 240 different values in 240"),
        (["--label-column", "stars"], "--label-column needs --text-column"),
        (["--text-column", "text", "--documents", "line"], "leave out --documents and --separator"),
        (["--label-files", "film"], "--label-files film has only the value 'reviews'"),
        (["--label-folders", "film"], "--label-folders film: the text has no sub-folders"),
        (["--text-column", "text", "--label-column", "text"], "'text' can't be both a text and a label"),
        (["--text-column", "text", "--label-column", "stars", "--label-files", "stars"], "give each a name of its own"),
    ],
)
def test_a_wrong_column_is_one_clear_line(failed, labelled_reviews, options: list[str], said: str) -> None:
    assert said in failed("train", labelled_reviews, *options, "--steps", "1")


def test_a_label_changes_what_is_written_and_scored(charlm, films: str, labelled_reviews) -> None:
    labels = ([], ["--label", "stars=1"], ["--label", "stars=1:9"])
    written = [charlm("sample", films, "--seed", "1", *label).stdout for label in labels]
    assert len(set(written)) > 1
    assert charlm("sample", films, "--seed", "1", "--label", "stars=1:0").stdout == written[0]
    scores = [
        json.loads(charlm("eval", films, "--json", "--no-baselines", *options).stdout)["nats"]
        for options in ([], ["--no-labels"], ["--label", "stars=1"])
    ]
    assert len(set(scores)) == 3
    spans = charlm("score", films, labelled_reviews, "--label", "stars=1", "--jsonl").stdout.splitlines()
    assert (
        json.loads(spans[-1])["labels"] == {"stars": "5", "author": "bob"}
        or json.loads(spans[-1])["labels"]["stars"] == "5"
    )
    shown, model = charlm("info", films).stdout, load(films).model
    assert "label stars    1 (80), 3 (80), 5 (80)" in shown
    assert f"label n-grams  order 6, weight {model.label_ngrams.weight:.2f}" in shown
    expected = {"order": 6, "weight": model.label_ngrams.weight}
    assert json.loads(charlm("info", films, "--json").stdout)["label_ngrams"] == expected


def test_folders_and_files_are_labels(charlm, write, sentences: str, brief: list[str]) -> None:
    for name in ("a/x.txt", "a/y.txt", "b/x.txt"):
        folder = write(sentences, f"texts/{name}").parents[1]
    options = ["--label-folders", "kind", "--label-files", "name", "--run", "r"]
    charlm("train", folder, *options, *brief)
    shown = charlm("info", "r").stdout
    assert "label name     x (2), y (1)" in shown and "label kind     a (2), b (1)" in shown
    table = write(f'text,kind,name\n"{sentences[:300]}",a,x\nA cat.,b,\n', "new.csv")
    shown = charlm("classify", "r", table, "--text-column", "text", "--label", "kind", "--csv").stdout
    assert [row["truth"] for row in csv.DictReader(shown.splitlines())] == ["a", "b"]
    found = json.loads(charlm("eval", "r", "--json", "--no-baselines").stdout)
    assert found["documents"] == 3 and found["characters"] == pytest.approx(0.05 * 3 * len(sentences), rel=0.02)


def test_empty_lines_keep_their_numbers_and_unknown_characters_are_counted(charlm, films: str) -> None:
    options = ["--label", "stars", "--documents", "line", "--no-calibrate", "--prior", "1=0.2,3=0.3,5=0.5"]
    text = "\nA dull film\r\n\nA f€ne film\n".encode()
    shown = charlm("classify", films, "-", *options, stdin=text)
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["document", "1", "2", "3", "4"]
    assert shown.stdout.splitlines()[3].split() == ["3", "5", "0.500", "3", "0.300", "0", "(empty)"]
    assert shown.stderr == "4 documents (2 empty), 22 characters; 1 unknown character\n"
    records = [
        json.loads(line) for line in charlm("classify", films, "-", *options, "--jsonl", stdin=text).stdout.splitlines()
    ]
    assert [(one["document"], one["characters"], one["unknown_characters"]) for one in records] == [
        (1, 0, 0),
        (2, 11, 0),
        (3, 0, 0),
        (4, 11, 1),
    ]
    assert records[0]["probabilities"] == pytest.approx({"1": 0.2, "3": 0.3, "5": 0.5})
    rows = [*csv.DictReader(charlm("classify", films, "-", *options, "--csv", stdin=text).stdout.splitlines())]
    assert [row["unknown_characters"] for row in rows] == ["0", "0", "0", "1"]


def test_records_without_a_text_or_a_label_are_rows(charlm, films: str, write) -> None:
    table = write("text,stars\nA fine film,\n,5\nA dull film,1\n", "few.csv")
    shown = charlm("classify", films, table, "--label", "stars", "--csv")
    rows = [*csv.DictReader(shown.stdout.splitlines())]
    assert [(row["document"], row["truth"]) for row in rows] == [("1", ""), ("2", "5"), ("3", "1")]
    assert "of 1 document has" in shown.stderr
    rows = [*csv.DictReader(charlm("score", films, table, "--csv").stdout.splitlines())]
    assert [(row["document"], row["labels stars"], row["labels author"]) for row in rows] == [
        ("1", "", ""),
        ("2", "5", ""),
        ("3", "1", ""),
    ]
    assert [float(row["bits"]) == 0 for row in rows] == [False, True, False]


def test_a_run_can_begin_with_a_labelled_model(charlm, films: str, labelled_reviews, write, brief: list[str]) -> None:
    columns = ["--text-column", "text", "--label-column", "stars"]
    charlm("train", labelled_reviews, *columns, "--init-from", films, "--run", "stars", "--steps", "2")
    assert load("runs/stars").model.config.labels == load(films).model.config.labels[:1]
    charlm("train", labelled_reviews, "--text-column", "text", "--init-from", films, "--run", "plain", "--steps", "2")
    assert load("runs/plain").model.labels is None
    charlm("train", "--resume", "--run", "stars", "--steps", "4")


def test_labels_are_learnt_by_a_run_that_begins_with_the_base(
    charlm, labelled_reviews, write, brief: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = "\n".join(row["text"] for row in csv.DictReader(labelled_reviews.read_text().splitlines(keepends=True)))
    charlm("train", write(texts, "texts.txt"), "--run", "stand-in", *brief)
    for name, value in {"PRETRAINED": Path("runs"), "BASE": "stand-in", "MOST_BITS": 100}.items():
        monkeypatch.setattr(base, name, value)
    options = ["--text-column", "text", "--label-column", "stars", "--steps", "60", "--learning-rate", "0.02"]
    shown = charlm("train", labelled_reviews, *options, "--run", "films", "--batch-size", "4", "--seq-len", "16")
    assert "the model stand-in predicts it with" in shown.stderr
    assert load("runs/films").model.config.hidden_size == 16
    with_labels, without = (
        json.loads(charlm("eval", "films", "--json", "--no-baselines", *options).stdout)["nats"]
        for options in ([], ["--no-labels"])
    )
    assert with_labels < without
    good, bad = (
        charlm("sample", "films", "--label", f"stars={stars}", "--temperature", 0, "--length", 12).stdout
        for stars in (5, 1)
    )
    assert good.split()[1] in ("fine", "warm", "good") and bad.split()[1] in ("dull", "weak", "bad")
    found = [json.loads(line) for line in charlm("classify", "films", labelled_reviews, "--jsonl").stdout.splitlines()]
    assert sum(one["value"] == one["truth"] for one in found) > 200
