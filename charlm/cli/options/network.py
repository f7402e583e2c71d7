"""The options of `charlm train` that define the model: the help panels Tokenizer and Model."""

from typing import Annotated

import typer

from charlm.cli.options.completion import complete_cell
from charlm.cli.options.shared import option
from charlm.config import (
    InputInit,
    NetworkKind,
    RecurrentInit,
    Skip,
    SubwordAlgorithm,
    TokenizerKind,
    WordSplit,
)

TOKENIZER, MODEL = "Tokenizer", "Model"

TokenizerOption = Annotated[
    TokenizerKind | None,
    option(
        "What a token is. char: best for small texts and any script. byte: no character is ever unknown. subword: "
        "more text per second and a longer memory, but needs a megabyte of text or more. word: words and punctuation, "
        "for perplexities as papers give them; rare words are spelled in bytes.",
        "char",
        TOKENIZER,
        metavar="NAME",
    ),
]
VocabSizeOption = Annotated[
    int | None,
    option(
        "Number of subwords, or the most words. With more of them, texts take fewer tokens, but the output layer is "
        "slower.",
        "2000 subwords; 60,000 words, or all of a text with <unk>",
        TOKENIZER,
    ),
]
SubwordAlgorithmOption = Annotated[
    SubwordAlgorithm | None,
    option("How the subword vocabulary is built: unigram or bpe.", "unigram", TOKENIZER, metavar="NAME"),
]
MinCountOption = Annotated[
    int | None,
    option(
        "With --tokenizer word: words that occur less often than this in the training split are spelled in bytes.",
        "2; 1 with --vocab-size or a text with <unk>",
        TOKENIZER,
    ),
]
WordSplitOption = Annotated[
    WordSplit | None,
    option(
        "How --tokenizer word splits: whitespace, as papers do, or unicode, at word boundaries, so that punctuation "
        "stands alone.",
        "whitespace for a text with <unk>, otherwise unicode",
        TOKENIZER,
        metavar="NAME",
    ),
]
NetworkOption = Annotated[
    NetworkKind | None,
    option(
        "Kind of network: recurrent; or transformer or convolution, for comparison.",
        "recurrent",
        MODEL,
        metavar="NAME",
    ),
]
CellOption = Annotated[
    str | None,
    option(
        "Recurrent cell, one of those listed by `charlm cells`: lstm is the usual choice, gru has fewer weights, rnn "
        "has the shortest memory.",
        "lstm",
        MODEL,
        complete=complete_cell,
    ),
]
LayersOption = Annotated[
    int | None,
    option(
        "Number of layers. A second recurrent layer helps in long runs but doubles the training time.",
        "1; 2 of a transformer, 4 of a convolution",
        MODEL,
    ),
]
HiddenOption = Annotated[
    int | None,
    option(
        "Width of the hidden state, or of each layer's output. Doubling it helps on large texts but takes 3-4x the "
        "time.",
        "auto",
        MODEL,
    ),
]
HeadsOption = Annotated[int | None, option("Attention heads of a transformer.", "4", MODEL)]
AttentionSpanOption = Annotated[
    int | None, option("Earlier tokens to which each layer of a transformer attends.", "128", MODEL)
]
KernelSizeOption = Annotated[
    int | None,
    option(
        "Inputs that each layer of a convolution reads. With 3, they are 1, 3, 9, ... steps apart in the layers.",
        "3",
        MODEL,
    ),
]
EmbeddingOption = Annotated[
    int | None,
    option("Width of the token embedding.", "32; equal to --hidden if the vocabulary is larger than 512 tokens", MODEL),
]
DropoutOption = Annotated[
    float | None,
    option("Dropout on each layer's outputs: 0.2 to 0.5 for small texts that are read many times.", "auto", MODEL),
]
WeightDropoutOption = Annotated[float | None, option("Dropout on the state-to-state weights.", "auto", MODEL)]
TieWeightsOption = Annotated[
    bool | None,
    typer.Option(
        help="Share one matrix between the embedding and the output layer; needs --embedding equal to --hidden.",
        show_default="yes if the vocabulary is larger than 512 tokens, unless --embedding is given",
        rich_help_panel=MODEL,
    ),
]
NgramOrderOption = Annotated[
    int | None,
    option(
        "Order of the n-gram model. Its log-probabilities, scaled by learned weights, are added to the network's. 0 "
        "trains the network alone, without it and without a match.",
        "12; 5 if the vocabulary is larger than 512 tokens",
        MODEL,
    ),
]
ContextVectorsOption = Annotated[
    int | None,
    option(
        "Number of frequent n-grams (of 2 to 5 tokens) with an embedding of their own.", "auto, 16384 at most", MODEL
    ),
]
MatchOption = Annotated[
    bool | None,
    typer.Option(
        "--match/--no-match",
        help="Let the network use a match: the longest earlier passage of the document that ends like the text so far, "
        "and what followed it, so that it continues repeats.",
        show_default="auto: on with an n-gram model, if documents are long, the vocabulary is small and there is "
        "compiled code",
        rich_help_panel=MODEL,
    ),
]
RecentOption = Annotated[
    bool | None,
    typer.Option(
        "--recent/--no-recent",
        help="Let the network also use what last followed the same 1 to 6 tokens in the document, so that it adapts to "
        "the document's words and columns.",
        show_default="auto: on with a match",
        rich_help_panel=MODEL,
    ),
]
PriorMemoryOption = Annotated[
    str | None,
    option(
        "Memory for counting n-grams, such as 500MB. It decides how many tokens, at the end of the training split, are "
        "counted, and how many n-grams are kept.",
        "2GB, or a quarter of the machine's memory if that is less",
        MODEL,
        metavar="SIZE",
    ),
]
SkipOption = Annotated[
    Skip | None,
    option(
        "none, or residual, which adds the input of each layer after the first to its output; it helps deep stacks "
        "train.",
        "none",
        MODEL,
        metavar="NAME",
    ),
]
SkipStepsOption = Annotated[
    int | None, option("How many steps back the skip connection of --cell rnn-skip reaches.", "4", MODEL)
]
RecurrentInitOption = Annotated[
    RecurrentInit | None,
    option(
        "Initial recurrent weights: auto, orthogonal, identity, leaky-identity, xavier or uniform.",
        "auto: leaky-identity for irnn, orthogonal for other cells",
        MODEL,
        metavar="NAME",
    ),
]
InputInitOption = Annotated[
    InputInit | None, option("Initial input weights: xavier or uniform.", "xavier", MODEL, metavar="NAME")
]
ForgetBiasOption = Annotated[
    float | None,
    option("Initial bias of an LSTM's forget gate; with a high value the cell remembers from the start.", "1", MODEL),
]
UpdateBiasOption = Annotated[
    float | None,
    option("Initial bias of the gate that keeps the state in gru, mut1, mut2, mut3 and mingru.", "0", MODEL),
]
