"""Models on the command line: one or several before a text, and what is known about them (--prior and --truth)."""

import math
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from charlm.cli.options.completion import complete_model_or_text
from charlm.config.names import closest
from charlm.errors import ConfigError, CorpusError
from charlm.files import MODEL_FILE, is_safetensors, user_path

if TYPE_CHECKING:
    from charlm.text_model import TextModel


def models_and_text(metavar: str, models: str) -> Any:
    """The argument for models, which `models` describes, and a text to score."""
    return typer.Argument(
        metavar=metavar,
        autocompletion=complete_model_or_text,
        help=f"{models}, then the text to score: files, folders, - or names from `charlm corpora`.",
        show_default=False,
    )


def load_model(model: str | None) -> "TextModel":
    """Load a model; if none is given, the newest run or else a bundled model, and say on stderr which one is used."""
    import charlm
    from charlm.cli.ui.console import stderr

    loaded = charlm.load(model)
    if model is None:
        stderr().print(f"using {loaded.path}", soft_wrap=True)
    return loaded


def leading_models(arguments: list[str], *, least: int = 1) -> tuple[list[str], list[str]]:
    """The leading arguments that name models, and the others, which name the text.

    The name of a bundled model is taken as one among the first `least` arguments, and later if others follow. Raises
    `CorpusError` if what follows the models names nothing.
    """
    from charlm.data.sources import names_text, not_found
    from charlm.storage.runs import names_model

    count = 0
    while count < len(arguments) and names_model(arguments[count], text_follows=count < max(least, len(arguments) - 1)):
        count += 1
    names, texts = arguments[:count], arguments[count:]
    if texts and not names_text(texts[0]):
        raise CorpusError(f"there is no model or run {texts[0]!r}, and {not_found(texts[0])}")
    return names, texts


def require_text(texts: list[str]) -> None:
    """Raise `CorpusError` if no text is given."""
    if not texts:
        raise CorpusError("no text given; name a file, a folder, - for standard input, or one of `charlm corpora`")


def require_model_first(names: list[str], command: str) -> None:
    """Raise `ConfigError` if a model comes after the text; `names` are the arguments of `command`."""
    from charlm.data.sources import names_text
    from charlm.storage.runs import names_model

    for name in names[1:]:
        is_text = os.path.isfile(user_path(name)) and not is_safetensors(user_path(name))
        if names_model(name) and not is_text and names_text(names[0]) and not names_model(names[0]):
            words = shlex.join([name, *(one for one in names if one != name)])
            raise ConfigError(f"{name} is a model; the model must come before the text: {command} {words}")


def model_and_text(arguments: list[str], command: str, metavar: str = "TEXT") -> tuple[str | None, str]:
    """The model, if there are two arguments of `command`, and the text; raises `ConfigError` for another number."""
    if not 1 <= len(arguments) <= 2:
        raise ConfigError(f"give a {metavar} to read, or a MODEL and a {metavar}")
    require_model_first(arguments, command)
    return (arguments[0] if len(arguments) == 2 else None), arguments[-1]


def given_models(arguments: list[str], options: list[str]) -> tuple[dict[str, Path], list[str]]:
    """The model files by the name of their run, and the arguments that name the text.

    Args:
        arguments: models, then texts.
        options: the values of --models: models, and folders of runs.

    Raises `ConfigError` for two models of one name, or a folder without runs.
    """
    from charlm.data.sources import names_text
    from charlm.storage.runs import find_model, model_name, names_model

    if options:
        names, texts = list[str](), arguments
        is_run = bool(texts) and os.path.isfile(user_path(texts[0]) / MODEL_FILE)
        if is_run or (texts and names_model(texts[0]) and not names_text(texts[0])):
            raise ConfigError(
                f"{texts[0]} is a model; with --models all models are options, so pass --models {texts[0]}"
            )
    else:
        require_model_first(arguments, "charlm score")
        names, texts = leading_models(arguments, least=min(1, len(arguments) - 1))
    paths = [find_model(name) for name in names]
    for option in options:
        folder = user_path(option)
        inside = sorted(folder.glob(f"*/{MODEL_FILE}")) if os.path.isdir(folder) else []
        paths += inside if inside and not (folder / MODEL_FILE).exists() else [find_model(option)]
    found: dict[str, Path] = {}
    for path in paths:
        name = model_name(path)
        if name in found:
            raise ConfigError(f"two models are named {name!r}, {found[name]} and {path}; rename one of them")
        found[name] = path
    return found, texts


def parse_prior(text: str, models: list[str], what: str = "model") -> list[float]:
    """A=0.2,B=0.8 as a probability for each model; raises `ConfigError` unless they are all named and sum to 1.

    `what` is what the names are of, for the messages.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, share = part.rpartition("=")
        try:
            probability = float(share)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"--prior has {part!r}; give NAME=PROBABILITY for each {what}, such as {models[0]}=0.5")
        known = _known(name.strip(), models, "--prior", what)
        if known in shares:
            raise ConfigError(f"--prior has {known} twice; give one probability for each {what}")
        shares[known] = probability
    if missing := [name for name in models if name not in shares]:
        raise ConfigError(f"--prior has no probability for {', '.join(missing)}; give one for each {what}")
    if not all(0 <= share <= 1 for share in shares.values()):
        raise ConfigError(f"--prior is {text!r}; each probability must be from 0 to 1")
    if not math.isclose(total := math.fsum(shares.values()), 1, abs_tol=1e-6):
        raise ConfigError(f"--prior is {text!r}, which sums to {total:g}; give probabilities that sum to 1")
    return [shares[name] for name in models]


def parse_truth(values: list[str], models: list[str]) -> list[tuple[int, str]]:
    """The texts of --truth, each with the index of its model; raises `ConfigError` for an unknown model."""
    known: list[tuple[int, str]] = []
    for value in values:
        name, equals, text = value.partition("=")
        if equals and not os.path.isdir(user_path(value)):
            known.append((models.index(_known(name, models, "--truth")), text))
            continue
        folder = user_path(value)
        paths = sorted(folder.glob("*.txt")) if os.path.isdir(folder) else []
        if not paths:
            raise ConfigError(f"--truth is {value!r}; give NAME=TEXT, or a folder with a file NAME.txt for each model")
        known += [(models.index(_known(path.stem, models, "--truth")), str(path)) for path in paths]
    return known


def _known(name: str, models: list[str], option: str, what: str = "model") -> str:
    if name not in models:
        near = closest(name, models)
        hint = f"did you mean {near}?" if near is not None else f"the {what}s are {', '.join(models)}"
        raise ConfigError(f"{option} names the {what} {name!r}, which is not given; {hint}")
    return name
