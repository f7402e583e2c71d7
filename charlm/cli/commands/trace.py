"""`charlm trace`."""

from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.shared import JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from charlm.analysis.trace import TracedStep

_ROOM = 9  # columns of a number each that 80 characters hold beside the others
_LISTED = 3  # likeliest characters, where there is no room for a column each


def trace(
    text: Annotated[str, typer.Option(help="The word to learn, up to 64 characters.")] = "hello",
    cell: Annotated[str, typer.Option(help="Recurrent cell, as `charlm train` takes it.")] = "rnn",
    hidden: Annotated[int, typer.Option(help="Width of the hidden state.")] = 3,
    steps: Annotated[int, typer.Option(help="Training steps, each on the whole word.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the initial weights.")] = 1,
    json: JsonOption = False,
) -> None:
    """Watch a tiny model learn one word, with every number that passes through it.

    Step by step: the character it reads, the hidden state it comes to, the distribution over the next character, and
    the character that does come next. First untrained, then trained, then writing by itself from its own output.

    Examples:
      [bold]charlm trace --text hello[/bold]
      [bold]charlm trace --text banana --cell lstm --hidden 4[/bold]
    """
    import torch

    from charlm.analysis import trace as toy
    from charlm.cli.ui.console import print_json, stdout

    torch.set_num_threads(1)
    result = toy.trace(text, cell=cell, hidden_size=hidden, steps=steps, seed=seed)
    if json:
        print_json(result.to_json())
        return
    console = stdout()
    console.print(_table("before training", result.before))
    console.print()
    console.print(_table(f"after {steps:,} steps, reading the word", result.after))
    console.print()
    console.print(_table("writing: it reads what it wrote", result.generation))
    console.print()
    console.print(
        f"loss: {result.losses[0]:.3f} nats per character at first, {result.losses[-1]:.3f} at last "
        f"({result.cell}, {hidden} hidden units)",
        style="dim",
        markup=False,
        soft_wrap=True,
    )
    ended = "" if result.generation[-1].says == toy.EOS else ", and does not end"
    what = "learnt: it writes" if result.learnt else "not learnt yet, give more --steps or --hidden: it writes"
    console.print(f"{what} {result.written!r}{ended}", style="bold", markup=False, soft_wrap=True)


def _table(title: str, steps: "tuple[TracedStep, ...]") -> "Table":
    """A row for each step."""
    from rich.table import Table
    from rich.text import Text

    reading = steps[0].target is not None
    names = list(steps[0].distribution)
    width = len(steps[0].states["h"])
    shown = width if width <= 4 else 3
    more = " …" if width > shown else ""
    own = len(names) + shown + len(more) // 2 <= _ROOM
    table = Table(box=None, pad_edge=False, header_style="dim", title=title, title_justify="left", title_style="bold")
    table.add_column("reads", no_wrap=True)
    table.add_column("hidden state", no_wrap=True, style="cyan")
    for name in names if own else ["likeliest next"]:
        table.add_column(Text(_visible(name)), justify="right" if own else "left", no_wrap=True)
    table.add_column("says" if reading else "writes", no_wrap=True)
    if reading:
        table.add_column("target", no_wrap=True)
        table.add_column("", no_wrap=True)
    for step in steps:
        right = step.says == step.target
        style = "bold green" if right or not reading else "bold red"
        cells = [
            Text(_visible(step.reads)),
            Text(" ".join(f"{value:+.2f}" for value in step.states["h"][:shown]) + more),
        ]
        if own:
            cells += [
                Text(f"{step.distribution[name]:.2f}", style=style if name == step.says else "") for name in names
            ]
        else:
            best = sorted(names, key=lambda name: -step.distribution[name])[:_LISTED]
            cells.append(Text("  ".join(f"{_visible(name)} {step.distribution[name]:.2f}" for name in best)))
        cells.append(Text(_visible(step.says), style=style))
        if step.target is not None:
            cells += [Text(_visible(step.target)), Text("✓" if right else "✗", style=style)]
        table.add_row(*cells)
    return table


def _visible(name: str) -> str:
    """A character so that it can be seen in a table."""
    return {" ": "␣", "\n": "⏎", "\t": "⇥"}.get(name) or (name if name.isprintable() else f"U+{ord(name):04X}")
