"""`charlm diagnose` as a user types it."""

import json
import sys
from pathlib import Path

import pytest

from charlm.cells import CELLS

QUICK = ["--lags", "12", "--steps", "3", "--hidden", "5"]


def test_every_cell_is_diagnosed(charlm, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = charlm("diagnose", text, "--cells", ",".join(CELLS), *QUICK).stdout
    assert max(map(len, shown.splitlines())) <= 80
    sentences = shown.split("nats per character\n\n")[1].splitlines()
    assert len(sentences) == 2 * len(CELLS)
    for (name, cell), start, trained in zip(CELLS.items(), sentences[::2], sentences[1::2], strict=True):
        memory = "c" if "c" in cell.states else "h"
        assert start.split()[:3] == [name, "start", memory] and trained.split()[:2] == ["trained", memory]
        for line in (start, trained):
            assert any(kind in line for kind in ("vanishes with", "carried: after 12 steps", "explodes, doubling"))
    assert "trained: 3 steps" in shown and "k=12" in shown and "█ 1  ▇ 0.1" in shown
    assert "\x1b" not in shown


def test_json_has_all_numbers(charlm, text: Path) -> None:
    values = json.loads(charlm("diagnose", text, "--cells", "lstm,rnn", "--init", "identity", "--json", *QUICK).stdout)
    assert values | {"text": "text", "lags": 12, "steps": 3, "hidden_size": 5, "recurrent_init": "identity"} == values
    assert [one["cell"] for one in values["cells"]] == ["lstm", "rnn"]
    for one in values["cells"]:
        states = {"h", "c"} if one["cell"] == "lstm" else {"h"}
        for moment in ("start", "trained"):
            flow = one[moment]
            assert set(flow["gradients"]) == states
            assert set(flow["jacobian_products"]) == states | ({"all"} if len(states) > 1 else set())
            for curve in (*flow["gradients"].values(), *flow["jacobian_products"].values()):
                assert len(curve) == 13 and all(value > 0 for value in curve)
            assert set(flow["spectral_radii"]) == set(CELLS[one["cell"]].recurrent)
            assert flow["spectral_radius"] == max(flow["spectral_radii"].values())
            assert flow["verdict"]["kind"] in ("vanishes", "carried", "explodes")
        assert one["start"]["spectral_radius"] == pytest.approx(1)
        assert one["trained"]["loss"] < one["start"]["loss"]


def test_seed_and_start_only(charlm, text: Path) -> None:
    one, two, three = (
        json.loads(charlm("diagnose", text, "--cells", "rnn", *QUICK, "--steps", "0", "--json", "--seed", seed).stdout)[
            "cells"
        ][0]
        for seed in (1, 1, 2)
    )
    assert one == two != three
    assert "trained" not in one


def test_a_picture_is_drawn(charlm, text: Path) -> None:
    result = charlm("diagnose", text, "--cells", "rnn", "--plot", "out.png", *QUICK)
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")
    assert "wrote out.png" in result.stderr and "out.png" not in result.stdout


def test_documents_limit_the_lags(charlm, failed, text: Path) -> None:
    said = failed("diagnose", text, "--documents", "line", "--lags", "100")
    assert "--lags is 100; the longest document of text has" in said and "can be at most" in said
    charlm("diagnose", text, "--documents", "line", "--cells", "rnn", *QUICK)


BAD = {
    "no text": ("", "no text given"),
    "an unknown cell": ("TEXT --cells rnn,lsmt", "--cells has 'lsmt'; choose from rnn"),
    "no cell": ("TEXT --cells ,", "--cells names no cell"),
    "lags": ("TEXT --lags 0", "--lags is 0; it must be at least 1"),
    "lags beyond the text": ("TEXT --lags 99999", "the longest document of text has"),
    "steps": ("TEXT --steps -1", "--steps is -1"),
    "hidden": ("TEXT --hidden 0", "--hidden is 0"),
    "threads": ("TEXT --threads 0", "--threads is 0"),
    "seed": ("TEXT --seed -1", "--seed is -1"),
    "no folder": ("TEXT --plot nowhere/out.png", "there is no folder 'nowhere'"),
    "no format": ("TEXT --plot out.bmp", "give a name that ends in .png"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD.values(), ids=BAD)
def test_a_mistake_is_one_line(failed, text: Path, arguments: str, said: str) -> None:
    assert said in failed("diagnose", *(str(text) if word == "TEXT" else word for word in arguments.split()))


def test_without_matplotlib_a_picture_is_refused_before_the_work(
    charlm, failed, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'charlm-rnn[plots]'" in failed("diagnose", text, "--plot", "out.png", *QUICK)
    charlm("diagnose", text, "--cells", "rnn", *QUICK)
