"""The command that the user has typed, with other options: a suggestion that can be pasted."""

import shlex
from collections.abc import Collection, Iterator

import typer

_OF_THE_RUN = {"run", "overwrite", "resume", "json"}  # a changed run is another run


def repeated(context: typer.Context, options: str) -> str | None:
    """The `charlm train` of this context as a new run, with `options` added or replaced.

    None if it can't be repeated, because it continued a run, or read standard input or a pipe.
    """
    from charlm.data.sources import is_stream

    texts = context.params.get("text") or []
    if context.params.get("resume") or any(map(is_stream, texts)):
        return None
    words = ["charlm", "train", *texts]
    changed = {word for word in shlex.split(options) if word.startswith("--")}
    for option, value in given_options(context, without=_OF_THE_RUN | changed):
        words += [option] if value is None else [option, value]
    return f"{shlex.join(words)} {options}"


def given_options(context: typer.Context, *, without: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """The options that the user has given, each with its value, or None for a flag; `without` are names of parameters
    and options to leave out."""
    for parameter in context.command.params:
        value, option = context.params.get(parameter.name or ""), max(parameter.opts, key=len)
        is_given = value is not None and value != parameter.default
        if parameter.param_type_name != "option" or not is_given or {parameter.name, option} & set(without):
            continue
        if isinstance(value, bool):
            yield option if value else max(parameter.secondary_opts, key=len), None
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                yield option, str(one)
