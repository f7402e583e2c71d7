import numpy as np
import pytest

from charlm.analysis.units.reading import Reading
from charlm.cli.ui.heatmaps.reading import show_lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_any_line_end_have_their_own_bits(capsys: pytest.CaptureFixture[str], end: str) -> None:
    texts = [*f"a{end}bc{end}{end}d"]
    bits = np.array([{"a": 1.0, "b": 2.0, "c": 2.0, "d": 4.0}.get(text, 0.0) for text in texts])
    none = np.zeros((len(texts), 0))
    show_lines(Reading(ids=none, texts=tuple(texts), bits=bits, likeliest=none, probabilities=none, values=None))
    ends = 1 + len(end)
    expected = [(1 / ends, "a"), (4 / (1 + ends), "bc"), (0.0, ""), (4.0, "d")]
    assert capsys.readouterr().out.splitlines() == [f"{value:7.3f}  {line}" for value, line in expected]
