"""`charlm trace` as a user types it."""

import json

import pytest


def test_hello_is_learnt_and_shown_step_by_step(charlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = charlm("trace", "--text", "hello").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "learnt: it writes 'hello'"
    starts = [
        lines.index(next(line for line in lines if line.startswith(title))) for title in ("before", "after", "wr")
    ]
    assert starts == sorted(starts)
    for start in starts:
        assert lines[start + 1].split()[:8] == ["reads", "hidden", "state", "e", "h", "l", "o", "<EOS>"]
        assert [line.split()[0] for line in lines[start + 2 : start + 8]] == ["<BOS>", *"hello"]
    after = [line.split() for line in lines[starts[1] + 2 : starts[1] + 8]]
    assert [row[9:] for row in after] == [[target, target, "✓"] for target in (*"hello", "<EOS>")]
    assert any("✗" in line for line in lines[: starts[1]])


def test_json_has_all_numbers(charlm) -> None:
    values = json.loads(charlm("trace", "--json", "--cell", "lstm", "--hidden", "5", "--steps", "7").stdout)
    assert values | {"text": "hello", "cell": "lstm", "hidden_size": 5, "steps": 7, "seed": 1} == values
    assert len(values["losses"]) == 7
    for name in ("before", "after"):
        assert [step["target"] for step in values[name]] == [*"hello", "<EOS>"]
    for step in (*values["before"], *values["after"], *values["generation"]):
        assert {state: len(numbers) for state, numbers in step["states"].items()} == {"h": 5, "c": 5}
        assert sum(step["distribution"].values()) == pytest.approx(1)


def test_the_seed_decides(charlm) -> None:
    one, two, three = (charlm("trace", "--steps", "3", "--seed", seed).stdout for seed in (1, 1, 2))
    assert one == two != three


def test_a_wide_state_and_many_characters_fit(charlm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = charlm("trace", "--text", "a [b]\nworld", "--hidden", "9", "--steps", "4").stdout
    rows = shown.split("after 4 steps")[0].splitlines()
    assert max(map(len, rows)) <= 80 and "…" in rows[2] and "likeliest next" in rows[1]
    assert [row.split()[0] for row in rows[2:14]] == ["<BOS>", "a", "␣", "[", "b", "]", "⏎", *"world"]


def test_what_is_not_learnt_is_said(charlm) -> None:
    assert "give more --steps or a larger --hidden" in charlm("trace", "--steps", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text", ""], "--text has 0 characters"),
        (["--text", "x" * 99], "--text has 99 characters; give 1 to 64"),
        (["--cell", "lsmt"], "'lsmt'; choose one of"),
        (["--steps", "0"], "--steps is 0"),
        (["--hidden", "0"], "--hidden is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--seed", "9" * 20], "--seed is 99999999999999999999; it must be at least 0 and at most 9223372036854775807"),
    ],
)
def test_a_mistake_is_one_line(failed, arguments: list[str], said: str) -> None:
    assert said in failed("trace", *arguments)
