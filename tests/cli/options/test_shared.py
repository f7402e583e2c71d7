import pytest
from typer.main import get_command

from charlm.cli.app import app
from charlm.cli.options.shared import given
from charlm.config import CorpusOptions, ModelOptions, TokenizerConfig, TrainOptions, option_of
from charlm.errors import ConfigError
from charlm.sampling.config import SampleSettings

COMMANDS = get_command(app).commands
COMMAND = COMMANDS["train"]


def test_the_given_options_are_fields_of_a_config() -> None:
    context = COMMAND.make_context("train", ["a.txt", "--hidden", "8", "--dropout", "0", "--no-match", "--steps", "3"])
    assert given(context, ModelOptions.__annotations__) == {
        "hidden_size": 8,
        "dropout": 0.0,
        "match": False,
    }
    assert given(context, TokenizerConfig.__annotations__) == {}


def test_every_option_about_the_model_and_its_training_is_a_field() -> None:
    panels = {"Tokenizer", "Model", "Training"}
    names = {one.name for one in COMMAND.params if getattr(one, "rich_help_panel", None) in panels}
    fields = {*ModelOptions.__annotations__, *TokenizerConfig.__annotations__, *TrainOptions.__annotations__}
    renamed = {"tokenizer", "subword_algorithm", "layers", "hidden", "embedding"}
    assert names - fields == renamed | {"seeds", "processes"}


def test_the_option_of_every_field_exists() -> None:
    options = {name for one in COMMAND.params for name in (*one.opts, *one.secondary_opts)}
    fields = (CorpusOptions, ModelOptions, TokenizerConfig, TrainOptions)
    without_option = {"warmup", "final_learning_rate"}
    named = {option_of(field) for one in fields for field in one.__annotations__.keys() - without_option}
    assert named <= options
    assert {option_of(field, False) for field in ("tie_weights", "match", "recent")} <= options


def test_every_setting_of_a_text_and_of_sampling_is_an_option_of_that_name() -> None:
    for command, fields in (("train", CorpusOptions), ("sample", SampleSettings)):
        assert fields.__annotations__.keys() <= {one.name for one in COMMANDS[command].params}


def test_an_option_with_a_number_beyond_64_bits_is_named() -> None:
    context = COMMAND.make_context("train", ["a.txt", "--hidden", str(2**63), "--steps", str(-(2**63))])
    for fields, option in ((ModelOptions, f"--hidden {2**63}"), (TrainOptions, f"--steps {-(2**63)}")):
        with pytest.raises(ConfigError, match=f"^{option} doesn't fit into 64 bits; give a smaller number$"):
            given(context, fields.__annotations__)


def test_a_list_that_is_not_given_is_no_setting() -> None:
    context = COMMAND.make_context("train", ["a.csv", "--text-column", "text"])
    assert given(context, CorpusOptions.__annotations__) == {"text_column": "text"}
