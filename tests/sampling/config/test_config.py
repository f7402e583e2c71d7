"""No combination of options breaks what each of them promises."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charlm.config import TokenizerConfig
from charlm.errors import ConfigError, CorpusError
from charlm.evaluation.copying import CopyIndex
from charlm.model.language_model import LanguageModel
from charlm.ngram.model import NgramModel
from charlm.sampling import beam_search, generate_many
from charlm.sampling.config import Cycle, Ramp, parse_temperature, read_words
from charlm.sampling.steering import FixedComponent
from charlm.tokenizers import ByteTokenizer, CharTokenizer, SubwordTokenizer, Tokenizer


@pytest.fixture(scope="session")
def kinds(word_tokenizer, uneven) -> dict[str, tuple[Tokenizer, LanguageModel]]:
    """Tokenizers of every kind with a network each; the last network builds on n-grams."""
    text = "the cat and the other cat, the owl\n" * 40
    tokenizers = {
        "char": CharTokenizer("\n abcdefgh"),
        "byte": ByteTokenizer(),
        "subword": SubwordTokenizer.fit([text], len(text), TokenizerConfig(kind="subword", vocab_size=300)),
        "words": word_tokenizer("a", "b", "ab", "ba ", "é", " "),
    }
    kinds = {name: (tokenizer, uneven(tokenizer)) for name, tokenizer in tokenizers.items()}
    tokenizer = tokenizers["char"]
    kinds["prior"] = tokenizer, uneven(tokenizer, ngram_order=4)
    ids = np.concatenate(([0], tokenizer.encode("abba cab had a bad cab\n" * 9)))
    kinds["prior"][1].prior.ngram = NgramModel.fit(ids, order=4, vocab_size=tokenizer.vocab_size, bos=tokenizer.bos)
    return kinds


KINDS = st.sampled_from(["char", "byte", "subword", "words", "prior"])
COPIED = "a bab aéb abba baa b éab babab a"
TOO_LONG = {most: {COPIED[start : start + most + 1] for start in range(len(COPIED) - most)} for most in range(1, 7)}
"""The stretches of `COPIED` of one character more than each `no_copy` allows."""
HELD = (
    FixedComponent(layer=0, part=0, vector=np.full(12, 12**-0.5, np.float32), value=3.0),
    FixedComponent(layer=0, part=-1, vector=np.eye(12, dtype=np.float32)[4], value=-1e4),
)
TEXTS = st.text("abé \n", min_size=1, max_size=3)
CONFIGS = st.fixed_dictionaries(
    {"length": st.integers(0, 12), "unknown": st.just("skip")},
    optional={
        "temperature": st.sampled_from([0, 1e-6, 0.5, 3, math.inf, "0.2..2", "2..0", "0,1,inf"]),
        "top_k": st.integers(0, 5),
        "top_p": st.floats(0.01, 1),
        "min_p": st.floats(0, 1),
        "typical": st.floats(0.01, 1),
        "repetition_penalty": st.floats(0.1, 20),
        "ban": st.lists(TEXTS, max_size=4).map(tuple),
        "stop": st.lists(TEXTS, max_size=3).map(tuple),
        "bias": st.sampled_from([(), ("a=+5",), ("b=-1000", "a=3")]),
        "min_length": st.integers(0, 12),
        "prefix_in_output": st.booleans(),
        "no_copy": st.integers(0, 6),
    },
)


@settings(max_examples=150)
@given(
    KINDS,
    st.text("ab é", max_size=4),
    CONFIGS,
    st.integers(1, 4),
    st.integers(0, 99),
    st.sampled_from([(), HELD[:1], HELD]),
)
def test_no_options_crash_hang_or_break_their_promise(
    kinds,
    sample_config,
    kind: str,
    prefix: str,
    options: dict,
    batch: int,
    seed: int,
    steering: Sequence[FixedComponent],
) -> None:
    options["min_length"] = min(options.get("min_length", 0), options["length"])
    config = sample_config(**options)
    copies = CopyIndex([COPIED], least=config.no_copy + 1) if config.no_copy else None
    tokenizer, model = kinds[kind]
    texts = [
        *generate_many(
            model,
            tokenizer,
            seed=seed,
            num=3,
            batch=batch,
            prefix=prefix,
            config=config,
            copies=copies,
            steering=steering,
        )
    ]
    assert len(texts) == 3
    for text in texts:
        new = text.text[len(text.text) - text.characters :]
        assert text.text == (prefix if config.prefix_in_output else "") + new
        assert len(new) <= config.length and len(text.log_probabilities) == len(new)
        assert math.isfinite(text.log_probability) and text.log_probability <= 0
        assert text.ended != "length" or len(new) == config.length
        assert text.ended != "eos" or len(new) >= config.min_length
        assert text.ended != "banned" or config.ban or config.no_copy
        for end in range(len(prefix) + 1, len(prefix + new) + 1):
            assert (
                not config.no_copy
                or (prefix + new)[max(0, end - config.no_copy - 1) : end] not in TOO_LONG[config.no_copy]
            )
        for ban in config.ban:
            assert (prefix + new).find(ban, max(0, len(prefix) - len(ban) + 1)) < 0
        for stop in config.stop:
            assert new.find(stop, config.min_length) < 0


@settings(max_examples=50)
@given(KINDS, st.text("ab", max_size=3), CONFIGS, st.integers(1, 5))
def test_no_options_break_a_search(kinds, sample_config, kind: str, prefix: str, options: dict, width: int) -> None:
    options = {
        name: options[name] for name in ("length", "ban", "stop", "bias", "repetition_penalty") if name in options
    }
    config = sample_config(min_length=options["length"] // 2, **options)
    tokenizer, model = kinds[kind]
    texts = beam_search(model, tokenizer, width=width, num=width, prefix=prefix, config=config)
    assert 1 <= len(texts) <= width and len({text.text for text in texts}) == len(texts)
    assert all(text.characters <= config.length for text in texts)


def test_a_comma_in_a_ramp_is_a_decimal_comma() -> None:
    assert parse_temperature("0,5..1,2") == Ramp(0.5, 1.2)
    assert parse_temperature("2.0,0") == Cycle((2.0, 0.0))
    with pytest.raises(ConfigError, match=r"--temperature is '1, 2'; for a number write a point, 1.2, .* 1.0,2.0$"):
        parse_temperature("1, 2")


def test_a_list_of_words_is_read_like_any_other_text(write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("\ufeffthe\r\n\n the cat \n".encode(), "words.txt")
    monkeypatch.setenv("HOME", str(path.parent))
    assert read_words(str(path)) == read_words("~/words.txt") == ("the", "the cat")
    with pytest.raises(CorpusError, match=r"nowhere\.txt can't be read: No such file"):
        read_words("nowhere.txt")
    with pytest.raises(ConfigError, match=r"blank\.txt has no words; give a file of one word per line"):
        read_words(str(write("\n \n", "blank.txt")))
