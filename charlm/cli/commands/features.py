"""`charlm features`: documents as vectors of a model's states."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charlm.cli.options.completion import complete_model_or_text
from charlm.cli.options.corpus import (
    ScoredDocumentsOption,
    ScoredEncodingOption,
    ScoredErrorsOption,
    SeparatorOption,
    corpus_options,
)
from charlm.cli.options.output import OverwriteOption, output_path
from charlm.cli.options.shared import JsonOption, ThreadsOption, use_threads
from charlm.errors import ConfigError
from charlm.nouns import count_of

if TYPE_CHECKING:
    from charlm.analysis.probing.features import Block


def features(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL] FILE",
            autocompletion=complete_model_or_text,
            help="A model file, run folder or run name (default: the newest run), then the text.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Write the vectors to this NumPy file, of shape (documents, features).")
    ] = Path("features.npy"),
    overwrite: OverwriteOption = False,
    documents: ScoredDocumentsOption = None,
    separator: SeparatorOption = None,
    encoding: ScoredEncodingOption = None,
    errors: ScoredErrorsOption = None,
    threads: ThreadsOption = 2,
    json: JsonOption = False,
) -> None:
    """Turn documents into feature vectors made from the states of a model that reads them.

    For each layer, the vector contains the hidden state h after the last token and its mean over all tokens, and
    likewise for the cell state c.

    Empty documents are left out. By default the text is split into documents as in training.

    Examples:
      [bold]charlm features reviews.txt --documents line --out reviews.npy[/bold]
      [bold]charlm features runs/novel letters/ --out letters.npy --json[/bold]
    """
    import charlm
    from charlm.analysis.probing.features import blocks, save_features
    from charlm.analysis.probing.features import features as read
    from charlm.cli.options.models import model_and_text
    from charlm.cli.ui.console import Bars, stderr
    from charlm.text_model import require_forward

    use_threads(threads)
    model, text = model_and_text(arguments or [], "charlm features", "FILE")
    loaded = charlm.load(model)
    out = output_path(out, "--out", inputs=(text, loaded.path), overwrite=overwrite, has_mark=False)
    require_forward(loaded, "charlm features")
    if out.suffix not in ("", ".npy"):
        raise ConfigError(f"--out is {str(out)!r}, and charlm features writes a NumPy file; end its name with .npy")
    with Bars(stderr()) as progress:
        corpus = loaded.open_text([text], corpus=corpus_options(context), progress=progress)
        documents_read = corpus.split_documents("train")
        vectors = read(loaded.model, loaded.tokenizer, documents_read, total=corpus.documents, progress=progress)
        layout, width = blocks(loaded.model), loaded.model.config.hidden_size
        shape = corpus.documents, len(layout) * width
        save_features(out, vectors, shape)
    _report(layout, width, shape, out, json=json)


def _report(layout: "list[Block]", hidden_size: int, shape: tuple[int, int], out: Path, *, json: bool) -> None:
    """Print the shape of the written file and the layout of its vectors."""
    from charlm.cli.ui.console import print_json, stderr

    if json:
        print_json(
            {
                "file": str(out),
                "shape": list(shape),
                "blocks": [
                    {"first": index * hidden_size, "layer": block.layer, "state": block.state, "moment": block.moment}
                    for index, block in enumerate(layout)
                ],
            }
        )
        return
    names = ", ".join(f"{block.moment} {block.state} of layer {block.layer}" for block in layout)
    stderr().print(
        f"wrote {out}: {count_of(shape[0], 'document')} x {count_of(shape[1], 'feature')} ({names})", soft_wrap=True
    )
