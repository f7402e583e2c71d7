"""The options of `charlm train`, in groups."""

from typing import Annotated, Any

import typer

from charlm.cli.options.shared import TEXT
from charlm.config import (
    Device,
    Direction,
    InputInit,
    Optimizer,
    Precision,
    RecurrentInit,
    Skip,
    SubwordAlgorithm,
    TokenizerKind,
)

_TOKENIZER, _MODEL, _TRAINING, _RUN = "Tokenizer", "Model", "Training", "Run"


def _option(help: str, default: str | bool, panel: str) -> Any:
    return typer.Option(help=help, show_default=default, rich_help_panel=panel)


SplitsOption = Annotated[
    str | None,
    _option("Per cent of the text to train on, validate on and test on, in this order.", "90/5/5", TEXT),
]
DirectionOption = Annotated[
    Direction | None,
    _option("backward reads the text from right to left, for `charlm fill`.", "forward", TEXT),
]
TokenizerOption = Annotated[
    TokenizerKind | None,
    _option(
        "What a token is. char: best for small texts and any script. byte: nothing is ever unknown. subword: more "
        "text a second and longer memory, needs a megabyte or more.",
        "char",
        _TOKENIZER,
    ),
]
VocabSizeOption = Annotated[
    int | None,
    _option("Subwords: how many. More make the text shorter and the output layer slower.", "2000", _TOKENIZER),
]
SubwordAlgorithmOption = Annotated[
    SubwordAlgorithm | None, _option("Subwords: how they are found.", "unigram", _TOKENIZER)
]
CellOption = Annotated[
    str | None,
    _option(
        "Recurrent cell, one of `charlm cells`: lstm remembers best, gru has fewer weights, rnn forgets soon.",
        "lstm",
        _MODEL,
    ),
]
LayersOption = Annotated[
    int | None, _option("Recurrent layers; a second one helps long runs and takes twice the time.", "1", _MODEL)
]
HiddenOption = Annotated[
    int | None,
    _option(
        "Width of the hidden state. Twice as wide learns more of a large text, at 3 to 4 times the time.",
        "chosen from the text and the time",
        _MODEL,
    ),
]
EmbeddingOption = Annotated[
    int | None,
    _option("Width of a token's vector.", "32; as wide as --hidden for a vocabulary above 512", _MODEL),
]
DropoutOption = Annotated[
    float | None,
    _option(
        "Share of each layer's outputs dropped in training: 0.2 to 0.5 for small texts that are read many times.",
        "chosen from the text and the time",
        _MODEL,
    ),
]
WeightDropoutOption = Annotated[
    float | None, _option("Share of the weights from state to state dropped in training.", "chosen", _MODEL)
]
TieWeightsOption = Annotated[
    bool | None,
    typer.Option(
        help="Share embedding and output weights (needs equal widths).",
        show_default="for a vocabulary above 512, unless --embedding is given",
        rich_help_panel=_MODEL,
    ),
]
NgramOrderOption = Annotated[
    int | None,
    _option(
        "Let the network build on an n-gram model of this order, by a learnt gate; 0 trains it alone.",
        "12; 5 for a vocabulary above 512",
        _MODEL,
    ),
]
ContextVectorsOption = Annotated[
    int | None,
    _option("N-grams of 2 to 5 tokens that have a vector to read.", "chosen from the text; 16384 at most", _MODEL),
]
SkipOption = Annotated[
    Skip | None,
    _option("residual adds to each layer's output what went into it: deep stacks learn sooner.", "none", _MODEL),
]
SkipStepsOption = Annotated[int | None, _option("How far back the second path of --cell rnn-skip leads.", "4", _MODEL)]
RecurrentInitOption = Annotated[
    RecurrentInit | None, _option("Initial recurrent weights.", "orthogonal; leaky-identity for irnn", _MODEL)
]
InputInitOption = Annotated[InputInit | None, _option("Initial input weights.", "xavier", _MODEL)]
ForgetBiasOption = Annotated[
    float | None, _option("Initial bias of an LSTM's forget gate; high remembers from the start.", "1", _MODEL)
]
UpdateBiasOption = Annotated[
    float | None,
    _option("The same for the gate that keeps the state in gru, mut1 to 3 and mingru.", "0", _MODEL),
]
MinutesOption = Annotated[
    float | None,
    _option(
        "Length of the run by the clock, all included: start, saving, and the sessions before --resume.",
        "5, or 20 epochs if sooner",
        _TRAINING,
    ),
]
EpochsOption = Annotated[
    float | None, _option("Length of the run in passes over the training split.", False, _TRAINING)
]
StepsOption = Annotated[int | None, _option("Length of the run in optimiser steps.", False, _TRAINING)]
BatchSizeOption = Annotated[
    int | None,
    _option(
        "Stretches of text learnt from side by side. Fewer learn sooner in small texts; more are faster.",
        "chosen from the text",
        _TRAINING,
    ),
]
SeqLenOption = Annotated[
    int | None,
    _option(
        "Tokens of truncated backpropagation through time: longer learns longer memories, in fewer steps.",
        "chosen from the text and the time",
        _TRAINING,
    ),
]
LearningRateOption = Annotated[
    float | None,
    _option(
        "Peak of the learning rate: warm-up, then half a cosine. Lower it if the loss explodes.",
        "chosen from the text and the time",
        _TRAINING,
    ),
]
OptimizerOption = Annotated[
    Optimizer | None, _option("muon learns more from a token, adamw takes quicker steps.", "muon", _TRAINING)
]
WeightDecayOption = Annotated[
    float | None, _option("Pulls the weights to 0; 0.1 for small texts.", "chosen", _TRAINING)
]
AveragingOption = Annotated[
    float | None,
    _option("Keep the mean of the weights over this share of the steps; 0 is off.", "chosen", _TRAINING),
]
ClipOption = Annotated[
    float | None,
    _option("Largest gradient norm; larger gradients are scaled down to it. 0 is off.", "1", _TRAINING),
]
SeedOption = Annotated[int | None, _option("Of initial weights, order of the text and dropout.", "1", _TRAINING)]
ValidationsOption = Annotated[
    int | None, _option("How often in a run to validate, write a sample and save.", "20", _TRAINING)
]
ThreadsOption = Annotated[int | None, _option("CPU threads.", "torch's choice", _TRAINING)]
DeviceOption = Annotated[Device | None, _option("Where to compute.", "auto", _TRAINING)]
PrecisionOption = Annotated[
    Precision | None,
    _option("Of products in training: bfloat16 is faster where the processor has it.", "auto", _TRAINING),
]
RunOption = Annotated[
    str | None, _option("Run folder, or its name in runs/.", "a new one in runs/, after the text", _RUN)
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with --run, or with the newest run, where it was saved last.", rich_help_panel=_RUN
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the run that --run names, its model when there is a new one.",
        rich_help_panel=_RUN,
    ),
]
InitFromOption = Annotated[
    str | None,
    _option("Model to begin with, for fine-tuning; its tokenizer and shape are taken over.", False, _RUN),
]
