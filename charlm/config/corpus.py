"""Settings of the text: how it is read, cut into documents, split and turned into tokens."""

from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from charlm.config.checks import check_choice, check_range
from charlm.config.json_config import JsonConfig
from charlm.config.names import names_checked
from charlm.errors import ConfigError

DocumentKind = Literal["file", "line", "paragraph", "separator"]
TokenizerKind = Literal["char", "byte", "subword"]
SubwordAlgorithm = Literal["unigram", "bpe"]
ReadingDirection = Literal["forward", "backward"]
SplitName = Literal["train", "valid", "test"]
Unknown = Literal["error", "nearest", "skip", "replace"]


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig(JsonConfig):
    """How a text is read, cut into documents and split."""

    documents: DocumentKind = "file"
    """What one document is: a file, a line, a paragraph (blank lines between), or the text between separators."""
    separator: str | None = None
    """The text that separates documents; only with documents "separator"."""
    splits: tuple[float, float, float] = (90.0, 5.0, 5.0)
    """Train, validation and test split, in per cent of the characters; contiguous and in this order."""
    direction: ReadingDirection = "forward"
    """The reading direction: documents are read from left to right or, token by token, from right to left."""
    encoding: str = "utf-8"
    """The text's encoding, by its name in Python."""
    errors: Literal["strict", "replace"] = "strict"
    """How to treat undecodable bytes: stop with an error, or replace them by U+FFFD."""

    def __post_init__(self) -> None:
        check_choice("--documents", self.documents, get_args(DocumentKind))
        check_choice("--direction", self.direction, get_args(ReadingDirection))
        check_choice("--errors", self.errors, ("strict", "replace"))
        if (self.separator is not None) != (self.documents == "separator"):
            raise ConfigError("--separator and --documents separator need each other; give both or neither")
        if self.separator == "":
            raise ConfigError("--separator is empty; give the text that separates documents")
        splits = self.splits
        if len(splits) != 3 or not all(0 <= part <= 100 for part in splits) or abs(sum(splits) - 100) > 1e-9:
            text = "/".join(f"{part:g}" for part in splits)
            raise ConfigError(f"--splits is {text}; give three shares in per cent that add up to 100, such as 90/5/5")
        if splits[0] == 0:
            raise ConfigError("--splits leaves nothing to train on; give a first share above 0, such as 90/5/5")


class CorpusOptions(TypedDict, total=False):
    """Fields of `CorpusConfig`; what isn't given is as the registry says, or the default."""

    documents: DocumentKind
    separator: str | None
    splits: tuple[float, float, float]
    direction: ReadingDirection
    encoding: str
    errors: Literal["strict", "replace"]


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerConfig(JsonConfig):
    """How text becomes token ids."""

    kind: TokenizerKind = "char"
    """Unicode characters of the training split, the 256 bytes, or SentencePiece subwords."""
    vocab_size: int = 2000
    """Subwords only: size of the vocabulary, including the 256 bytes and 3 special tokens."""
    algorithm: SubwordAlgorithm = "unigram"
    """Subwords only: the unigram model (Kudo 2018) or byte-pair encoding (Sennrich et al. 2016)."""

    def __post_init__(self) -> None:
        check_choice("--tokenizer", self.kind, get_args(TokenizerKind))
        check_choice("--subword-algorithm", self.algorithm, get_args(SubwordAlgorithm))
        check_range("--vocab-size", self.vocab_size, 300, 1_000_000)
