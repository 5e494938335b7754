"""Asking Shopify: what its answers mean, and page after page of a connection.

    200 with data                              data
    200, THROTTLED                             wait (requested - available) / restore rate, again
    200, INTERNAL_SERVER_ERROR; 429; 430; 5xx; no answer, no JSON      wait, again
    200, MAX_COST_EXCEEDED                     the same page with half as many records
    200, any other error, a warning about the search, or no data       final
    3xx, 401, 402, 403, 404, 423, other 4xx                            final

Anything unknown is final: an answer that is taken for "no more data" loses data without a word.
A page counts as one only if its nodes *and* its page info are there and no error is.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, cast

import requests
from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.helpers.rest_client.paginators import BasePaginator

from ingestion.api import Again, Clock, HeaderToken, PatientSession, read_body, retry_after
from ingestion.validate import mask
from setae.errors import ConfigError, SourceError
from setae.settings import SourceSettings

LOG = logging.getLogger(__name__)

VERSION = "2026-10"
"""The API version asked for; Shopify answers with another once this one has ended."""

PATH = f"admin/api/{VERSION}/graphql.json"

EMPTY_PAGES = 20
"""So many pages in a row may be empty and still name a next one."""

_ADVICE = {
    401: "the access token is not accepted; set a new one in {variable}",
    402: "the shop is frozen for an unpaid bill; settle it with Shopify",
    403: "access is refused; see that the app is still installed in the shop",
    404: "there is no such shop or API version; correct `url` in setae.toml",
    423: "the shop is locked; ask its owner",
}


class TooCostly(SourceError):
    """One query asks for more than a query may cost; never repeated unchanged."""


class Client:
    """One shop's Admin API.

    Args:
        config: Of the source; needs `url` and `token`.
        name: Of the source, for messages.
        clock: Sleeps.
        chance: Spreads pauses.
    """

    def __init__(
        self,
        config: SourceSettings,
        *,
        name: str,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        variable = f"SETAE_SOURCES__{name.upper()}__TOKEN"
        if config.url is None:
            raise ConfigError(
                f"[sources.{name}]: no `url`; add the shop's, such as "
                "`https://my-shop.myshopify.com`, to setae.toml"
            )
        if not is_safe(config.url):
            raise ConfigError(
                f"[sources.{name}] url: the token would travel in plain text; use https"
            )
        if config.token is None:
            raise ConfigError(f"[sources.{name}]: no access token; set {variable}")
        self.name = name
        self.page_size = config.page_size
        self._variable = variable
        self._clock = clock
        self._timeout = config.request_timeout_seconds
        self.session = PatientSession(
            name,
            clock=clock,
            budget_seconds=config.wait_budget_seconds,
            timeout_seconds=config.request_timeout_seconds,
            chance=chance,
        )
        self._rest = RESTClient(
            base_url=config.url.rstrip("/") + "/",
            headers={"Accept": "application/json"},
            auth=HeaderToken("X-Shopify-Access-Token", config.token.get_secret_value()),
            session=self.session,
        )

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of one query.

        Raises:
            TooCostly: It costs more than one query may.
            SourceError: It cannot be answered; `retryable` says whether later may do.
        """
        response = self._rest.post(
            PATH,
            json={"query": query, "variables": variables},
            hooks={"response": [self._judge]},
            allow_redirects=False,
            stream=True,
        )
        data: dict[str, Any] = response.json()["data"]
        return data

    def pages(
        self, query: str, root: str, *, size: int | None = None, **variables: Any
    ) -> Iterator[list[dict[str, Any]]]:
        """The nodes of a connection, page after page.

        Args:
            query: With the variables `$first` and `$after`.
            root: Name of the connection.
            size: Records of a page; halved as often as the shop finds it too costly.
            variables: Further variables of the query.

        Raises:
            SourceError: A page is no page, or the cursors go round in circles.
        """
        paginator = ConnectionPaginator(self.name, root)
        size = size or self.page_size
        while paginator.has_next_page:
            body = {
                "query": query,
                "variables": {**variables, "first": size, "after": paginator.cursor},
            }
            try:
                for page in self._rest.paginate(
                    PATH,
                    method="POST",
                    json=body,
                    paginator=paginator,
                    data_selector="$",
                    hooks={"response": [self._judge]},
                    allow_redirects=False,
                    stream=True,
                ):
                    yield page[0]["data"][root]["nodes"]
            except TooCostly:
                if size == 1:
                    raise
                size = max(1, size // 2)
                LOG.info("%s: %s: too costly; pages of %s from here on", self.name, root, size)

    def by_ids(
        self, query: str, ids: list[str], *, size: int | None = None
    ) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Objects by their ids, each with its id; None for one that is not there (any more).

        Args:
            query: With the variable `$ids`.
            ids: Any number of them.
            size: Asked for together; halved as often as the shop finds it too costly.
        """
        size, begin = size or self.page_size, 0
        while begin < len(ids):
            part = ids[begin : begin + size]
            try:
                nodes = self.ask(query, ids=part)["nodes"]
            except TooCostly:
                if size == 1:
                    raise
                size = max(1, size // 2)
                continue
            if not isinstance(nodes, list) or len(nodes) != len(part):
                raise SourceError(
                    f"{self.name}: asked for {len(part)} objects by id and got something else; "
                    "nothing was taken from it, report a bug"
                )
            yield from zip(part, nodes, strict=True)
            begin += len(part)

    def download(self, url: str) -> Iterator[bytes]:
        """The lines of a file that the shop has put somewhere, without our token.

        Raises:
            SourceError: It is not there, or not under a safe address.
        """
        if not is_safe(url):
            raise SourceError(f"{self.name}: a result under an address without https; not read")
        response = self.session.send(
            self.session.prepare_request(
                requests.Request("GET", url, hooks={"response": [self._judge_file]})
            ),
            stream=True,
            allow_redirects=False,
        )
        with response:
            yield from response.iter_lines(65_536)

    # -- what an answer means -------------------------------------------------------------------

    def _judge(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """A response hook: returns for data, raises for everything else."""
        status = response.status_code
        self._judge_status(response)
        read_body(response, self._timeout)
        try:
            body = response.json()
        except ValueError as error:
            kind = response.headers.get("Content-Type", "nothing").split(";")[0][:40]
            raise Again(f"an answer that is no JSON ({mask(kind)}, HTTP {status})") from error
        given = response.headers.get("X-Shopify-API-Version")
        if given != VERSION:
            raise SourceError(
                f"{self.name}: asked for API version {VERSION} and got {mask(str(given))[:40]}; "
                "this Setae is too old for the shop, or the address is not a shop's: see "
                "docs/sources/shopify.md"
            )
        if not isinstance(body, dict):
            raise SourceError(f"{self.name}: an answer that is no object; see whether `url` is it")
        if body.get("errors"):
            self._judge_errors(body, response)
        if _was_search_cut(body):
            raise SourceError(
                f"{self.name}: the shop left a condition of the search out, so its answer holds "
                "records nobody asked for; nothing was taken from it, report a bug"
            )
        if not isinstance(body.get("data"), dict):
            raise SourceError(
                f"{self.name}: an answer with neither data nor error{_request_id(response)}; "
                "nothing was taken from it, run the fetch again or ask Shopify"
            )

    def _judge_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if status == 429:
            raise Again("too many requests", seconds=retry_after(response, self._clock))
        if status == 430:
            raise Again("HTTP 430, the requests look suspicious to Shopify")
        if status >= 500:
            raise Again(f"HTTP {status}", seconds=retry_after(response, self._clock))
        if 300 <= status < 400:
            advice = "the shop answers from another address; correct `url` in setae.toml"
        else:
            advice = _ADVICE.get(status, "an answer Setae does not know; report a bug")
        raise SourceError(
            f"{self.name}: HTTP {status}{_request_id(response)}: "
            f"{advice.format(variable=self._variable)}"
        )

    def _judge_errors(self, body: dict[str, Any], response: requests.Response) -> None:
        errors = body["errors"]
        first = errors[0] if isinstance(errors, list) else {"message": errors}
        first = first if isinstance(first, dict) else {"message": first}
        codes = _codes(errors)
        if "MAX_COST_EXCEEDED" in codes:
            message = mask(str(first.get("message")))[:100]
            raise TooCostly(f"{self.name}: {message}; nothing smaller can be asked, report a bug")
        if codes and codes <= {"THROTTLED"}:
            raise Again("throttled", seconds=_throttle_seconds(body))
        if codes and codes <= {"THROTTLED", "INTERNAL_SERVER_ERROR"}:
            raise Again(f"an internal error of Shopify{_request_id(response)}")
        code = ", ".join(sorted(codes)) or "no code"
        message = mask(str(first.get("message", "")))[:200]
        if "ACCESS_DENIED" in codes:
            advice = "give the app the scope, install it again, and set the token it gets"
        elif "SHOP_INACTIVE" in codes:
            advice = "the shop is closed; ask its owner"
        else:
            advice = "an error Setae does not know; nothing was taken from the answer"
        raise SourceError(f"{self.name}: {code}: {message}{_request_id(response)}; {advice}")

    def _judge_file(self, response: requests.Response, *_: Any, **__: Any) -> None:
        if response.status_code in (403, 404, 410):
            raise SourceError(f"{self.name}: a result is gone (HTTP {response.status_code})")
        self._judge_status(response)


class ConnectionPaginator(BasePaginator):
    """Goes from page to page of a connection, and refuses what is no page.

    Args:
        source: Name of the source, for messages.
        root: Name of the connection.
    """

    def __init__(self, source: str, root: str) -> None:
        super().__init__()
        self.cursor: str | None = None
        self._source = source
        self._root = root
        self._seen: set[str] = set()
        self._empty_count = 0

    def init_request(self, request: requests.Request) -> None:
        """Nothing: the body names the cursor."""

    def update_state(self, response: requests.Response, data: list[Any] | None = None) -> None:
        """Look at a page; `data` is the whole answer, parsed."""
        body: dict[str, Any] = data[0] if data and isinstance(data[0], dict) else {}
        connection = (body.get("data") or {}).get(self._root)
        if body.get("errors") or not isinstance(connection, dict):
            self._refuse("holds no data")
        nodes, info = connection.get("nodes"), connection.get("pageInfo")
        if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
            self._refuse("lacks its records")
        if not isinstance(info, dict) or not isinstance(info.get("hasNextPage"), bool):
            self._refuse("does not say whether there are more")
        self._has_next_page = info["hasNextPage"]
        if not self._has_next_page:
            return
        cursor = info.get("endCursor")
        if not isinstance(cursor, str) or not cursor:
            self._refuse("says there are more and not where")
        if cursor in self._seen:
            self._refuse("leads back to one that has been read")
        self._empty_count = 0 if nodes else self._empty_count + 1
        if self._empty_count >= EMPTY_PAGES:
            self._refuse(f"is the {EMPTY_PAGES}th empty one in a row")
        self._seen.add(cursor)
        self.cursor = cursor

    def update_request(self, request: requests.Request) -> None:
        """Ask for the page after the one looked at."""
        body = cast("dict[str, Any]", request.json)
        request.json = {**body, "variables": {**body["variables"], "after": self.cursor}}

    def _refuse(self, what: str) -> NoReturn:
        raise SourceError(
            f"{self._source}: {self._root}: a page {what}; nothing of it is kept, run the fetch "
            "again, and ask Shopify if it stays",
            retryable=True,
        )


def is_safe(url: str) -> bool:
    """Whether nobody on the way can read what is sent there."""
    if url.startswith("https://"):
        return True
    return url.startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:"))


def _codes(errors: Any) -> set[str]:
    found = set()
    for error in errors if isinstance(errors, list) else [errors]:
        extensions = error.get("extensions") if isinstance(error, dict) else None
        code = extensions.get("code") if isinstance(extensions, dict) else None
        found.add(mask(str(code))[:60] if code else "UNKNOWN")
    return found


def _was_search_cut(body: dict[str, Any]) -> bool:
    """Shopify answers a search it does not understand without that part of it, and a warning."""
    searches = (body.get("extensions") or {}).get("search") or []
    return any(one.get("warnings") for one in searches if isinstance(one, dict))


def _throttle_seconds(body: dict[str, Any]) -> float | None:
    """How long the bucket needs to fill up for the query, in whole seconds."""
    try:
        cost = body["extensions"]["cost"]
        status = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return max(1.0, float(math.ceil(missing / float(status["restoreRate"]))))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _request_id(response: requests.Response) -> str:
    """The number Shopify's support asks for."""
    number = response.headers.get("X-Request-Id")
    return f" (request {mask(number)[:60]})" if number else ""
