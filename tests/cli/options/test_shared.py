from typer.main import get_command

from charlm.cli.app import app
from charlm.cli.options.shared import given
from charlm.config import CorpusOptions, ModelOptions, TokenizerConfig, TrainOptions
from charlm.sampling.config import SampleSettings

COMMANDS = get_command(app).commands
COMMAND = COMMANDS["train"]


def test_the_given_options_are_fields_of_a_config() -> None:
    context = COMMAND.make_context("train", ["a.txt", "--hidden", "8", "--dropout", "0", "--no-match", "--steps", "3"])
    assert given(context, ModelOptions.__annotations__, hidden_size="hidden") == {
        "hidden_size": 8,
        "dropout": 0.0,
        "match": False,
    }
    assert given(context, TokenizerConfig.__annotations__, kind="tokenizer") == {}


def test_every_option_about_the_model_and_its_training_is_a_field() -> None:
    panels = {"Tokenizer", "Model", "Training"}
    names = {one.name for one in COMMAND.params if getattr(one, "rich_help_panel", None) in panels}
    fields = {*ModelOptions.__annotations__, *TokenizerConfig.__annotations__, *TrainOptions.__annotations__}
    renamed = {"tokenizer", "subword_algorithm", "layers", "hidden", "embedding"}
    assert names - fields == renamed | {"seeds", "processes"}


def test_every_setting_of_a_text_and_of_sampling_is_an_option_of_that_name() -> None:
    for command, fields in (("train", CorpusOptions), ("sample", SampleSettings)):
        assert fields.__annotations__.keys() <= {one.name for one in COMMANDS[command].params}


def test_a_list_that_is_not_given_is_no_setting() -> None:
    context = COMMAND.make_context("train", ["a.csv", "--text-column", "text"])
    assert given(context, CorpusOptions.__annotations__) == {"text_column": "text"}
