"""The page's tokenizers encode as Python's do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charlm.config import TokenizerConfig
from charlm.export import export_page
from charlm.tokenizers import fit_tokenizer

TEXTS = [
    "",
    "the cat and the dog\n\n  sat on the mat, and the owls",
    "thethe  catcat\tand ▁ ▁▁the",
    "naïve 字字 😀\r\nΩ é e\u0301",
    " the",
    "the ",
    "   ",
    "\n",
    "a" * 300,
]


@pytest.mark.parametrize(
    "config",
    [
        TokenizerConfig(kind="char"),
        TokenizerConfig(kind="byte"),
        TokenizerConfig(kind="subword", vocab_size=330, algorithm="unigram"),
        TokenizerConfig(kind="subword", vocab_size=330, algorithm="bpe"),
    ],
    ids=lambda config: f"{config.kind} {config.algorithm}",
)
def test_the_page_encodes_as_python_does(
    config: TokenizerConfig,
    sentences: str,
    network: Callable[..., Any],
    text_model: Callable[..., Any],
    in_node: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    sentences += "a naïve dog sat on the mat of the owl, then the cat ran; theatre, thesis.\n" * 9
    tokenizer = fit_tokenizer([sentences], len(sentences), config)
    export = export_page(text_model(network(vocab_size=tokenizer.vocab_size), tokenizer))
    texts = [*TEXTS, sentences]
    encoded = in_node(export, tmp_path, simd=True, encodes=texts)["encodes"]
    for text, tokens in zip(texts, encoded, strict=True):
        assert tokens == tokenizer.encode(tokenizer.equivalent(text), unknown="replace").tolist(), text


def test_a_prefix_may_end_inside_a_subword(
    sentences: str,
    network: Callable[..., Any],
    text_model: Callable[..., Any],
    in_node: Callable[..., dict[str, Any]],
    tmp_path: Path,
) -> None:
    config = TokenizerConfig(kind="subword", vocab_size=330)
    tokenizer = fit_tokenizer([sentences], len(sentences), config)
    export = export_page(text_model(network(vocab_size=tokenizer.vocab_size, hidden_size=16), tokenizer))
    prefixes = ["the ca", "cat an", "an ow", "of do", "ca"]
    writes = [{"prefix": prefix, "length": 40, "temperature": 0, "minP": 0} for prefix in prefixes]
    for prefix, written in zip(prefixes, in_node(export, tmp_path, simd=True, writes=writes)["writes"], strict=True):
        wanted = export.model.sample(prefix, temperature=0.0, length=40, prefix_in_output=False)
        assert written["text"] == wanted, prefix
