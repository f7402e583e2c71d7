"""`charlm export` as a user types it."""

import json
import os
from pathlib import Path

import pytest

from charlm.cli.commands.export import parse_size
from charlm.errors import ConfigError


def test_it_writes_a_page_and_says_what_it_costs(charlm, trained_run, small_shape) -> None:
    trained_run(model=small_shape | {"ngram_order": 5})
    shown = charlm("export", "--html", "page.html", "--title", "Cats")
    assert "using runs/a/model.safetensors" in shown.stderr and "wrote page.html" in shown.stderr
    page = Path("page.html").read_text(encoding="utf-8")
    size, ngrams, bits = shown.stdout.splitlines()
    assert size == f"{len(page.encode()):,} bytes, weights in 8 bits" and "<title>Cats</title>" in page
    assert ngrams.endswith("n-grams (100%)") and "bits per character on the test split; the model itself" in bits
    values = json.loads(charlm("export", "--html", "page.html", "--bits", 16, "--json").stdout)
    assert values["weight_bits"] == 16 and values["bytes"] == Path("page.html").stat().st_size
    assert values["bits_per_character"] == pytest.approx(values["bits_per_character_before"], rel=0.01)


def test_a_name_that_is_not_utf8_may_be_in_a_page(charlm, trained_run, write, sentences: str) -> None:
    text = write(sentences, os.fsdecode(b"caf\xe9.txt"))
    trained_run()
    charlm("train", text, "--run", "coffee", "--steps", "3", "--hidden", "4", "--ngram-order", "0")
    pages = (["export", "coffee"], ["export", "--title", os.fsdecode(b"caf\xe9")], ["heatmap", text])
    for command in (*pages, ["compare", "a", "coffee", text, "--json"]):
        Path("page.html").unlink(missing_ok=True)
        charlm(*command, "--html", "page.html")
        assert "caf\ufffd" in Path("page.html").read_text(encoding="utf-8")


def test_a_model_outside_its_run_folder_is_exported_without_figures(charlm, trained_run) -> None:
    trained_run()
    Path("runs/a/model.safetensors").rename("alone.safetensors")
    shown = charlm("export", "alone.safetensors", "--html", "page.html")
    assert "the page is not scored: alone.safetensors is outside its run folder" in " ".join(shown.stderr.split())
    assert "bits per character" not in shown.stdout


def test_mistakes_are_one_line(failed, trained_run, write) -> None:
    trained_run()
    write("mine", "mine.html")
    own = Path("own.html")
    own.write_text("my own page")
    assert "--html is missing" in failed("export")
    assert "--bits is 4; it must be 8 or 16" in failed("export", "--html", "a.html", "--bits", 4)
    assert "--max-size is 'huge'; give a size such as" in failed("export", "--html", "a.html", "--max-size", "huge")
    assert "; give --max-size 0.1MB or more" in failed("export", "--html", "a.html", "--max-size", "5KB")
    assert "which is a folder" in failed("export", "--html", "runs")
    assert "there is no folder" in failed("export", "--html", "none/a.html")
    assert "already exists" in failed("export", "--html", own)
    Path("broken.safetensors").write_bytes(b"nothing")
    assert "is not a model file" in failed("export", "broken.safetensors", "--html", "a.html")


def test_sizes() -> None:
    assert [parse_size(text) for text in ("3MB", "1.5 mb", "900KB", "1000000")] == [3000000, 1500000, 900000, 1000000]
    for text in ("", "3 parsecs", "-1MB", "MB", "1e9"):
        with pytest.raises(ConfigError, match="--max-size is"):
            parse_size(text)
