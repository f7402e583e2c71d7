"""The options of `charlm eval` and `charlm score` that say what is scored, by which models, and how they adapt."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charlm.cli.options.completion import complete_model
from charlm.cli.options.shared import without_none
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.evaluation.dynamic import DynamicConfig
    from charlm.evaluation.neural_cache import NeuralCacheConfig

ADAPTATION, MODELS = "Adaptation while scoring", "Several models"

DynamicOption = Annotated[
    bool,
    typer.Option(
        "--dynamic",
        help="Dynamic evaluation: after every 32 tokens are scored, take a gradient step on them. The model file "
        "doesn't change.",
        rich_help_panel=ADAPTATION,
    ),
]
DynamicRateOption = Annotated[
    float | None,
    typer.Option(help="Step size of --dynamic.", show_default="0.001; 0.0002 with a match", rich_help_panel=ADAPTATION),
]
CacheOption = Annotated[
    bool,
    typer.Option(
        "--cache",
        help="Neural cache: mix in the tokens that followed similar hidden states earlier in the document.",
        rich_help_panel=ADAPTATION,
    ),
]
CacheShareOption = Annotated[
    float | None,
    typer.Option(
        help="Weight of the cache in the mixture.",
        show_default="0.05; 0.15 with a large vocabulary",
        rich_help_panel=ADAPTATION,
    ),
]
NoBaselinesOption = Annotated[
    bool,
    typer.Option("--no-baselines", help="Leave out the comparison with simple predictors."),
]
ByOption = Annotated[
    Literal["document", "line", "sentence", "word"] | None,
    typer.Option(
        metavar="KIND",
        help="What to score: document, line, sentence or word.",
        show_default="document; line if each document is a file",
    ),
]
AloneOption = Annotated[
    bool, typer.Option("--alone", help="Read each line, sentence or word without what precedes it in its document.")
]
SortOption = Annotated[
    Literal["bits", "bits-per-char"] | None,
    typer.Option(
        metavar="FIGURE",
        help="Show the highest bits, or bits-per-char, first; needs memory for all.",
        show_default="in the order of the text",
    ),
]
TopOption = Annotated[
    int | None, typer.Option(help="Show only this many, the highest first (by bits-per-char unless --sort is set).")
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--models",
        metavar="NAME",
        autocompletion=complete_model,
        help="A model, or a folder of runs; repeatable. With several models, the likeliest is shown.",
        rich_help_panel=MODELS,
    ),
]
PriorOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=P,...",
        help="Probability of each model before reading, such as A=0.2,B=0.8.",
        show_default="uniform",
        rich_help_panel=MODELS,
    ),
]
TruthOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=TEXT",
        help="A text that no model has read and that is known to be like that of model NAME; repeatable. Or a "
        "folder with a file NAME.txt for each model. Probabilities are calibrated on these texts, and the mistakes "
        "are counted. Without TEXT these texts are scored.",
        rich_help_panel=MODELS,
    ),
]


def adaptation(
    *, dynamic: bool, dynamic_rate: float | None, cache: bool, cache_share: float | None
) -> "tuple[DynamicConfig | None, NeuralCacheConfig | None]":
    """How a model adapts while it scores; raises `ConfigError` for the setting of an adaptation that is off."""
    from charlm.evaluation.dynamic import DynamicConfig
    from charlm.evaluation.neural_cache import NeuralCacheConfig

    if dynamic_rate is not None and not dynamic:
        raise ConfigError("--dynamic-rate needs --dynamic; pass both")
    if cache_share is not None and not cache:
        raise ConfigError("--cache-share needs --cache; pass both")
    return (
        DynamicConfig(**without_none(rate=dynamic_rate)) if dynamic else None,
        NeuralCacheConfig(**without_none(share=cache_share)) if cache else None,
    )
