import numpy as np
import pytest

from charlm.ngram.kneser_ney import discounts


def test_discounts_by_hand() -> None:
    counts = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4] + [9] * 5 + [0] * 3)
    # Y = 8 / (8 + 2 * 4) = 1/2; 1 - 2 Y 4/8, 2 - 3 Y 2/4, 3 - 4 Y 1/2
    assert discounts(counts) == pytest.approx([0, 1 / 2, 5 / 4, 2])
    assert discounts(counts[counts != 4]) == pytest.approx([0, 0.5, 1, 1.5])
    assert discounts(np.array([1, 2, 3, 3, 3, 3, 4])) == pytest.approx([0, 0.5, 1, 1.5])  # else D2 is below 0
