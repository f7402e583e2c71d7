"""The state of a constraint while a text is written."""

from typing import Self

from charlm.sampling.constraints.constraint import Constraint, Continuations, Position, State


class ConstraintState:
    """The state of a constraint after the tokens of a text."""

    def __init__(self, constraint: Constraint, rest: bytes = b"") -> None:
        """Begin a text; `rest` is what its first token repeats of the prefix."""
        self.constraint = constraint
        self.state: State = constraint.start
        self.rest = rest
        """What the next token repeats of the prefix."""
        self._following: Continuations | None = None

    def copy(self) -> Self:
        """A copy that can continue independently."""
        other = type(self)(self.constraint, self.rest)
        other.state, other._following = self.state, self._following
        return other

    @property
    def following(self) -> Continuations:
        """What each token leads to."""
        if self._following is None:
            self._following = self.constraint.continuations(self.state, self.rest)
        return self._following

    @property
    def is_free(self) -> bool:
        """Whether the constraint is satisfied, whatever follows."""
        return not self.rest and self.constraint.is_free(self.state)

    @property
    def is_between_words(self) -> bool:
        """See `Constraint.is_between_words`."""
        return not self.rest and self.constraint.is_between_words(self.state)

    def position(self, room: int, *, may_end: bool) -> Position:
        """Where the text is; see `Position`."""
        return Position(self.state, room, may_end, self.rest)

    def reaches(self, token: int, room: int) -> bool:
        """Whether the text can be finished after an allowed token. Exact, unlike `chances`."""
        following = self.following
        if following.ended[token]:
            return True
        state = tuple(following.next[:, token].tolist())
        return self.constraint.reaches(state, room - int(following.characters[token]))

    def push(self, token: int) -> int | None:
        """Add a token that is allowed and not EOS; returns None, or how many of its bytes belong to a text that ends
        in it."""
        following = self.following
        if following.ended[token]:
            return int(following.sizes[token])
        self.state = tuple(following.next[:, token].tolist())
        self.rest, self._following = b"", None
        return None
