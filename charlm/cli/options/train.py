"""The options of `charlm train`, by help panel.

The default "auto" is a value that `charlm.training.start.autotune` selects from the text and the length of the run.
"""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from charlm.cli.options.completion import complete_cell, complete_model, complete_run
from charlm.cli.options.shared import LABELS, TEXT
from charlm.config import (
    Device,
    InputInit,
    NetworkKind,
    Optimizer,
    Precision,
    ReadingDirection,
    RecurrentInit,
    Skip,
    SubwordAlgorithm,
    TokenizerKind,
    WordSplit,
)

_TOKENIZER, _MODEL, _TRAINING, _RUN = "Tokenizer", "Model", "Training", "Run"


def _option(
    help: str,
    default: str | bool,
    panel: str,
    *,
    metavar: str | None = None,
    complete: Callable[[str], list[str]] | None = None,
) -> Any:
    return typer.Option(
        help=help, show_default=default, rich_help_panel=panel, metavar=metavar, autocompletion=complete
    )


SplitsOption = Annotated[
    str | None,
    _option(
        "Percentages of the text for training, validation and test, in this order.",
        "90/5/5, unless a named corpus sets it",
        TEXT,
    ),
]
DirectionOption = Annotated[
    ReadingDirection | None,
    _option(
        "Reading direction: forward, or backward (from the end to the beginning), which `charlm fill` needs.",
        "forward",
        TEXT,
        metavar="NAME",
    ),
]
TokenizerOption = Annotated[
    TokenizerKind | None,
    _option(
        "What a token is. char: best for small texts and any script. byte: no character is ever unknown. subword: "
        "more text per second and a longer memory, but needs a megabyte of text or more. word: words and punctuation, "
        "for perplexities as papers give them; rare words are spelled in bytes.",
        "char",
        _TOKENIZER,
        metavar="NAME",
    ),
]
LabelColumnOption = Annotated[
    list[str] | None,
    _option(
        "A column of the table whose values are labels: the model learns how texts of each value differ. Repeatable.",
        False,
        LABELS,
        metavar="COLUMN",
    ),
]
LabelFilesOption = Annotated[
    str | None,
    _option(
        "Use the name of each file, without its suffix, as the label NAME of its text.", False, LABELS, metavar="NAME"
    ),
]
LabelFoldersOption = Annotated[
    str | None,
    _option("Use the name of each sub-folder as the label NAME of its texts.", False, LABELS, metavar="NAME"),
]
ValidOption = Annotated[
    list[str] | None,
    _option(
        "Text to use as the entire validation split, such as a benchmark's official one: a file, a folder or a corpus "
        "name. May be repeated.",
        "a share of TEXT, or the official split of a named corpus",
        TEXT,
        metavar="FILE",
    ),
]
TestOption = Annotated[
    list[str] | None,
    _option(
        "The same for the test split, which is not read until `charlm eval`.",
        "a share of TEXT, or the official split of a named corpus",
        TEXT,
        metavar="FILE",
    ),
]
VocabSizeOption = Annotated[
    int | None,
    _option(
        "Number of subwords, or the most words. With more of them, texts take fewer tokens, but the output layer is "
        "slower.",
        "2000 subwords; 60,000 words, or all of a text with <unk>",
        _TOKENIZER,
    ),
]
SubwordAlgorithmOption = Annotated[
    SubwordAlgorithm | None,
    _option("How the subword vocabulary is built: unigram or bpe.", "unigram", _TOKENIZER, metavar="NAME"),
]
MinCountOption = Annotated[
    int | None,
    _option(
        "With --tokenizer word: rarer words than this are spelled.",
        "2; 1 with --vocab-size or a text with <unk>",
        _TOKENIZER,
    ),
]
WordSplitOption = Annotated[
    WordSplit | None,
    _option(
        "How --tokenizer word splits: whitespace, as papers do, or unicode, at word boundaries, so that punctuation "
        "stands alone.",
        "whitespace for a text with <unk>, otherwise unicode",
        _TOKENIZER,
        metavar="NAME",
    ),
]
NetworkOption = Annotated[
    NetworkKind | None,
    _option(
        "Kind of network: recurrent, or to compare with it transformer or convolution.",
        "recurrent",
        _MODEL,
        metavar="NAME",
    ),
]
CellOption = Annotated[
    str | None,
    _option(
        "Recurrent cell, one of those listed by `charlm cells`: lstm is the usual choice, gru has fewer weights, rnn "
        "has the shortest memory.",
        "lstm",
        _MODEL,
        complete=complete_cell,
    ),
]
LayersOption = Annotated[
    int | None,
    _option(
        "Number of layers. A second recurrent layer helps in long runs but doubles the training time.",
        "1; 2 of a transformer, 4 of a convolution",
        _MODEL,
    ),
]
HiddenOption = Annotated[
    int | None,
    _option(
        "Width of the hidden state, or of each layer's output. Doubling it helps on large texts but takes 3-4x the "
        "time.",
        "auto",
        _MODEL,
    ),
]
HeadsOption = Annotated[int | None, _option("Attention heads of a transformer.", "4", _MODEL)]
AttentionSpanOption = Annotated[
    int | None, _option("Earlier tokens to which each layer of a transformer attends.", "128", _MODEL)
]
KernelSizeOption = Annotated[
    int | None,
    _option(
        "Inputs that each layer of a convolution reads. With 3, they are 1, 3, 9, ... steps apart in the layers.",
        "3",
        _MODEL,
    ),
]
EmbeddingOption = Annotated[
    int | None,
    _option(
        "Width of the token embedding.", "32; equal to --hidden if the vocabulary is larger than 512 tokens", _MODEL
    ),
]
DropoutOption = Annotated[
    float | None,
    _option("Dropout on each layer's outputs: 0.2 to 0.5 for small texts that are read many times.", "auto", _MODEL),
]
WeightDropoutOption = Annotated[float | None, _option("Dropout on the state-to-state weights.", "auto", _MODEL)]
TieWeightsOption = Annotated[
    bool | None,
    typer.Option(
        help="Share one matrix between the embedding and the output layer; needs --embedding equal to --hidden.",
        show_default="yes if the vocabulary is larger than 512 tokens, unless --embedding is given",
        rich_help_panel=_MODEL,
    ),
]
NgramOrderOption = Annotated[
    int | None,
    _option(
        "Order of the n-gram model. Its log-probabilities, scaled by learned weights, are added to the network's. 0 "
        "trains the network without it.",
        "12; 5 if the vocabulary is larger than 512 tokens",
        _MODEL,
    ),
]
ContextVectorsOption = Annotated[
    int | None,
    _option(
        "Number of frequent n-grams (of 2 to 5 tokens) with an embedding of their own.", "auto, 16384 at most", _MODEL
    ),
]
MatchOption = Annotated[
    bool | None,
    typer.Option(
        "--match/--no-match",
        help="Let the network use what followed the longest earlier occurrence of the last tokens in the document, so "
        "that it continues repeats.",
        show_default="auto: on if documents are long, the vocabulary is small and there is compiled code",
        rich_help_panel=_MODEL,
    ),
]
RecentOption = Annotated[
    bool | None,
    typer.Option(
        "--recent/--no-recent",
        help="Let the network also use what last followed the last 1 to 6 tokens in the document, so that it adapts to "
        "the words and the columns there.",
        show_default="auto: on with a match",
        rich_help_panel=_MODEL,
    ),
]
SkipOption = Annotated[
    Skip | None,
    _option(
        "none, or residual, which adds the input of each layer after the first to its output; it helps deep stacks "
        "train.",
        "none",
        _MODEL,
        metavar="NAME",
    ),
]
SkipStepsOption = Annotated[
    int | None, _option("How many steps back the skip connection of --cell rnn-skip reaches.", "4", _MODEL)
]
RecurrentInitOption = Annotated[
    RecurrentInit | None,
    _option(
        "Initial recurrent weights: auto, orthogonal, identity, leaky-identity, xavier or uniform.",
        "auto: leaky-identity for irnn, orthogonal for other cells",
        _MODEL,
        metavar="NAME",
    ),
]
InputInitOption = Annotated[
    InputInit | None, _option("Initial input weights: xavier or uniform.", "xavier", _MODEL, metavar="NAME")
]
ForgetBiasOption = Annotated[
    float | None,
    _option("Initial bias of an LSTM's forget gate; with a high value the cell remembers from the start.", "1", _MODEL),
]
UpdateBiasOption = Annotated[
    float | None,
    _option("Initial bias of the gate that keeps the state in gru, mut1, mut2, mut3 and mingru.", "0", _MODEL),
]
MinutesOption = Annotated[
    float | None,
    _option(
        "Length of the run in minutes of wall-clock time, including start-up, saving and earlier sessions of a "
        "resumed run.",
        "5 minutes or 20 epochs, whichever comes first",
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
        "Sequences per training step. Small batches learn faster from small texts; large ones process more text per "
        "second.",
        "auto",
        _TRAINING,
    ),
]
SeqLenOption = Annotated[
    int | None,
    _option(
        "Tokens per sequence, through which the gradient is propagated back. With longer sequences the model can "
        "learn longer dependencies, but makes fewer steps.",
        "auto",
        _TRAINING,
    ),
]
LearningRateOption = Annotated[
    float | None,
    _option("Peak learning rate: linear warm-up, then cosine decay. Lower it if the loss explodes.", "auto", _TRAINING),
]
OptimizerOption = Annotated[
    Optimizer | None,
    _option("muon learns more per token, adamw takes faster steps.", "muon", _TRAINING, metavar="NAME"),
]
WeightDecayOption = Annotated[
    float | None, _option("Weight decay of the matrices; 0.1 for small texts.", "auto", _TRAINING)
]
AveragingOption = Annotated[
    float | None,
    _option(
        "Average the weights over about this fraction of the steps, at the end of the run; 0 turns it off.",
        "auto",
        _TRAINING,
    ),
]
SoftmaxSamplesOption = Annotated[
    int | None,
    _option(
        "Compute the output layer for about this many tokens in each step, the most frequent and a sample of the "
        "others; 0 computes all, as scoring always does.",
        "2048 if the vocabulary is larger than 10,000 tokens, otherwise 0",
        _TRAINING,
    ),
]
ClipOption = Annotated[
    float | None,
    _option("Maximum gradient norm; larger gradients are scaled down to it. 0 turns clipping off.", "1", _TRAINING),
]
SeedOption = Annotated[
    int | None,
    _option("Seed for the initial weights, the order in which the text is read, and dropout.", "1", _TRAINING),
]
SeedsOption = Annotated[
    int | None,
    typer.Option(
        help="Train this many runs, NAME-1, NAME-2 and so on, each with the next seed, and print mean and spread.",
        show_default=False,
        rich_help_panel=_TRAINING,
    ),
]
ValidationsOption = Annotated[
    int | None, _option("How many times during the run to validate, write a sample and save.", "20", _TRAINING)
]
ThreadsOption = Annotated[
    int | None, _option("CPU threads of each process.", "set by PyTorch, divided by --processes", _TRAINING)
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        help="Train with this many processes on this machine, each of which reads its share of the sequences of a step "
        "and, if there are GPUs, has one of its own.",
        show_default="1",
        rich_help_panel=_TRAINING,
    ),
]
DeviceOption = Annotated[
    Device | None,
    _option(
        "Where to compute: auto, cpu, cuda or mps; auto times a second of training on cuda and on the CPU.",
        "auto",
        _TRAINING,
        metavar="NAME",
    ),
]
PrecisionOption = Annotated[
    Precision | None,
    _option(
        "Precision of the matrix products in training: auto, float32 or bfloat16, which is faster on processors that "
        "support it.",
        "auto",
        _TRAINING,
        metavar="NAME",
    ),
]
PriorMemoryOption = Annotated[
    str | None,
    _option(
        "Memory for counting n-grams, such as 500MB. It decides how many tokens, at the end of the training split, are "
        "counted, and how many n-grams are kept.",
        "2GB, or a quarter of the machine's memory if that is less",
        _MODEL,
        metavar="SIZE",
    ),
]
RunOption = Annotated[
    str | None,
    _option(
        "Run folder, or its name in runs/.", "a new folder in runs/, named after the text", _RUN, complete=complete_run
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue --run, or the newest run, from where it was last saved. Its length, --learning-rate and --clip "
        "can be changed.",
        rich_help_panel=_RUN,
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the run named by --run. Its model is removed when training begins.",
        rich_help_panel=_RUN,
    ),
]
InitFromOption = Annotated[
    str | None,
    _option(
        "Model to fine-tune: a file, a run, english (the bundled model), or none. The run begins with its network; a "
        "vocabulary of characters is that of the text.",
        "english if it predicts the text well, otherwise none",
        _RUN,
        metavar="MODEL",
        complete=complete_model,
    ),
]
