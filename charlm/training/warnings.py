"""What the gradient norms of a run tell that a user should know of, while it goes on."""

from itertools import pairwise

from charlm.training.events import StepRecord

_BLOCK = 100  # steps that are looked at together
_GROWTH = 3.0  # from block to block
_BLOCKS = 3  # in a row


class GradientWatch:
    """Is shown every step, and answers with a warning, each of its two at most once.

    One is that more than half of the last steps were clipped, so that the learning rate is no longer what it was set
    to; the other that the norm before clipping grows without bound (Pascanu, Mikolov and Bengio 2013, section 2.1).
    """

    def __init__(self) -> None:
        self._norms: list[float] = []
        self._clipped = 0
        self._means: list[float] = []
        self._told: set[str] = set()

    def __call__(self, record: StepRecord) -> str | None:
        """The warning that this step earns, if any."""
        self._norms.append(record.gradient_norm)
        self._clipped += record.clipped_norm < record.gradient_norm
        if len(self._norms) < _BLOCK:
            return None
        clipped, mean = self._clipped / _BLOCK, sum(self._norms) / _BLOCK
        self._means.append(mean)
        self._norms, self._clipped = [], 0
        last = self._means[-_BLOCKS - 1 :]
        if len(last) > _BLOCKS and all(after > _GROWTH * before for before, after in pairwise(last)):
            return self._once(
                "growth",
                f"the gradient norm grows without bound: {last[0]:.3g} to {mean:.3g} in {_BLOCKS * _BLOCK} steps; "
                "lower --learning-rate, or begin with other --recurrent-init",
            )
        if clipped > 0.5:
            return self._once(
                "clipping",
                f"the gradient was clipped in {clipped:.0%} of the last {_BLOCK} steps (mean norm {mean:.3g}); a "
                "higher --clip or a lower --learning-rate would let it through",
            )
        return None

    def _once(self, kind: str, warning: str) -> str | None:
        if kind in self._told:
            return None
        self._told.add(kind)
        return warning
