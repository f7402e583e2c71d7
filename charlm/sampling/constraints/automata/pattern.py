"""Regular expressions as automata, by the engine of outlines-core (the regex crates of Rust).

The engine sets itself no bounds, and a hostile pattern such as a{1000}{1000} would take all memory and end the process.
So it runs in a process of its own, with limits on its time and memory.
"""

import io
import re
import subprocess
import sys
from importlib.util import find_spec

import numpy as np

from charlm.errors import ConfigError
from charlm.sampling.constraints.automaton import FIRST, Table, make_table

MOST_STATES = 20_000
_SCRIPT = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass
from outlines_core import Index, Vocabulary
from outlines_core.json_schema import build_regex_from_schema
import numpy as np
try:
    pattern = sys.stdin.buffer.read().decode()
    if sys.argv[2] == "schema":
        pattern = build_regex_from_schema(pattern)
    index = Index(pattern, Vocabulary(256, {bytes([byte]): [byte] for byte in range(256)}))
except ValueError as error:
    sys.exit(str(error))
rows = index.get_transitions()
states = sorted({index.get_initial_state(), *rows, *index.get_final_states()})
if len(states) > int(sys.argv[1]):
    sys.exit("too many states")
number = {state: place for place, state in enumerate(states)}
after = np.full((len(states), 256), -1, dtype=np.int32)
for state, row in rows.items():
    for byte, following in row.items():
        if byte < 256:
            after[number[state], byte] = number[following]
final = np.array([number[state] for state in index.get_final_states()], dtype=np.int32)
np.savez(sys.stdout.buffer, after=after, final=final, start=number[index.get_initial_state()])
"""


def matching(pattern: str, *, seconds: float = 20) -> Table:
    """The texts that a regular expression matches from their first to their last character.

    Raises `ConfigError` if it can't be parsed, nothing matches it, it is too complex to compile in `seconds`, or
    outlines-core is missing.
    """
    try:
        return compiled(pattern, seconds=seconds)
    except EngineError as error:
        raise _failure(pattern, str(error)) from None


class EngineError(Exception):
    """What the engine says of a pattern or schema that it can't compile; "" if it took too long."""


def compiled(pattern: str, *, is_schema: bool = False, seconds: float = 20) -> Table:
    """The texts that a regular expression or a JSON schema matches; compiling takes `seconds` at most.

    Raises `EngineError` if the engine can't compile it, and `ConfigError` if outlines-core is missing.
    """
    if find_spec("outlines_core") is None:
        raise ConfigError(
            f"{'--json-schema' if is_schema else '--pattern'} needs outlines-core; install it with: pip install "
            "'charlm-rnn[pattern]'"
        )
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _SCRIPT, str(MOST_STATES), "schema" if is_schema else "regex"],
            input=pattern.encode("utf-8", "surrogatepass"),
            capture_output=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise EngineError from None
    if done.returncode:
        raise EngineError(done.stderr.decode("utf-8", "replace"))
    with np.load(io.BytesIO(done.stdout)) as arrays:
        after, final, start = arrays["after"], arrays["final"], int(arrays["start"])
    sinks = np.zeros((FIRST, 256), dtype=np.int32)
    accepting = np.zeros(FIRST + len(after), dtype=bool)
    accepting[FIRST + final] = True
    after = np.where(after < 0, 0, after + FIRST).astype(np.int32)
    return make_table(FIRST + start, np.concatenate([sinks, after]), accepting, ends=True)


def _failure(pattern: str, reason: str) -> ConfigError:
    """The error for what the engine said."""
    if "start state" in reason:
        return ConfigError(f"--pattern is {pattern!r}; it always matches the whole text, so leave out ^ and $")
    if "no transitions" in reason:
        return ConfigError(f"--pattern is {pattern!r}, which matches no text; give one that matches some text")
    if "word boundar" in reason:
        return ConfigError(f"--pattern is {pattern!r}; \\b isn't supported; write what stands there, such as a space")
    if "building NFA" not in reason:
        return _too_complex(pattern)
    try:
        re.compile(pattern)
    except re.error as error:
        return ConfigError(f"--pattern is {pattern!r}, which is not a regular expression: {error}")
    return ConfigError(
        f"--pattern is {pattern!r}, which has a part that isn't supported; leave out look-around such as (?=...) and "
        "back-references such as \\1"
    )


def _too_complex(pattern: str) -> ConfigError:
    return ConfigError(
        f"--pattern is {_shortened(pattern)}, which is too complex; use smaller repetitions, or ASCII classes such as "
        "[a-z] instead of \\w"
    )


def _shortened(pattern: str) -> str:
    return repr(pattern) if len(pattern) <= 60 else repr(pattern[:60]) + "..."
