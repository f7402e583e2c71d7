"""`python -m charlm` and the command `charlm`."""

import os

_SPIN_BRIEFLY = {"GOMP_SPINCOUNT": "3000", "KMP_BLOCKTIME": "1"}
"""For GNU's OpenMP rounds of a loop, some 100 microseconds; for LLVM's and Intel's a millisecond."""
_WAITING = {"OMP_WAIT_POLICY", *_SPIN_BRIEFLY}


def wait_without_spinning() -> None:
    """Let OpenMP threads sleep soon while they wait for each other, unless the environment sets how they wait.

    By default they spin for milliseconds. When another program has taken the core of one thread, the others then use
    up their own time on waiting for it. OpenMP reads these variables when torch is imported.
    """
    if not _WAITING & os.environ.keys():
        os.environ.update(_SPIN_BRIEFLY)


def main() -> None:
    """Run the command line."""
    wait_without_spinning()
    from charlm.cli.app import app
    from charlm.cli.ui.streams import mend_streams, reporting_lost_output

    mend_streams()
    with reporting_lost_output():
        app()


if __name__ == "__main__":
    main()
