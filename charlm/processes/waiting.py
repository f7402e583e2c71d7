"""How the threads of torch wait for each other; set before torch is imported, since OpenMP reads it then."""

import os
import time
from pathlib import Path
from statistics import median

LOAD = Path("/proc/loadavg")
"""Where Linux says how many threads run at the moment."""

_SPIN_BRIEFLY = {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "1"}
"""For GNU's OpenMP rounds of a loop, some 100 microseconds; for LLVM's and Intel's a millisecond."""
_SET_BY_USER = {"OMP_WAIT_POLICY", *_SPIN_BRIEFLY}
_BUSY = 0.25  # of the cores
_LOOKS, _PAUSE = 5, 0.002  # seconds


def wait_without_spinning() -> None:
    """Let OpenMP threads sleep soon while they wait, if other programs use the processor.

    By default they spin for milliseconds, which is fastest on a quiet machine. But when another program has taken the
    core of one thread, the others spend their own time on waiting for it. An environment that sets how threads wait is
    left as it is.
    """
    if not _SET_BY_USER & os.environ.keys() and programs_running() >= _BUSY * (os.cpu_count() or 1):
        os.environ.update(_SPIN_BRIEFLY)


def programs_running() -> float:
    """How many threads of other programs run at this moment, the median of a few looks; 0 where it is unknown."""
    found = []
    for look in range(_LOOKS):
        if look:
            time.sleep(_PAUSE)
        try:
            running = LOAD.read_text().split()[3].partition("/")[0]
            found.append(int(running) - 1)  # without this process
        except (OSError, IndexError, ValueError):
            return 0
    return max(0, median(found))
