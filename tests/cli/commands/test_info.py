import json

import pytest
import torch

from charlm import __version__
from charlm.kernels import PROGRAMS, compiled
from charlm.native.compiler import compiler


def test_info_tells_how_a_model_was_made(charlm, run: str, sentences: str) -> None:
    shown = " ".join(charlm("info", run).stdout.split())
    for part in (
        "lstm, 1 x 16",
        "c = f * c' + i * g",
        "char",
        "30 steps",
        "sha256",
        "validation",
        "charlm " + __version__,
    ):
        assert part in shown
    values = json.loads(charlm("info", run, "--json").stdout)
    assert values["corpus"]["characters"] == len(sentences)
    assert values["corpus"]["boundaries"] == [int(len(sentences) * 0.9), int(len(sentences) * 0.95), len(sentences)]


def test_info_tells_what_charlm_computes_with(charlm, monkeypatch: pytest.MonkeyPatch) -> None:
    values = json.loads(charlm("info", "--system", "--json").stdout)
    library = compiled.program_library(PROGRAMS["gru"].functions, torch.float32)
    assert (library is None) == (compiler() is None)
    expected = {"charlm": __version__, "torch": torch.__version__, "threads": torch.get_num_threads()}
    assert values | expected | {"compiler": compiler()} == values
    assert values["pointwise"] == ("torch" if library is None else "compiled")
    assert (values["bfloat16"] != "none") == (library is not None and library.has_bfloat16)
    monkeypatch.setattr(compiled, "program_library", lambda functions, dtype: None)
    values = json.loads(charlm("info", "--system", "--json").stdout)
    assert (values["pointwise"], values["bfloat16"]) == ("torch", "none")
    shown = dict(line.rsplit(maxsplit=1) for line in charlm("info", "--system").stdout.splitlines())
    assert (shown["pointwise"], shown["torch"]) == ("torch", torch.__version__)


def test_a_model_and_the_machine_are_two_questions(failed, run: str) -> None:
    assert f"leave out {run}, or --system" in failed("info", run, "--system")
