"""Settings of the text: how it is read, cut into documents, split and turned into tokens."""

from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, get_args

from charlm.config.checks import check_choice, check_range
from charlm.config.json_config import JsonConfig
from charlm.config.names import names_checked
from charlm.errors import ConfigError

DocumentKind = Literal["file", "line", "paragraph", "separator", "record"]
TokenizerKind = Literal["char", "byte", "subword", "word"]
SubwordAlgorithm = Literal["unigram", "bpe"]
WordSplit = Literal["auto", "whitespace", "unicode"]
ReadingDirection = Literal["forward", "backward"]
SplitName = Literal["train", "valid", "test"]
Unknown = Literal["error", "nearest", "skip", "replace"]


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusConfig(JsonConfig):
    """How a text is read, cut into documents and split."""

    documents: DocumentKind = "file"
    """What one document is: a file, a line, a paragraph (blank lines between), the text between separators, or the text
    of a record of a table."""
    separator: str | None = None
    """The text that separates documents; only with documents "separator"."""
    splits: tuple[float, float, float] = (90.0, 5.0, 5.0)
    """Train, validation and test split, in per cent of the characters; contiguous and in this order. With labels or
    pairs, each split has documents from everywhere; see `charlm.data.splits.spread`."""
    direction: ReadingDirection = "forward"
    """The reading direction: documents are read from left to right or, token by token, from right to left."""
    encoding: str = "utf-8"
    """The text's encoding, by its name in Python."""
    errors: Literal["strict", "replace"] = "strict"
    """How to treat undecodable bytes: stop with an error, or replace them by U+FFFD."""
    text_column: str | None = None
    """The column of a table (CSV, TSV or JSON Lines) that has the texts; only with documents "record"."""
    source_column: str | None = None
    """The column of a table of pairs that has the sources: texts that are read, and not learnt."""
    target_column: str | None = None
    """The column that has the targets: texts that are written after their sources."""
    label_column: str | tuple[str, ...] = ()
    """The columns of the table that have labels."""
    label_files: str | None = None
    """The name of a label whose value is the name of the file, without its suffix."""
    label_folders: str | None = None
    """The name of a label whose value is the name of the sub-folder."""

    def __post_init__(self) -> None:
        check_choice("--documents", self.documents, get_args(DocumentKind))
        check_choice("--direction", self.direction, get_args(ReadingDirection))
        check_choice("--errors", self.errors, ("strict", "replace"))
        if (self.separator is not None) != (self.documents == "separator"):
            raise ConfigError("--separator and --documents separator need each other; give both or neither")
        if self.separator == "":
            raise ConfigError("--separator is empty; give the text that separates documents")
        if (self.source_column is None) != (self.target_column is None):
            raise ConfigError("--source-column and --target-column need each other; give both or neither")
        if self.text_column is not None and self.target_column is not None:
            raise ConfigError("--text-column can't be combined with --target-column; give one of them")
        written_column = self.text_column if self.target_column is None else self.target_column
        if (written_column is not None) != (self.documents == "record"):
            raise ConfigError('--text-column and documents "record" need each other; give both or neither')
        if self.label_columns and written_column is None:
            raise ConfigError("--label-column needs --text-column, the column of the texts; pass both")
        if self.source_column is not None and self.source_column == self.target_column:
            raise ConfigError(f"--source-column and --target-column are both {self.source_column!r}; give two columns")
        if self.is_pairs and self.direction == "backward":
            raise ConfigError("--direction backward would read the target before the source; leave it out for pairs")
        if len(set(self.label_names)) < len(self.label_names) or not all(self.label_names):
            raise ConfigError(f"the labels are {', '.join(self.label_names)!r}; give each a name of its own")
        for column in (self.text_column, self.source_column, self.target_column):
            if column in self.label_columns:
                raise ConfigError(f"the column {column!r} can't be both a text and a label; give two columns")
        splits = self.splits
        if len(splits) != 3 or not all(0 <= part <= 100 for part in splits) or abs(sum(splits) - 100) > 1e-9:
            text = "/".join(f"{part:g}" for part in splits)
            raise ConfigError(f"--splits is {text}; give three shares in per cent that add up to 100, such as 90/5/5")
        if splits[0] == 0:
            raise ConfigError("--splits leaves nothing to train on; give a first share above 0, such as 90/5/5")

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns that have labels."""
        return (self.label_column,) if isinstance(self.label_column, str) else self.label_column

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of all labels that documents may have."""
        return (*self.label_columns, *(name for name in (self.label_files, self.label_folders) if name is not None))

    @property
    def is_pairs(self) -> bool:
        """Whether each document is the target of a source."""
        return self.source_column is not None

    @property
    def is_spread(self) -> bool:
        """Whether each split has documents from everywhere in the text, as with labels and pairs."""
        return self.is_pairs or bool(self.label_names)

    def changed(self, options: "CorpusOptions") -> "CorpusConfig":
        """The configuration for another text: these options replace those that contradict them.

        In a table the labels of files and folders are those of columns with their names.
        """
        values: dict[str, Any] = dict(options)
        if values.get("text_column") is not None:
            values = {"documents": "record", "source_column": None, "target_column": None} | values
            if self.documents != "record" and self.label_names:
                values = {"label_column": self.label_names, "label_files": None, "label_folders": None} | values
        elif values.get("source_column") is not None or values.get("target_column") is not None:
            values = {"documents": "record", "text_column": None} | values
        if values.get("documents", "record") != "record":
            values = {"text_column": None, "source_column": None, "target_column": None, "label_column": ()} | values
        if values.get("documents", "separator") != "separator":
            values = {"separator": None} | values
        return replace(self, **values)


class CorpusOptions(TypedDict, total=False):
    """Fields of `CorpusConfig`; what isn't given is as the registry says, or the default."""

    documents: DocumentKind
    separator: str | None
    splits: tuple[float, float, float]
    direction: ReadingDirection
    encoding: str
    errors: Literal["strict", "replace"]
    text_column: str | None
    source_column: str | None
    target_column: str | None
    label_column: str | tuple[str, ...]
    label_files: str | None
    label_folders: str | None


@names_checked
@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerConfig(JsonConfig):
    """How text becomes token ids."""

    kind: TokenizerKind = "char"
    """Unicode characters of the training split, the 256 bytes, SentencePiece subwords, or words."""
    vocab_size: int | None = None
    """Subwords: size of the vocabulary, including the 256 bytes and 3 special tokens; None is 2000. Words: the most
    words to keep; None is 60,000, or all words of a text that has `<unk>` in place of the rare ones."""
    algorithm: SubwordAlgorithm = "unigram"
    """Subwords only: the unigram model (Kudo 2018) or byte-pair encoding (Sennrich et al. 2016)."""
    min_count: int | None = None
    """Words only: how often a word occurs at least in the training split to be in the vocabulary; None is 2, or 1 if
    `vocab_size` is given or the text has `<unk>` in place of rare words."""
    word_split: WordSplit = "auto"
    """Words only: split at white space, as papers do, or at Unicode word boundaries; auto is whitespace for a text that
    has `<unk>` in place of rare words."""

    def __post_init__(self) -> None:
        check_choice("--tokenizer", self.kind, get_args(TokenizerKind))
        check_choice("--subword-algorithm", self.algorithm, get_args(SubwordAlgorithm))
        check_choice("--word-split", self.word_split, get_args(WordSplit))
        if self.vocab_size is not None:
            check_range("--vocab-size", self.vocab_size, 1 if self.kind == "word" else 300, 1_000_000)
        if self.min_count is not None:
            check_range("--min-count", self.min_count, 1, 1_000_000_000)
