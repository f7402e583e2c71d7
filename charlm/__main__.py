"""`python -m charlm` and the command `charlm`."""


def main() -> None:
    """Run the command line."""
    from charlm.processes.waiting import wait_without_spinning

    wait_without_spinning()
    from charlm.cli.app import app
    from charlm.cli.ui.streams import mend_streams, reporting_lost_output

    mend_streams()
    with reporting_lost_output():
        app()


if __name__ == "__main__":
    main()
