import inspect
from dataclasses import fields
from typing import get_type_hints

import pytest

import charlm
from charlm.config import CorpusConfig, RunSettings, TrainConfig
from charlm.errors import ConfigError
from charlm.sampling.config import SampleSettings

CONFIGS = ["DynamicConfig", "FillConfig", "ModelConfig", "NeuralCacheConfig", "SampleConfig", "TokenizerConfig"]


@pytest.mark.parametrize("name", [*CONFIGS, "Callbacks"])
def test_a_misspelt_setting_names_the_nearest(name: str) -> None:
    cls = getattr(charlm, name)
    right = max((field.name for field in fields(cls)), key=len)
    with pytest.raises(ConfigError, match=f"{name} has no setting '{right}s'; did you mean {right}"):
        cls(**{right + "s": 1})
    assert right in inspect.signature(cls).parameters


def test_a_name_like_no_other_gets_the_list() -> None:
    with pytest.raises(ConfigError, match="no setting 'zzz'; its settings are algorithm, kind, min_count, vocab_size"):
        charlm.TokenizerConfig(zzz=1)


def test_a_part_of_a_name_finds_it() -> None:
    with pytest.raises(ConfigError, match="did you mean hidden_size"):
        charlm.ModelConfig(hidden=3)


def test_a_misspelt_choice_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"--documents is 'lines'; choose one of .*; did you mean line\?"):
        CorpusConfig(documents="lines")
    with pytest.raises(ConfigError, match=r"--device is 'cud'; choose one of .*; did you mean cuda\?"):
        charlm.load("reviews", device="cud")


def test_keyword_settings_are_the_fields_of_their_configurations() -> None:
    hints = get_type_hints(charlm.SampleConfig)
    assert get_type_hints(SampleSettings) == {field.name: hints[field.name] for field in fields(charlm.SampleConfig)}
    hints = get_type_hints(TrainConfig)
    assert get_type_hints(charlm.TrainOptions) == {field.name: hints[field.name] for field in fields(TrainConfig)}
    own = {**charlm.CorpusOptions.__annotations__, **charlm.ModelOptions.__annotations__}
    lengths = {"minutes", "epochs", "steps"}
    assert RunSettings.__annotations__.keys() == own.keys() | charlm.TrainOptions.__annotations__.keys() - lengths
