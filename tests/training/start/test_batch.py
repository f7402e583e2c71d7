from charlm.config import TrainConfig
from charlm.training.start.batch import sequences_per_step, softmax_samples_for


def test_a_step_has_as_many_rows_as_make_two_thousand_tokens() -> None:
    def rows(seq_len: int = 32, **text: int) -> int:
        return sequences_per_step(TrainConfig(steps=1, seq_len=seq_len), **({"documents": 1, "vocab_size": 68} | text))

    assert rows(tokens=10**6) == 64
    assert rows(tokens=10**6, seq_len=128) == 16
    assert rows(tokens=210_000, documents=30_000) == 288  # names
    assert rows(tokens=45_000) == 8  # a hundred steps a pass and more
    assert rows(tokens=10**6, vocab_size=2000) == 32
    assert rows(tokens=10**6, vocab_size=50_000) == 8  # 16 million logits at most
    assert rows(tokens=3) == 8


def test_a_match_needs_the_logits_of_all_tokens() -> None:
    assert softmax_samples_for(10_000, match=False) == softmax_samples_for(50_000, match=True) == 0
    assert softmax_samples_for(10_001, match=False) == 2048
