"""No combination of options breaks what each of them promises."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from toys import Words, network

from charlm.config import TokenizerConfig
from charlm.sampler import SampleConfig, beam_search, write_many
from charlm.tokenizers import ByteTokenizer, CharTokenizer
from charlm.tokenizers.subword import SubwordTokenizer

SUBWORDS = SubwordTokenizer.fit(
    ["the cat and the other cat, the owl\n" * 40], 1400, TokenizerConfig(kind="subword", vocab_size=300)
)
TOKENIZERS = {
    "char": CharTokenizer("\nabcdefgh"),
    "byte": ByteTokenizer(),
    "subword": SUBWORDS,
    "words": Words("a", "b", "ab", "ba ", "é", " "),
}
NETWORKS = {name: network(tokenizer) for name, tokenizer in TOKENIZERS.items()}
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
    },
)


@settings(max_examples=150)
@given(st.sampled_from([*TOKENIZERS]), st.text("ab é", max_size=4), CONFIGS, st.integers(1, 4), st.integers(0, 99))
def test_no_options_crash_hang_or_break_their_promise(
    kind: str, prefix: str, options: dict, batch: int, seed: int
) -> None:
    options["min_length"] = min(options.get("min_length", 0), options["length"])
    config = SampleConfig(**options)
    texts = [*write_many(NETWORKS[kind], TOKENIZERS[kind], seed=seed, num=3, batch=batch, prefix=prefix, config=config)]
    assert len(texts) == 3
    for text in texts:
        new = text.text[len(text.text) - text.characters :]
        assert text.text == (prefix if config.prefix_in_output else "") + new
        assert len(new) <= config.length and len(text.log_probabilities) == len(new)
        assert math.isfinite(text.log_probability) and text.log_probability <= 0
        assert text.ended != "length" or len(new) == config.length
        assert text.ended != "eos" or len(new) >= config.min_length
        assert text.ended != "banned" or config.ban
        for ban in config.ban:
            assert (prefix + new).find(ban, max(0, len(prefix) - len(ban) + 1)) < 0
        for stop in config.stop:
            assert new.find(stop, config.min_length) < 0


@settings(max_examples=50)
@given(st.sampled_from([*TOKENIZERS]), st.text("ab", max_size=3), CONFIGS, st.integers(1, 5))
def test_no_options_break_a_search(kind: str, prefix: str, options: dict, width: int) -> None:
    options = {
        name: options[name] for name in ("length", "ban", "stop", "bias", "repetition_penalty") if name in options
    }
    config = SampleConfig(min_length=options["length"] // 2, **options)
    texts = beam_search(NETWORKS[kind], TOKENIZERS[kind], width=width, num=width, prefix=prefix, config=config)
    assert 1 <= len(texts) <= width and len({text.text for text in texts}) == len(texts)
    assert all(text.characters <= config.length for text in texts)
