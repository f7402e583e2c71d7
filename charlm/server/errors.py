"""Errors of requests, each with its HTTP status, and their form, which is that of the completions API."""

from typing import Any

from charlm.errors import CharlmError, ConfigError


class RequestError(ConfigError):
    """A request can't be answered as it is."""

    status = 400

    def __init__(self, message: str, *, param: str | None = None) -> None:
        """`param` is the field of the request that is wrong, if one is."""
        super().__init__(message)
        self.param = param


class ForbiddenError(RequestError):
    """The request comes from another site, or lacks the token."""

    status = 403


class NotFoundError(RequestError):
    """There is no such page, model, run or upload."""

    status = 404


class ConflictError(RequestError):
    """The state of the server doesn't allow this now, for example since a training is running."""

    status = 409


class TooLargeError(RequestError):
    """The body of the request is larger than allowed."""

    status = 413


class BusyError(RequestError):
    """As many requests as allowed are being answered."""

    status = 503


_TYPES = {403: "permission_error", 404: "not_found_error", 503: "server_busy_error"}


def status_of(error: CharlmError) -> int:
    """The HTTP status for an error."""
    return error.status if isinstance(error, RequestError) else 400


def error_json(error: CharlmError) -> dict[str, Any]:
    """The body of the answer for an error."""
    param = error.param if isinstance(error, RequestError) else None
    kind = _TYPES.get(status_of(error), "invalid_request_error")
    return {"error": {"message": str(error), "type": kind, "param": param, "code": None}}
