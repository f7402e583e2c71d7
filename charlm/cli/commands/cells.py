"""`charlm cells`: the table of cells."""

from charlm.cli.options.shared import JsonOption

_WIDTHS = {"input_size": 32, "hidden_size": 256}  # the first layer with default options


def cells(json: JsonOption = False) -> None:
    """List the recurrent cells: equations, number of weights and sources.

    h' and c' are the state at the previous step; * is the elementwise product. The names are the values of
    `charlm train --cell`.

    Example: [bold]charlm train corpus.txt --cell gru[/bold]
    """
    from rich.table import Table
    from rich.text import Text

    from charlm.cells import CELLS
    from charlm.cli.ui.console import print_json, stdout
    from charlm.cli.ui.numbers import thousands

    if json:
        print_json(
            [
                {
                    "name": cell.name,
                    "equations": cell.equations,
                    "states": len(cell.states),
                    "parameters": cell.num_parameters(**_WIDTHS),
                    "reference": cell.reference,
                }
                | _WIDTHS
                for cell in CELLS.values()
            ]
        )
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("name", no_wrap=True)
    table.add_column("weights", justify="right", no_wrap=True)
    table.add_column("equations and reference")
    for cell in CELLS.values():
        table.add_row(
            cell.name,
            thousands(cell.num_parameters(**_WIDTHS)),
            Text.assemble(cell.equations.replace("; ", "\n") + "\n", (cell.reference, "dim")),
        )
    stdout().print(table)
    stdout().print(
        f"\nweights: for a layer of width {_WIDTHS['hidden_size']} with {_WIDTHS['input_size']} inputs", style="dim"
    )
