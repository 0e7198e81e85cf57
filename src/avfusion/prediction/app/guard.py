"""Who may ask the server for what: token, host, origin and owner of every request.

A page of another site can make a browser send requests to this machine. The host of a request is
checked, because such a site may give its own name the address 127.0.0.1 (DNS rebinding). Requests
that change something must name this server as their origin. Cookies are sent for pages of this
server only (SameSite=Strict), and scripts cannot read them.
"""

import hmac
import json
import secrets
from html import escape
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avfusion.prediction.app.options import LOCAL, Options

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
_SAFE = ("GET", "HEAD")
_PROBLEM = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>avfusion</title><h1>Not '
    "allowed</h1><p>{}</p></html>"
)
_LET_IN = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" '
    b'content="0;url=/"><title>avfusion</title><p><a href="/">Continue</a></p></html>'
)


class Guard:
    """Refuses requests that are not from a page of this server, and knows whose each request is.

    Parameters
    ----------
    app
        The application; it finds the owner in `request.state.owner`.
    options
        Host and token.
    port
        The port that is listened on; cookies of servers on other ports have other names.
    """

    def __init__(self, app: ASGIApp, options: Options, port: int) -> None:
        self._app, self._options = app, options
        self._owner, self._token = f"avf-owner-{port}", f"avf-token-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookies = cookie_parser(headers.get("cookie", ""))
        fresh: dict[str, str] = {}
        status, problem = self._refused(scope, headers)
        if not problem and not self._knows(headers, cookies):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if scope["method"] == "GET" and scope["path"] == "/" and self._is_token(given):
                # A redirect from a link in another site would not carry the strict cookie.
                fresh = {self._token: given}
                await _reply(self._sending(scope, send, fresh), 200, _LET_IN, "text/html")
                return
            status, problem = 401, "Open the address that `avf serve` printed, with its token."
        if problem:
            kind, body = "application/json", json.dumps({"error": problem})
            if scope["path"] == "/":
                kind, body = "text/html", _PROBLEM.format(escape(problem))
            await _reply(self._sending(scope, send, {}), status, body.encode(), kind)
            return
        owner = cookies.get(self._owner, "")
        if len(owner) < 32:
            owner = secrets.token_urlsafe(32)
            fresh = {self._owner: owner}
        scope.setdefault("state", {})["owner"] = owner
        await self._app(scope, receive, self._sending(scope, send, fresh))

    def _refused(self, scope: Scope, headers: Headers) -> tuple[int, str]:
        """Return status and reason if a request does not come from a page of this server."""
        host = headers.get("host", "")
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            name = ""
        # With a token, a page of another name has no cookie that holds it, and a proxy may give the
        # server any name.
        known = (*LOCAL, self._options.host.lower())
        if self._options.token is None and name not in known:
            return 403, f"Host {host!r} is not this server. Open http://{self._options.host}."
        if scope["method"] in _SAFE:
            return 0, ""
        origin = headers.get("origin", "")
        try:
            ours = bool(origin) and urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:
            ours = False
        if not ours:
            return 403, (
                "The request does not come from a page of this server. A script must send the "
                "header Origin with the server's address."
            )
        return 0, ""

    def _knows(self, headers: Headers, cookies: dict[str, str]) -> bool:
        """Return whether a request has the token, if one is needed."""
        if self._options.token is None or self._is_token(cookies.get(self._token, "")):
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._is_token(given.strip())

    def _is_token(self, given: str) -> bool:
        token = self._options.token
        return token is not None and hmac.compare_digest(given.encode(), token.encode())

    def _sending(self, scope: Scope, send: Send, fresh: dict[str, str]) -> Send:
        """Return a `send` that adds headers and new cookies to the answer."""
        secure = "; Secure" if scope.get("scheme") == "https" else ""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                for name, value in fresh.items():
                    cookie = f"{name}={value}; HttpOnly; SameSite=Strict; Path=/{secure}"
                    headers.append("set-cookie", cookie)
            await send(message)

        return sending


async def _reply(send: Send, status: int, body: bytes, kind: str) -> None:
    headers = [
        (b"content-type", f"{kind}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
