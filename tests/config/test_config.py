import pytest

from charlm.config import (
    FINE_TUNING_OPTIONS,
    FIRST_WEIGHTS_OPTIONS,
    SHAPE_OPTIONS,
    CorpusConfig,
    ModelConfig,
    ModelOptions,
    TokenizerConfig,
    TrainConfig,
    default_embedding,
)
from charlm.errors import ConfigError
from charlm.sampling import SampleConfig


@pytest.mark.parametrize(
    "config",
    [
        CorpusConfig(documents="separator", separator="\n%\n", splits=(80, 10, 10)),
        TokenizerConfig(kind="subword", vocab_size=500),
        ModelConfig(vocab_size=70, num_layers=2),
        TrainConfig(steps=10, clip=0),
    ],
)
def test_json_gives_the_same_config_back(config) -> None:
    assert type(config).from_json(config.to_json()) == config


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no setting 'widht'"):
        ModelConfig.from_json({"vocab_size": 5, "widht": 3})


@pytest.mark.parametrize(
    "values",
    [{"vocab_size": "5"}, {"vocab_size": True}, {"vocab_size": 5, "num_layers": 1.5}, {"vocab_size": None}, {}],
)
def test_a_value_of_the_wrong_type_is_an_error(values) -> None:
    with pytest.raises(ConfigError):
        ModelConfig.from_json(values)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TrainConfig(steps=0), "--steps is 0; it must be above 0"),
        (lambda: TrainConfig(minutes=float("nan")), "--minutes is nan"),
        (lambda: TrainConfig(minutes=float("inf")), "--minutes is infinite"),
        (lambda: TrainConfig(), "needs a length"),
        (lambda: TrainConfig(steps=1, batch_size=0), "--batch-size is 0"),
        (lambda: TrainConfig(steps=1, learning_rate=-1), "--learning-rate is -1"),
        (lambda: TrainConfig(steps=1, clip=-0.5), "--clip is -0.5"),
        (
            lambda: TrainConfig(steps=1, batch_size=1234567),
            "--batch-size is 1234567; it must be at least 1 and at most",
        ),
        (lambda: TrainConfig(steps=1, seed=2**63), f"--seed is {2**63}; it must be at least 0 and at most {2**63 - 1}"),
        (lambda: TrainConfig(steps=1, device="tpu"), "choose one of auto, cpu, cuda, mps"),
        (lambda: ModelConfig(vocab_size=5, dropout=1.0), "at most 0.95"),
        (lambda: ModelConfig(vocab_size=5, hidden_size=0), "--hidden is 0"),
        (lambda: ModelConfig(vocab_size=5, tie_weights=True), "--embedding equal to --hidden"),
        (lambda: TokenizerConfig(vocab_size=10), "--vocab-size is 10"),
        (lambda: CorpusConfig(splits=(90, 5, 4)), "add up to 100"),
        (lambda: CorpusConfig(splits=(0, 50, 50)), "nothing to train on"),
        (lambda: CorpusConfig(separator="x"), "--separator and --documents separator need each other"),
        (lambda: SampleConfig(temperature=-1), "--temperature is -1"),
        (lambda: SampleConfig(stop=("",)), "--stop is empty"),
        (lambda: SampleConfig(acrostic="a\udcff"), "--acrostic has bytes that are not UTF-8"),
        (lambda: SampleConfig(must_contain=("a", "\udcff")), "--must-contain has bytes that are not UTF-8"),
        (lambda: SampleConfig(pattern="\ud800"), "--pattern has bytes that are not UTF-8"),
    ],
)
def test_out_of_range_names_value_and_remedy(make, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        make()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_every_option_of_a_model_is_for_its_shape_its_first_weights_or_neither() -> None:
    assert sorted((*SHAPE_OPTIONS, *FIRST_WEIGHTS_OPTIONS, *FINE_TUNING_OPTIONS)) == sorted(
        ModelOptions.__annotations__
    )


def test_embedding_follows_the_vocabulary() -> None:
    assert default_embedding(512, 256) == {"tie_weights": False, "embedding_size": 32}
    assert default_embedding(512, 256, tie_weights=True) == {"tie_weights": True, "embedding_size": 256}
    assert default_embedding(513, 384) == {"tie_weights": True, "embedding_size": 384}
    assert default_embedding(513, 384, tie_weights=False) == {"tie_weights": False, "embedding_size": 128}
