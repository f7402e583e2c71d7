"""The pages and what they load: files of the package, read once, under fixed names."""

from functools import cache
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from charlm.analysis.html.template import read_part
from charlm.server.errors import NotFoundError

PAGES = {"/": "write", "/read": "read", "/train": "train", "/lecture": "lecture"}
"""The name of each page by its path."""
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SHARED_STYLE, _SHARED_SCRIPT = "shared.css", "shared.js"
"""The colours and the heat maps of the pages that `--html` writes, as a style and as a module."""
_SHARED_NAMES = ("addMark", "appendTokens", "closeTip", "explore", "setShade", "showExcerpts", "showHeatmap")


async def show_page(request: Request) -> Response:
    """GET of a page."""
    return _file(f"{PAGES[request.url.path]}.html")


async def show_file(request: Request) -> Response:
    """GET /static/NAME."""
    return _file(request.path_params["name"])


def _file(name: str) -> Response:
    files = contents()
    if name not in files:
        raise NotFoundError("there is no such page; open the address that charlm serve printed")
    return Response(files[name], media_type=_TYPES[name.rpartition(".")[2]])


@cache
def contents() -> dict[str, bytes]:
    """Every file by its name."""
    script = "".join(map(read_part, ("tokens.js", "heatmap.js", "neurons.js")))
    return {path.name: path.read_bytes() for path in resources.files("charlm.server").joinpath("web").iterdir()} | {
        _SHARED_STYLE: read_part("style.css").encode(),
        _SHARED_SCRIPT: f"{script}\nexport {{ {', '.join(_SHARED_NAMES)} }};\n".encode(),
    }
