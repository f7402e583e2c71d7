"""Every setting and its range, as frozen dataclasses that convert to and from JSON.

Every class checks its values when it is created and raises `ConfigError`, which names the value, what is allowed and
what to do. An unknown key in a file is an error.
"""

from charlm.config.checks import check_choice, check_range
from charlm.config.corpus import (
    CorpusConfig,
    CorpusOptions,
    DocumentKind,
    ReadingDirection,
    SplitName,
    SubwordAlgorithm,
    TokenizerConfig,
    TokenizerKind,
    Unknown,
    WordSplit,
)
from charlm.config.json_config import JsonConfig, check_amounts
from charlm.config.labels import MAX_LABEL_VALUES, LabelColumn, Labels
from charlm.config.model import (
    DEFAULT_CELL,
    DEFAULT_HIDDEN_SIZE,
    DEFAULT_NETWORK,
    DEFAULT_SHAPES,
    DEFAULT_SKIP_STEPS,
    LEAST_ORDER_OF_CONTEXTS,
    MAX_CONTEXT_VECTORS,
    MIN_VOCAB_SIZE,
    SMALL_VOCABULARY,
    InputInit,
    ModelConfig,
    ModelOptions,
    NetworkKind,
    RecurrentInit,
    Skip,
    check_network_options,
    default_embedding,
    with_width,
)
from charlm.config.training import Device, Optimizer, Precision, RunConfig, RunSettings, TrainConfig, TrainOptions

__all__ = [
    "DEFAULT_CELL",
    "DEFAULT_HIDDEN_SIZE",
    "DEFAULT_NETWORK",
    "DEFAULT_SHAPES",
    "DEFAULT_SKIP_STEPS",
    "LEAST_ORDER_OF_CONTEXTS",
    "MAX_CONTEXT_VECTORS",
    "MAX_LABEL_VALUES",
    "MIN_VOCAB_SIZE",
    "SMALL_VOCABULARY",
    "CorpusConfig",
    "CorpusOptions",
    "Device",
    "DocumentKind",
    "InputInit",
    "JsonConfig",
    "LabelColumn",
    "Labels",
    "ModelConfig",
    "ModelOptions",
    "NetworkKind",
    "Optimizer",
    "Precision",
    "ReadingDirection",
    "RecurrentInit",
    "RunConfig",
    "RunSettings",
    "Skip",
    "SplitName",
    "SubwordAlgorithm",
    "TokenizerConfig",
    "TokenizerKind",
    "TrainConfig",
    "TrainOptions",
    "Unknown",
    "WordSplit",
    "check_amounts",
    "check_choice",
    "check_network_options",
    "check_range",
    "default_embedding",
    "with_width",
]
