"""The options of `charlm train` that say how long and how to train, and where to save: the panels Training and Run.

The default "auto" is a value that `charlm.training.start.autotune` selects from the text and the length of the run.
"""

from typing import Annotated

import typer

from charlm.cli.options.completion import complete_model, complete_run
from charlm.cli.options.shared import option
from charlm.config import Device, Optimizer, Precision

TRAINING, RUN = "Training", "Run"

MinutesOption = Annotated[
    float | None,
    option(
        "Length of the run in minutes of wall-clock time, including start-up, saving and earlier sessions of a "
        "resumed run.",
        "5 minutes or 20 epochs, whichever comes first",
        TRAINING,
    ),
]
EpochsOption = Annotated[float | None, option("Length of the run in passes over the training split.", False, TRAINING)]
StepsOption = Annotated[int | None, option("Length of the run in optimiser steps.", False, TRAINING)]
BatchSizeOption = Annotated[
    int | None,
    option(
        "Sequences per training step. Small batches learn faster from small texts; large ones process more text per "
        "second.",
        "auto",
        TRAINING,
    ),
]
SeqLenOption = Annotated[
    int | None,
    option(
        "Tokens per sequence, through which the gradient is propagated back. With longer sequences the model can "
        "learn longer dependencies, but makes fewer steps.",
        "auto",
        TRAINING,
    ),
]
LearningRateOption = Annotated[
    float | None,
    option("Peak learning rate: linear warm-up, then cosine decay. Lower it if the loss explodes.", "auto", TRAINING),
]
OptimizerOption = Annotated[
    Optimizer | None,
    option("muon learns more per token, adamw takes faster steps.", "muon", TRAINING, metavar="NAME"),
]
WeightDecayOption = Annotated[
    float | None, option("Weight decay of the matrices; 0.1 for small texts.", "auto", TRAINING)
]
AveragingOption = Annotated[
    float | None,
    option(
        "Average the weights over about this fraction of the steps, at the end of the run; 0 turns it off.",
        "auto",
        TRAINING,
    ),
]
SoftmaxSamplesOption = Annotated[
    int | None,
    option(
        "Compute the output layer for about this many tokens in each step, the most frequent and a sample of the "
        "others; 0 computes all, as scoring always does.",
        "2048 if the vocabulary is larger than 10,000 tokens, otherwise 0",
        TRAINING,
    ),
]
ClipOption = Annotated[
    float | None,
    option("Maximum gradient norm; larger gradients are scaled down to it. 0 turns clipping off.", "1", TRAINING),
]
SeedOption = Annotated[
    int | None,
    option("Seed for the initial weights, the order in which the text is read, and dropout.", "1", TRAINING),
]
SeedsOption = Annotated[
    int | None,
    typer.Option(
        help="Train this many runs, NAME-1, NAME-2 and so on, each with the next seed, and print mean and spread.",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]
ValidationsOption = Annotated[
    int | None, option("How many times during the run to validate, write a sample and save.", "20", TRAINING)
]
ThreadsOption = Annotated[
    int | None, option("CPU threads of each process.", "set by PyTorch, divided by --processes", TRAINING)
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        help="Train with this many processes on this machine, each of which reads its share of the sequences of a "
        "step. With GPUs, each process uses one.",
        show_default="1",
        rich_help_panel=TRAINING,
    ),
]
DeviceOption = Annotated[
    Device | None,
    option(
        "Where to compute: auto, cpu, cuda or mps. auto trains for a second on cuda and on the CPU and takes the "
        "faster.",
        "auto",
        TRAINING,
        metavar="NAME",
    ),
]
PrecisionOption = Annotated[
    Precision | None,
    option(
        "Precision of the matrix products in training: auto, float32 or bfloat16, which is faster on processors that "
        "support it.",
        "auto",
        TRAINING,
        metavar="NAME",
    ),
]
RunOption = Annotated[
    str | None,
    option(
        "Run folder, or its name in runs/.", "a new folder in runs/, named after the text", RUN, complete=complete_run
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue --run, or the newest run, from where it was last saved. Its length, --learning-rate and --clip "
        "can be changed.",
        rich_help_panel=RUN,
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the run named by --run. Its model is removed when training begins.",
        rich_help_panel=RUN,
    ),
]
InitFromOption = Annotated[
    str | None,
    option(
        "Model to fine-tune: a file, a run, english (the bundled model), or none. The run begins with its weights; a "
        "vocabulary of characters is that of the new text.",
        "english if it predicts the text well, otherwise none",
        RUN,
        metavar="MODEL",
        complete=complete_model,
    ),
]
