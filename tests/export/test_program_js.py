"""Programs as JavaScript."""

from charlm.export.program_js import function_script
from charlm.kernels.lstm import LSTM
from charlm.kernels.program import residual_sum


def test_a_stage_is_a_loop_over_its_quantities() -> None:
    script = function_script(LSTM.stages[0].forward)
    assert "const { i, f, g, o, c, c_next, h_next } = quantities;" in script
    assert "SIGMOID(in_i)" in script and "TANH(in_g)" in script and "REAL" not in script
    assert "next_input[j] = t0;" in function_script(residual_sum)
