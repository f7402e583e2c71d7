"""Downloads: from https addresses alone, with few redirects, and of a size that is known before."""

from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from charlm.errors import DownloadError
from charlm.nouns import count_of
from charlm.progress import Progress

SCHEMES = ("https",)
"""The schemes of the addresses from which files are downloaded."""

_MOST_REDIRECTS = 5
_TIMEOUT = 30  # seconds without an answer, or without data
_CHUNK = 1 << 16


class Downloader:
    """Downloads a file of a known size; called by pooch with an address and the path to write to."""

    def __init__(self, what: str, size: int, path: Path, progress: Progress) -> None:
        """Begin nothing.

        Args:
            what: the name of the file, for progress and errors.
            size: its size in bytes; a larger file is refused.
            path: where the file is kept, for errors.
            progress: called with the bytes downloaded.
        """
        self._what, self._size, self._path, self._progress = what, size, path, progress

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download `url` to `output_file`.

        Raises `DownloadError` for an address that isn't https, too many redirects, or too large a file, and the errors
        of requests.
        """
        import requests

        url = self._secure(url, "")
        with requests.Session() as session:
            for _ in range(_MOST_REDIRECTS + 1):
                # A compressed answer could be small and grow beyond any bound.
                with session.get(
                    url,
                    stream=True,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    headers={"Accept-Encoding": "identity"},
                ) as answer:
                    if not answer.is_redirect:
                        answer.raise_for_status()
                        self._write(answer, output_file)
                        return
                    url = self._secure(url, answer.headers["location"])
        raise DownloadError(
            f"the download of {self._what} is redirected more than {_MOST_REDIRECTS} times; save the file yourself as "
            f"{self._path}"
        )

    def _secure(self, base: str, location: str) -> str:
        """The address of a location that an answer from `base` names; raises `DownloadError` unless it is https."""
        url = urljoin(base, location)
        if urlsplit(url).scheme not in SCHEMES:
            raise DownloadError(
                f"the download of {self._what} leads to {url[:200]!r}, which is not an https address; save the file "
                f"yourself as {self._path}"
            )
        return url

    def _write(self, answer: Any, output_file: str) -> None:
        """Write the body of an answer, and stop as soon as it is too large."""
        activity, done = f"downloading {self._what}", 0
        with open(output_file, "wb") as file:
            for chunk in answer.iter_content(_CHUNK):
                done += len(chunk)
                if done > self._size:
                    raise DownloadError(
                        f"the download of {self._what} from {answer.url} is larger than the "
                        f"{count_of(self._size, 'byte')} in the registry and was stopped; try again, "
                        f"or save the right file as {self._path}"
                    )
                file.write(chunk)
                self._progress(activity, done, self._size)
        self._progress(activity, done, done)


def download(url: str, path: Path, *, what: str, size: int, sha256: str, progress: Progress) -> None:
    """Download a file of a known size and checksum to `path`, unless the right file is there.

    Raises `DownloadError` when the download fails or gives another file.
    """
    import pooch  # slow to import and rarely needed
    import requests

    pooch.get_logger().setLevel("ERROR")
    try:
        pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}",
            fname=path.name,
            path=path.parent,
            downloader=Downloader(what, size, path, progress),
        )
    except (requests.RequestException, OSError) as error:
        raise DownloadError(
            f"can't download {what} from {url} ({_reason(error)}); check the network, or save the file as {path}"
        ) from None
    except ValueError:  # of pooch
        raise DownloadError(
            f"the download of {what} from {url} doesn't match the registry (its sha256 differs) and was discarded; "
            f"try again, or save the right file as {path}"
        ) from None


def _reason(error: Exception) -> str:
    """Why a download has failed, in a few words."""
    from requests import exceptions

    for kind, reason in (
        (exceptions.SSLError, "its certificate can't be verified"),
        (exceptions.ProxyError, "the proxy can't be reached"),
        (exceptions.Timeout, "the server doesn't answer"),
        (exceptions.ConnectionError, "the server can't be reached"),
    ):
        if isinstance(error, kind):
            return reason
    return str(error).partition("\n")[0][:120]
