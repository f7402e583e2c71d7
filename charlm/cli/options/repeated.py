"""The command that the user has typed, with other options: a suggestion that can be pasted."""

import shlex

import typer

_OF_THE_RUN = {"run", "overwrite", "resume", "json"}  # a changed run is another run


def repeated(context: typer.Context, options: str) -> str | None:
    """The `charlm train` of this context as a new run, with `options` added or replaced.

    None if it can't be repeated, because it continued a run or read standard input.
    """
    texts = context.params.get("text") or []
    if context.params.get("resume") or "-" in texts:
        return None
    words = ["charlm", "train", *texts]
    changed = {word for word in shlex.split(options) if word.startswith("--")}
    for parameter in context.command.params:
        value, option = context.params.get(parameter.name or ""), max(parameter.opts, key=len)
        is_given = value is not None and value != parameter.default
        if parameter.param_type_name != "option" or not is_given or {parameter.name, option} & (_OF_THE_RUN | changed):
            continue
        if isinstance(value, bool):
            words.append(option if value else max(parameter.secondary_opts, key=len))
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                words += [option, str(one)]
    return f"{shlex.join(words)} {options}"
