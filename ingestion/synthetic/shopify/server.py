"""The simulated shop behind a loopback port.

In a test: `with run(shop) as url:` serves it from a thread on a free port; `listen` keeps one port
for many shops, one after the other. For people:
`setae simulate serve DIR --port 8700` (`serve`). It never binds anywhere but to 127.0.0.1.

`/control/…` is for processes that cannot hold the `Shop` object; it takes the same access token:
`GET /control/log`, `POST /control/faults` (a list of faults as `faults.Fault` has them), `DELETE
/control/faults`, `POST /control/clock` (`{"now": "2026-05-01T00:00:00Z"}` or `{"advance": 2.5}`),
`POST /control/touch` (`{"order_id": 1}`), `POST /control/app` (`scopes`, `personal`, `plan`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ingestion.synthetic.shopify.database import ShopDatabase
from ingestion.synthetic.shopify.faults import Fault
from ingestion.synthetic.shopify.shop import Answer, Shop
from setae.errors import ConfigError

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
TOKEN_VARIABLE = "SETAE_SHOP_TOKEN"  # noqa: S105 - the name of the variable
TOKEN_FILE = "shop_token"  # noqa: S105 - the name of the file


def make_app(shown: Callable[[], Shop]) -> ASGIApp:
    """The ASGI application of the shop that `shown` gives."""

    async def admin(scope: Scope, receive: Receive, send: Send) -> None:
        request, shop = Request(scope, receive), shown()
        body = await request.body()
        try:
            answer = shop.answer(
                request.method,
                request.url.path,
                {name.lower(): value for name, value in request.headers.items()},
                body,
                request.url.query,
            )
        except Exception as error:
            log.exception("the simulated shop failed")
            shop.broken.append(error)
            answer = Answer(500, {"content-type": "text/plain"}, repr(error).encode())
        await _send(answer, scope, receive, send)

    async def control(request: Request) -> Response:
        shop = shown()
        given = request.headers.get("x-shopify-access-token", "")
        if not secrets.compare_digest(given.encode(), shop.token.encode()):
            return JSONResponse({"errors": "the shop's access token is needed"}, 401)
        body = await request.body()
        try:
            return _control(
                shop, request.method, request.path_params["what"], json.loads(body or b"{}")
            )
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse({"errors": f"{type(error).__name__}: {error}"}, 400)

    # All that is not control; a plain ASGI application, so that `send` is uvicorn's own.
    return Router(
        [Route("/control/{what}", control, methods=["GET", "POST", "DELETE"])], default=admin
    )


def _control(shop: Shop, method: str, what: str, content: Any) -> Response:
    match (method, what):
        case ("GET", "log"):
            return JSONResponse(shop.snapshot())
        case ("POST", "faults"):
            values = content if isinstance(content, list) else [content]
            shop.faults.add(*(Fault.from_json(value) for value in values))
        case ("DELETE", "faults"):
            shop.faults.clear()
        case ("POST", "clock"):
            if "now" in content:
                shop.now = datetime.fromisoformat(content["now"])
            if "advance" in content:
                shop.advance(float(content["advance"]))
        case ("POST", "touch"):
            shop.touch(int(content["order_id"]))
        case ("POST", "app"):
            shop.scopes = frozenset(content.get("scopes", shop.scopes))
            shop.personal = bool(content.get("personal", shop.personal))
            if "plan" in content:
                shop.plan = content["plan"]
                shop.refill()
        case _:
            return JSONResponse({"errors": f"no control {method} {what}"}, 404)
    return JSONResponse({"now": shop.now.isoformat(), "faults": len(shop.faults.pending)})


async def _send(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    if answer.path is not None:
        response = FileResponse(answer.path, answer.status, answer.headers)
        await response(scope, receive, send)
        return
    if answer.ending == "whole":
        await Response(answer.body, answer.status, answer.headers)(scope, receive, send)
        return
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.ending == "slow":
        for place in range(len(answer.body)):
            await send(
                {
                    "type": "http.response.body",
                    "body": answer.body[place : place + 1],
                    "more_body": place + 1 < len(answer.body),
                }
            )
            await asyncio.sleep(answer.interval)
        return
    half = answer.body[: max(1, len(answer.body) // 2)]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await asyncio.sleep(0)
    _reset(send)


def _reset(send: Send) -> None:
    """Close the connection with a TCP reset instead of an end."""
    # uvicorn keeps the connection in the object whose method `send` is.
    transport = send.__self__.transport  # type: ignore[attr-defined]
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _configure(shown: Callable[[], Shop]) -> uvicorn.Config:
    return uvicorn.Config(
        make_app(shown),
        host=LOOPBACK,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        timeout_keep_alive=5,
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise ConfigError(f"port {port} of {LOOPBACK}: {error.strerror}; choose another") from error
    listener.listen(64)
    return listener


@dataclass
class Host:
    """A loopback port that shows one shop at a time."""

    address: str
    _shop: Shop | None = None

    @property
    def shop(self) -> Shop:
        """The shop that is shown."""
        assert self._shop is not None, "nothing is shown yet"
        return self._shop

    @contextmanager
    def show(self, shop: Shop) -> Iterator[str]:
        """Show `shop` from here on; gives the base URL.

        Raises:
            Exception: What went wrong inside the shop, that a test may not overlook it.
        """
        self._shop, shop.address = shop, self.address
        try:
            yield self.address
        finally:
            shop.bulk.close()
        if shop.broken:
            raise shop.broken[0]


@contextmanager
def listen(port: int = 0) -> Iterator[Host]:
    """A host on a port, 0 for any free one, served from a thread."""
    listener = _listen(port)
    host = Host(f"http://{LOOPBACK}:{listener.getsockname()[1]}")
    server = uvicorn.Server(_configure(lambda: host.shop))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        # The socket listens already: a request that comes early waits in its queue.
        yield host
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=10)
        listener.close()


@contextmanager
def run(shop: Shop, port: int = 0) -> Iterator[str]:
    """Serve `shop` from a thread on a port, 0 for any free one; gives the base URL."""
    with listen(port) as host, host.show(shop) as address:
        yield address


def open_world(
    folder: Path, *, now: datetime | None = None, plan: str = "standard"
) -> tuple[Shop, str]:
    """The shop of a world on disk, on the real clock, and where its token is.

    Args:
        folder: What `setae simulate world --shop shopify` wrote.
        now: As of when; default is the world's `as_of`, else the last change in it.
        plan: One of `shop.PLANS`.

    Raises:
        DataError: When there is no shop in the folder.
    """
    about: dict[str, Any] = {}
    description = folder / "world.json"
    if description.is_file():
        about = json.loads(description.read_text("utf-8"))
    token, place = find_token(folder)
    as_of = about.get("as_of")
    shop = Shop(
        ShopDatabase.load(folder / "shop"),
        token,
        now=now or (datetime.fromisoformat(as_of) if as_of else None),  # type: ignore[arg-type]
        plan=plan,
        timezone=about.get("business_timezone", "Europe/Berlin"),
        currency=about.get("currency", "EUR"),
        clock=time.monotonic,
    )
    return shop, place


def find_token(folder: Path) -> tuple[str, str]:
    """The access token and where it is: the environment, else a file only its owner reads."""
    if token := os.environ.get(TOKEN_VARIABLE):
        return token, TOKEN_VARIABLE
    path = folder / TOKEN_FILE
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(f"shpat_{secrets.token_hex(16)}\n")
    return path.read_text().strip(), str(path)


def serve(shop: Shop, port: int, *, started: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        shop: What to serve.
        port: A port of 127.0.0.1; 0 is any free one.
        started: Called with the base URL once the port is taken.

    Raises:
        ConfigError: When the port is taken.
    """
    listener = _listen(port)
    shop.address = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    started(shop.address)
    try:
        uvicorn.Server(_configure(lambda: shop)).run(sockets=[listener])
    finally:
        listener.close()
        shop.bulk.close()
