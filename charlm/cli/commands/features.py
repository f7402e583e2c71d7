"""`charlm features`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.shared import (
    DocumentsOption,
    EncodingOption,
    ErrorsOption,
    JsonOption,
    SeparatorOption,
    ThreadsOption,
    corpus_options,
    use_threads,
)
from charlm.errors import ConfigError

if TYPE_CHECKING:
    from charlm.analysis.probing.features import Block


def features(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] FILE",
            help="A model file, run folder or name of a run (the newest run if none is given), then the text.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the vectors go, a NumPy file of shape (documents, numbers).")] = Path(
        "features.npy"
    ),
    documents: DocumentsOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    errors: ErrorsOption = None,
    threads: ThreadsOption = 2,
    json: JsonOption = False,
) -> None:
    """Turn documents into vectors: what the model holds when it has read one, and on average while it reads.

    For each layer the hidden state h after the last token, its mean over all tokens, and the same of the cell state c
    where the cell has one. Empty documents are left out. Documents are what they were in training unless said.

    Examples:
      [bold]charlm features reviews.txt --documents line --out reviews.npy[/bold]
      [bold]charlm features runs/novel letters/ --out letters.npy --json[/bold]
    """
    import charlm
    from charlm.analysis.probing.features import blocks, save_features
    from charlm.analysis.probing.features import features as read
    from charlm.cli.options.reader import require_forward
    from charlm.cli.ui.console import Bars, stderr

    use_threads(threads)
    names = list(arguments or [])
    if not 1 <= len(names) <= 2:
        raise ConfigError("give a FILE to read, or a MODEL and a FILE")
    if out.is_dir() or not out.parent.is_dir():
        raise ConfigError(f"--out is {str(out)!r}, a folder or a file in none; name a file in a folder that is there")
    loaded = charlm.load(names[0] if len(names) == 2 else None)
    require_forward(loaded, "charlm features")
    given = corpus_options(documents, separator, encoding=encoding, errors=errors)
    model, tokenizer = loaded.checkpoint.model, loaded.checkpoint.tokenizer
    with Bars(stderr()) as progress:
        corpus = loaded.open_text([names[-1]], corpus=given, progress=progress)
        vectors = read(model, tokenizer, corpus.split_documents("train"), total=corpus.documents, progress=progress)
        parts = blocks(model)
        shape = corpus.documents, len(parts) * model.config.hidden_size
        save_features(out, vectors, shape)
    _tell(parts, model.config.hidden_size, shape, out, json=json)


def _tell(parts: "list[Block]", width: int, shape: tuple[int, int], out: Path, *, json: bool) -> None:
    """Say what was written, and what stands where in it."""
    from charlm.cli.ui.console import print_json, stderr, thousands

    if json:
        print_json(
            {
                "file": str(out),
                "shape": list(shape),
                "blocks": [
                    {"first": index * width, "layer": part.layer, "state": part.state, "moment": part.moment}
                    for index, part in enumerate(parts)
                ],
            }
        )
        return
    layout = ", ".join(f"{part.moment} {part.state} of layer {part.layer}" for part in parts)
    stderr().print(
        f"{thousands(shape[0])} documents, {thousands(shape[1])} numbers each in {out}: {layout}",
        markup=False,
        soft_wrap=True,
    )
