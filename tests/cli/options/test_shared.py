from typer.main import get_command

from charlm.cli.app import app
from charlm.cli.options.shared import given
from charlm.config import ModelOptions, TokenizerConfig, TrainOptions

COMMAND = get_command(app).commands["train"]


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
