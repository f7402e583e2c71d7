"""Who may ask, and what a page may do.

The server listens on this machine only, but any web page that the user opens can send requests to it, and with a name
that resolves to 127.0.0.1 even read the answers. So the Host header must name this machine, and the Origin header, if
there is one, this server. What changes anything also needs a token, which is part of the address that `charlm serve`
prints, so that other users of the machine can't train or delete. The pages run only the scripts of the package, and
no script can make markup out of data.
"""

import hmac
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from charlm.server.answers import error_response
from charlm.server.errors import ForbiddenError, RequestError

TOKEN_HEADER = "x-charlm-token"
HOSTS = ("127.0.0.1", "localhost")
_SAFE_METHODS = ("GET", "HEAD")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""Sent with every answer."""


class Guard:
    """An ASGI application that refuses foreign requests and passes the others on."""

    def __init__(self, app: ASGIApp, *, port: int, token: str, open_paths: Collection[str]) -> None:
        """Guard `app`.

        Args:
            app: the application.
            port: the port that it is served on.
            token: what a request that changes anything must have in its header `x-charlm-token`.
            open_paths: paths that may be posted to without the token, since that changes nothing.
        """
        self._app, self._token, self._open_paths = app, token, frozenset(open_paths)
        self._hosts = {f"{host}:{port}" for host in HOSTS} | ({*HOSTS} if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as an ASGI application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets
            return

        async def send_with_headers(message: Message) -> None:
            """Send a message, the start of a response with the headers of every answer."""
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-cache")
            await send(message)

        try:
            self._check(scope)
        except RequestError as error:
            await error_response(error)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        """Raise `ForbiddenError` for a request that may not be answered."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise ForbiddenError("the Host header doesn't name this server; open the address that charlm serve printed")
        if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins):
            raise ForbiddenError("the request comes from another site; open the address that charlm serve printed")
        is_page = scope["method"] in _SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not is_page:
            raise ForbiddenError("the request comes from another site; open the address that charlm serve printed")
        if scope["method"] in _SAFE_METHODS or scope["path"] in self._open_paths:
            return
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            raise ForbiddenError("the token is missing or wrong; open the address that charlm serve printed")
