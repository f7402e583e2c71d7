import math

import pytest

from charlm.cli.reports.eval import headline, show_bars
from charlm.evaluation.baselines import Baseline


def baseline(bits: float, order: int | None = None) -> Baseline:
    return Baseline(nats=bits * 1000 * math.log(2), characters=1000, order=order)


@pytest.mark.parametrize(
    ("bits", "comparison"),
    [
        (1.84, "8.0% fewer than"),
        (1.0, "50% fewer than"),
        (1.9995, "as many as"),
        (2.01, "0.5% more than"),
        (3.0, "50% more than"),
        (10.0, "5 times as many as"),
    ],
)
def test_the_headline_compares_with_the_best_baseline(bits: float, comparison: str) -> None:
    baselines = {"ngram": baseline(2.0, order=5), "xz": baseline(2.5)}
    assert headline("the test split of novel", 111_540, bits, baselines) == (
        f"{bits:.4f} bits per character on the test split of novel (111,540 characters): "
        f"{comparison} the best baseline, the n-gram model of order 5"
    )


def test_the_headline_names_a_baseline_of_any_kind_or_none() -> None:
    assert headline("a.txt", 1, 2.0, {}) == "2.0000 bits per character on a.txt (1 character)"
    said = headline("a.txt", 9, 2.0, {"uniform": baseline(1.0)}, adaptations=["dynamic evaluation"])
    assert said.endswith(
        "(9 characters) with dynamic evaluation: 2 times as many as the best baseline, the uniform distribution"
    )
    assert headline("a.txt", 9, 2.0, {"gzip": baseline(0.0)}).endswith("more than the best baseline, gzip")


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
def test_bars_fit_the_terminal_and_tell_the_network_without_colour(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charlm.cli.ui.console.WIDE", columns)
    show_bars(2.5, {"ngram": baseline(2.0, order=5), "unigram": baseline(5.0), "xz": baseline(math.inf)})
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert [line.split("  ")[0] for line in lines] == ["n-gram, order 5", "this network", "unigram", "xz"]
    assert max(map(len, lines)) == {30: 23, 40: 40, 80: 80, 200: 100}[columns]
    if columns > 30:
        assert [set(line.split()[-1]) for line in lines] == [{"░"}, {"█"}, {"░"}, {"░"}]
        lengths = [len(line.split()[-1]) for line in lines]
        assert lengths[0] == pytest.approx(0.4 * lengths[2], abs=1) and lengths[1] == pytest.approx(
            0.5 * lengths[2], abs=1
        )
