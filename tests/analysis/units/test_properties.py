"""What is true of a text at each character, on examples marked by hand."""

import numpy as np
import pytest

from charlm.analysis.units.properties import properties


def values(text: str, name: str) -> np.ndarray:
    return next(one for one in properties(text) if one.name == name).values


def marked(text: str, name: str) -> str:
    """Under each character ^ where the property holds."""
    return "".join("^" if value else "-" for value in values(text, name))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('say "so" now', "----^^^-----"),
        ("x = 'ab'; y", "----^^^----"),
        (r'f("a\"b") + "c"', "--^^^^^-----^^-"),
        (r"'it\'s' z", "^^^^^^---"),
        ("I don't and can't go", "-" * 20),
        ("the dogs' bowl, the cats' bed", "-" * 29),
        ("'I don't know' she", "^" * 13 + "-----"),
        ("'tis so and 'twas so", "-" * 20),
        ("b'ab' + rb'c' + Rf'd'", "-^^^------^^------^^-"),
        ('"a\nb" c', "^^^^---"),
        ('5" wide\n\nand 6" high', "-" * 20),
        ('5" wide\r\n\r\nand 6" high', "-" * 22),
        ("'a\nb' c", "-------"),
        ('"""a"b\n\nc""" d', "^" * 11 + "---"),
        ("'''a''b''' d", "^" * 9 + "---"),
        ('x """open to the end', "--" + "^" * 18),
        ('""', "^-"),
        ("“so”, «da» 'x'", "^^^---^^^--^^-"),
        ("# \"no\" 'no'\n'a'", "-" * 12 + "^^-"),
        ("# don't\n'a'", "-" * 8 + "^^-"),
    ],
)
def test_quotes(text: str, expected: str) -> None:
    assert marked(text, "in quotes") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(a[b], {c})d", "0112211122100"),
        (") :) a]", "0000000"),
        ("(a]b)c", "111100"),
        ("([a)b", "12200"),
        ("f(')', x)y", "0111111100"),
        ("f(  # (\n a)", "01111111110"),
        ("(never\n\nclosed", "111111" + "10" + "000000"),
        ("(a,\n\n b)", "11111110"),
        ("(a,\n\n) b", "11111000"),
        ("{a\n\nb}", "111110"),
    ],
)
def test_depth_of_brackets(text: str, expected: str) -> None:
    assert "".join(f"{value:.0f}" for value in values(text, "depth of brackets")) == expected
    assert marked(text, "in brackets") == "".join("-" if digit == "0" else "^" for digit in expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x  # so\ny", "---^^^^--"),
        ("x  # so\r\ny", "---^^^^---"),
        ("#!sh\n#define A", "^^^^-" + "-" * 9),
        ("a#b 'c # d'", "-" * 11),
        ("a = b // 2", "-" * 10),
        ("a; // b\n// c", "---^^^^-^^^^"),
        ("  // c", "--^^^^"),
        ("http://x.org", "-" * 12),
        ("/* a\nb */ c", "^" * 8 + "---"),
        ("ls src/*.c a/*", "-" * 14),
        ("/* it's\n", "-" * 8),
    ],
)
def test_comments(text: str, expected: str) -> None:
    assert marked(text, "in a comment") == expected


@pytest.mark.parametrize(
    ("text", "position", "indentation"),
    [
        ("ab\n  c\n\nd", [1, 2, 0, 1, 2, 3, 0, 0, 1], [0, 0, 0, 1, 2, 2, 0, 0, 0]),
        ("a\r\n b\r\n", [1, 2, 0, 1, 2, 3, 0], [0, 0, 0, 1, 1, 1, 0]),
        (" \ta", [1, 2, 3], [1, 8, 8]),
        ("\n\n", [0, 0], [0, 0]),
    ],
)
def test_lines(text: str, position: list[int], indentation: list[int]) -> None:
    assert values(text, "position in the line").tolist() == position
    assert values(text, "indentation").tolist() == indentation


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("in a word", "I don't, x_1.", "^-^^^^^--^^^-"),
        ("upper case", "Ab ÉÖ Я1", "^--^^-^-"),
        ("digit", "a12 3", "-^^-^"),
        ("end of a sentence", "It is. So e.g. a 1.5! Yes…", "-----^" + "-" * 14 + "^" + "-" * 4 + "^"),
        ("end of a sentence", '"Oh!" She said.\nA', "---^" + "-" * 10 + "^--"),
        ("in a URL", "see https://a.org/b?c, or www.d.e.", "-" * 4 + "^" * 17 + "-" * 5 + "^" * 7 + "-"),
    ],
)
def test_characters_words_and_sentences(name: str, text: str, expected: str) -> None:
    assert marked(text, name) == expected


@pytest.mark.parametrize("text", ["", "a", "'", '"', '"""', "\n", "\r", "(", "\\", "#", "/*", "😀"])
def test_the_shortest_texts(text: str) -> None:
    for one in properties(text):
        assert one.values.shape == (len(text),) and one.values.dtype == np.float32


def test_a_megabyte_takes_seconds() -> None:
    text = "def f(a, b='x'):  # it's\n    return {a: \"b\", 'c': [1, 2]}\n" * 20_000
    assert len(properties(text)[0].values) == len(text)
