"""`charlm corpora`: the table of named corpora."""

from charlm.cli.options.shared import JsonOption


def corpora(json: JsonOption = False) -> None:
    """List the named corpora.

    `train`, `eval`, `compare`, `features` and `diagnose` also take these names as their text.

    Example: [bold]charlm train tinyshakespeare[/bold]
    """
    from rich.table import Table

    from charlm.cli.ui.console import print_json, stdout
    from charlm.cli.ui.numbers import size
    from charlm.data.registry import registry

    entries = registry().values()
    if json:
        fields = ("name", "description", "kind", "documents", "licence", "bytes", "sha256", "origin", "url", "here")
        print_json([{field: getattr(entry, field) for field in fields} for entry in entries])
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("name", "size", "available", "licence", "description"):
        table.add_column(name, justify="right" if name == "size" else "left", no_wrap=name != "description")
    for entry in entries:
        table.add_row(
            entry.name,
            "varies" if entry.bytes is None else size(entry.bytes),
            "local" if entry.here else "download",
            entry.licence,
            entry.description,
        )
    stdout().print(table)
