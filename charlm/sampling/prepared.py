"""What the texts of one call share: the model, the controls, and how a text begins."""

from dataclasses import dataclass
from typing import Self, TypedDict, Unpack

from charlm.evaluation.copying import CopyIndex
from charlm.model.language_model import LanguageModel
from charlm.progress import Progress, silent
from charlm.sampling.config import SampleConfig, takes_likeliest
from charlm.sampling.constraints.build import build_constraint
from charlm.sampling.constraints.constraint import Constraint
from charlm.sampling.controls import Controls
from charlm.sampling.draws import Uniforms
from charlm.sampling.edges.opening import StartFinder
from charlm.sampling.edges.prefix import Start
from charlm.sampling.steering import Steering
from charlm.sampling.steppers import Stepper, make_stepper
from charlm.sampling.text_stream import TextStream
from charlm.sampling.vocabulary import Vocabulary
from charlm.tokenizers import Tokenizer


class WritingOptions(TypedDict, total=False):
    """How a text is written, whether alone, in a batch, by a search or together with a person."""

    prefix: str
    """What the text begins with."""
    config: SampleConfig | None
    """The settings of the controls."""
    copies: CopyIndex | None
    """Index of the training text, needed with `config.no_copy`."""
    steering: Steering
    """Changes of the state from the end of the prefix on; see `config.steer`."""
    opening: bool
    """Whether a text without a prefix begins inside a document, at the start of a paragraph, sentence or line; see
    `charlm.sampling.edges.opening`."""
    progress: Progress
    """Called with how much of the prefix is read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedModel:
    """A model that is ready to write: its controls are made, and it has read the prefix."""

    model: LanguageModel
    vocabulary: Vocabulary
    config: SampleConfig
    controls: Controls
    prefix: str
    start_finder: StartFinder
    steering: Steering

    @classmethod
    def prepare(cls, model: LanguageModel, tokenizer: Tokenizer, **options: Unpack[WritingOptions]) -> Self:
        """Make the controls and read the prefix.

        Raises:
            UnknownCharacterError: the prefix has a character outside the vocabulary and `config.unknown` is "error".
            ConfigError: the vocabulary does not allow a setting, such as a bias for a text that is not one token.
        """
        config = options.get("config") or SampleConfig()
        prefix, steering = options.get("prefix", ""), options.get("steering", ())
        vocabulary = Vocabulary(tokenizer)
        controls = Controls(vocabulary, config, options.get("copies"))
        start_finder = StartFinder(
            model,
            tokenizer,
            vocabulary,
            controls,
            prefix,
            config.unknown,
            steering,
            opening=options.get("opening", False),
            progress=options.get("progress", silent),
        )
        return cls(
            model=model,
            vocabulary=vocabulary,
            config=config,
            controls=controls,
            prefix=prefix,
            start_finder=start_finder,
            steering=steering,
        )

    @property
    def likeliest(self) -> bool:
        """Whether a text begins with its most likely token, so that nothing may be drawn before it."""
        return takes_likeliest(self.config)

    def constraint(self) -> Constraint | None:
        """The constraint of the configuration; None if it has none. Raises as `build_constraint`."""
        bias = self.vocabulary.bias(self.config.bias)
        return build_constraint(self.model, self.vocabulary, self.config, self.start_finder.first, bias)

    def starts(self, uniforms: Uniforms) -> list[Start]:
        """The ways in which a text may begin; `uniforms` are its random numbers."""
        return self.start_finder(uniforms, likeliest=self.likeliest)

    def stream(self, start: Start, constraint: Constraint | None = None) -> TextStream:
        """The stream of a text that continues from a start, perhaps with a constraint."""
        return TextStream(
            self.vocabulary,
            self.config,
            prefix=self.prefix,
            rest=start.rest,
            nats=start.log_probability,
            constraint=constraint,
        )

    def stepper(self, starts: list[Start]) -> Stepper:
        """A stepper with one row for each start."""
        return make_stepper(self.model, [start.states for start in starts], steering=self.steering)
