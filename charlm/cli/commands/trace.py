"""`charlm trace`: a tiny model trained on one short text, step by step."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.nouns import count_of, rounded

if TYPE_CHECKING:
    from rich.table import Table

    from charlm.analysis.trace import TracedStep

_MAX_NUMBERS = 9  # number columns that fit into 80 characters
_NUM_LISTED = 3  # likeliest characters to list if there is no room for a column each


def trace(
    text: Annotated[str, typer.Option(help="The word to learn, up to 64 characters.")] = "hello",
    cell: Annotated[str, typer.Option(help="Recurrent cell, as listed by `charlm cells`.")] = "rnn",
    hidden: Annotated[int, typer.Option(help="Width of the hidden state.")] = 3,
    steps: Annotated[int, typer.Option(help="Training steps, each on the whole word.")] = 500,
    seed: Annotated[int, typer.Option(help="Random seed for the initial weights.")] = 1,
    threads: ThreadsOption = 1,
    json: JsonOption = False,
) -> None:
    """Train a tiny model on one word, and show the numbers inside it at every character, before and after training.

    Each row shows the character read, the hidden state, the probabilities of the next character, and the correct one.

    Three tables show the model before training, after training, and generating from its own output.

    Examples:
      [bold]charlm trace --text hello[/bold]
      [bold]charlm trace --text banana --cell lstm --hidden 4[/bold]
    """
    from charlm.analysis.trace import EOS
    from charlm.analysis.trace import trace as trace_model
    from charlm.cli.ui.console import Bars, print_json, stderr, stdout

    use_threads(threads)
    with Bars(stderr()) as progress:
        result = trace_model(text, cell=cell, hidden_size=hidden, steps=steps, seed=seed, progress=progress)
    if json:
        print_json(result.to_json())
        return
    console = stdout()
    console.print(_table("before training", result.before))
    console.print()
    console.print(_table(f"after {count_of(steps, 'step')}, reading the word", result.after))
    console.print()
    console.print(_table("writing: each step reads the previous output", result.generation))
    console.print()
    console.print(
        f"{result.cell}, {count_of(hidden, 'hidden unit')}; loss {result.losses[0]:.3f} nats per character at first, "
        f"{result.losses[-1]:.3f} at the end",
        style="dim",
        soft_wrap=True,
    )
    if result.learnt:
        conclusion = f"learnt: it writes {result.written!r}"
    else:
        ended = "" if result.generation[-1].says == EOS else " and doesn't stop"
        conclusion = f"not learnt: it writes {result.written!r}{ended}; give more --steps or a larger --hidden"
    console.print(conclusion, style="bold", soft_wrap=True)


def _table(title: str, steps: "tuple[TracedStep, ...]") -> "Table":
    """One row per step."""
    from rich.table import Table
    from rich.text import Text

    reading = steps[0].target is not None
    names = list(steps[0].distribution)
    width = len(steps[0].states["h"])
    num_shown = width if width <= 4 else 3
    more = " …" if width > num_shown else ""
    column_per_character = len(names) + num_shown + len(more) // 2 <= _MAX_NUMBERS
    table = Table(box=None, pad_edge=False, header_style="dim", title=title, title_justify="left", title_style="bold")
    table.add_column("reads", no_wrap=True)
    table.add_column("hidden state", no_wrap=True, style="cyan")
    for name in names if column_per_character else ["likeliest next"]:
        justify: Literal["left", "right"] = "right" if column_per_character else "left"
        table.add_column(Text(_visible(name)), justify=justify, no_wrap=True)
    table.add_column("output" if reading else "writes", no_wrap=True)
    if reading:
        table.add_column("target", no_wrap=True)
        table.add_column("", no_wrap=True)
    for step in steps:
        right = step.says == step.target
        style = "bold green" if right or not reading else "bold red"
        cells = [
            Text(_visible(step.reads)),
            Text(" ".join(f"{rounded(value, '+.2f'):>5}" for value in step.states["h"][:num_shown]) + more),
        ]
        if column_per_character:
            cells += [
                Text(f"{step.distribution[name]:.2f}", style=style if name == step.says else "") for name in names
            ]
        else:
            best = sorted(names, key=lambda name: -step.distribution[name])[:_NUM_LISTED]
            cells.append(Text("  ".join(f"{_visible(name)} {step.distribution[name]:.2f}" for name in best)))
        cells.append(Text(_visible(step.says), style=style))
        if step.target is not None:
            cells += [Text(_visible(step.target)), Text("✓" if right else "✗", style=style)]
        table.add_row(*cells)
    return table


def _visible(name: str) -> str:
    """A character in a form that is visible in a table."""
    return {" ": "␣", "\n": "⏎", "\t": "⇥"}.get(name) or (name if name.isprintable() else f"U+{ord(name):04X}")
