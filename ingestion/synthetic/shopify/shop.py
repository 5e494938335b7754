"""The simulated shop: one object that answers requests and that tests hold in their hands.

`Shop.answer` takes an HTTP request and gives an HTTP answer, without a network. `server` puts it
behind a loopback port. All that a test may want to change is an attribute: the instant, the granted
scopes, the plan, the faults, the version; `log` lists what was asked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    MiddlewareManager,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    get_named_type,
    parse,
    specified_rules,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.validation import (
    FieldsOnCorrectTypeRule,
    KnownArgumentNamesRule,
    ProvidedRequiredArgumentsRule,
    ValidationRule,
)

from ingestion.synthetic.shopify.bulk import BulkOperations, Operation, Plan, check
from ingestion.synthetic.shopify.cost import (
    MAXIMUM_QUERY_COST,
    Bucket,
    Cost,
    CostRules,
    Query,
    VirtualClock,
)
from ingestion.synthetic.shopify.database import Integers, ShopDatabase, seconds
from ingestion.synthetic.shopify.faults import Fault, Faults, Target
from ingestion.synthetic.shopify.listing import PAGING_LIMIT
from ingestion.synthetic.shopify.records import View
from ingestion.synthetic.shopify.resolvers import SCOPES, Context, deny, make_schema, resolve_field
from setae.errors import ConfigError

API_VERSION = "2026-10"
SUPPORTED = ("2026-01", "2026-04", "2026-07", "2026-10")
"""Stable versions that are answered as asked; an older one falls forward to the first."""

PLANS = {
    "standard": (100.0, 2_000.0),
    "advanced": (200.0, 4_000.0),
    "plus": (1_000.0, 20_000.0),
    "enterprise": (2_000.0, 40_000.0),
}
"""Points a second and bucket size by plan."""

RATE_LIMITS = "https://shopify.dev/api/usage/rate-limits"
GRAPHQL = re.compile(r"/admin/api/([^/]+)/graphql\.json")
DOWNLOAD = re.compile(r"/bulk/(\d+)\.jsonl")
LOGIN = (
    "<!DOCTYPE html><html><head><title>Log in</title></head><body>Log in to Shopify</body></html>"
)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `ending` says how the body is sent."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    path: Path | None = None
    ending: Literal["whole", "reset", "slow"] = "whole"
    interval: float = 0.0


@dataclass
class Entry:
    """One line of the log.

    Attributes:
        clock: The bucket's clock when the request came; differences are the client's waits.
        available: Points in the bucket before it.
    """

    number: int
    method: str
    path: str
    roots: list[str]
    query: str
    variables: dict[str, Any]
    clock: float
    available: int
    status: int = 0
    requested: int | None = None
    actual: int | None = None
    codes: list[str] = field(default_factory=list)
    fault: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A parsed operation."""

    document: DocumentNode
    query: Query
    arguments: dict[str, dict[str, Any]]


@dataclass
class Shop:
    """A shop, an app that is installed in it, and the app's access token.

    Attributes:
        now: The instant as of which the shop is seen; default is the end of its world.
        plan: One of `PLANS`.
        scopes: What the merchant granted; without `read_all_orders` only 60 days of orders.
        personal: Whether the app may read protected customer data.
        clock: Seconds of the bucket; a `VirtualClock` unless the shop is served for real.
        broken: Faults of this program itself, which a test must see.
        address: Where the shop is served; links of bulk operations begin with it.
    """

    database: ShopDatabase
    token: str
    now: datetime = field(default=None)  # type: ignore[assignment]
    plan: str = "standard"
    scopes: frozenset[str] = frozenset(SCOPES)
    personal: bool = True
    domain: str = "demo.myshopify.com"
    currency: str = "EUR"
    timezone: str = "Europe/Berlin"
    rules: CostRules = field(default_factory=CostRules)
    paging_limit: int = PAGING_LIMIT
    clock: Callable[[], float] = field(default_factory=VirtualClock)
    address: str = "http://127.0.0.1"
    faults: Faults = field(default_factory=Faults)
    log: list[Entry] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)
    bulk: BulkOperations = field(init=False)
    bucket: Bucket = field(init=False)
    _pages: dict[tuple[str, str], int] = field(default_factory=dict, init=False)
    _view: tuple[Any, View] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.now is None:
            self.now = datetime.fromtimestamp(self.database.last_instant, UTC)
        self.bulk = BulkOperations(
            prepare=self._prepare_bulk,
            url=self._file_address,
            fate=lambda text: self.faults.take(Target("operation", text)),
            now=lambda: seconds(self.now),
        )
        self.refill()

    def refill(self) -> None:
        """A full bucket of the shop's plan; also after a change of plan or clock."""
        if self.plan not in PLANS:
            raise ConfigError(f"plan {self.plan!r}: there are {', '.join(PLANS)}")
        rate, maximum = PLANS[self.plan]
        self.bucket = Bucket(rate, maximum, self.clock)

    def advance(self, waited: float) -> None:
        """Let the bucket's virtual clock run; the sleep of a test."""
        assert isinstance(self.clock, VirtualClock), "a served shop's clock is the real one"
        self.clock.advance(waited)

    def touch(self, order_id: int, at: datetime | None = None) -> None:
        """Change an order at `at` (default `now`): its updatedAt moves."""
        self.database.touch(order_id, seconds(at or self.now))

    def requests(self, root: str | None = None) -> list[Entry]:
        """The log, or its part about one root field."""
        return [entry for entry in self.log if root is None or root in entry.roots]

    def waits(self) -> list[float]:
        """Seconds of the bucket's clock between one request and the next."""
        clocks = [entry.clock for entry in self.log]
        return [later - earlier for earlier, later in pairwise(clocks)]

    # --- HTTP ---------------------------------------------------------------------------------

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, search: str = ""
    ) -> Answer:
        """Answer one request; `headers` have lower-case names.

        Args:
            method: The HTTP method.
            path: The path without the query string.
            headers: Lower-case names.
            body: The whole body.
            search: The query string.
        """
        number = len(self.log) + 1
        entry = Entry(number, method, path, [], "", {}, self.clock(), self.bucket.available())
        self.log.append(entry)
        if match := DOWNLOAD.fullmatch(path):
            answer = self._download(entry, int(match[1]), search)
        elif match := GRAPHQL.fullmatch(path):
            answer = self._graphql(entry, match[1], method, headers, body)
        else:
            answer = Answer(404, {}, b'{"errors":"Not Found"}')
        entry.status = answer.status
        request_id = f"{number:08x}-0000-4000-8000-000000000000"
        return Answer(
            answer.status,
            {"x-request-id": request_id, "content-type": "application/json; charset=utf-8"}
            | answer.headers,
            answer.body,
            answer.path,
            answer.ending,
            answer.interval,
        )

    def _graphql(
        self, entry: Entry, version: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        answered = self._version(version)
        if answered is None:
            return Answer(404, {}, b'{"errors":"Not Found"}')
        about = {"x-shopify-api-version": answered, "x-shopify-stage": "simulated"}
        prepared: Prepared | None = None
        problems: list[dict[str, Any]] = []
        text, variables, name, usable = _read_body(body)
        entry.query, entry.variables = text, variables
        if usable:
            try:
                prepared = self._prepare(text, variables, name)
                entry.roots = list(prepared.arguments)
            except _Refused as refused:
                problems = refused.errors
        target = Target(
            "graphql",
            text + json.dumps(variables, sort_keys=True, default=str),
            {} if prepared is None else self._page_numbers(prepared),
        )
        fault = self.faults.take(target)
        if fault is not None:
            entry.fault = fault.kind
            refusal = self._refusal(fault, entry)
            if refusal is not None:
                return Answer(refusal.status, about | refusal.headers, refusal.body)
        if not hmac.compare_digest(
            headers.get("x-shopify-access-token", "").encode(), self.token.encode()
        ):
            return Answer(401, about, _unauthorized())
        if method != "POST":
            return Answer(405, about, b'{"errors":"Method Not Allowed"}')
        if not usable or "json" not in headers.get("content-type", ""):
            return Answer(
                400, about, b'{"errors":{"query":"Required parameter missing or invalid"}}'
            )
        if prepared is None:
            content: dict[str, Any] = {"errors": problems}
        else:
            content = self._execute(prepared, fault, entry)
        entry.codes = [
            error.get("extensions", {}).get("code", "") for error in content.get("errors", [])
        ]
        return self._send(content, fault, prepared, about)

    def _version(self, asked: str) -> str | None:
        if asked in SUPPORTED or asked == "unstable":
            return asked
        if not re.fullmatch(r"20\d\d-(01|04|07|10)", asked) or asked > SUPPORTED[-1]:
            return None
        return SUPPORTED[0]

    def _execute(self, prepared: Prepared, fault: Fault | None, entry: Entry) -> dict[str, Any]:
        kind = fault.kind if fault is not None else ""
        if kind == "touch" and fault is not None:
            self.touch(fault.order_id)
        if kind == "throttled" and fault is not None:
            self.bucket.drain(fault.available)
        cost = Cost(prepared.query, self.rules)
        requested = cost.requested()
        entry.requested = requested
        if requested > MAXIMUM_QUERY_COST:
            return _too_dear(requested)
        if requested > self.bucket.available():
            error = {
                "message": "Throttled",
                "extensions": {"code": "THROTTLED", "documentation": RATE_LIMITS},
            }
            return {"errors": [error], "extensions": {"cost": self._cost(requested, None)}}
        if any(root.startswith(("bulk", "currentBulk", "node")) for root in self._names(prepared)):
            mutates = prepared.query.operation.operation is OperationType.MUTATION
            if not mutates:
                self.bulk.advance()
        self.bucket.take(requested)
        denied = fault.denied if fault is not None and kind == "access_denied" else ""
        context = self._context(denied)
        result = execute_sync(
            prepared.query.schema,
            prepared.document,
            variable_values=entry.variables,
            operation_name=prepared.query.operation.name.value
            if prepared.query.operation.name
            else None,
            context_value=context,
            field_resolver=resolve_field,
            middleware=MiddlewareManager(deny) if denied else None,
        )
        _raise_own(result.errors)
        actual = cost.actual(result.data)
        entry.actual = actual
        self.bucket.take(actual - requested)
        content: dict[str, Any] = {"data": result.data}
        if result.errors:
            content["errors"] = [error.formatted for error in result.errors]
        content["extensions"] = {"cost": self._cost(requested, actual)}
        if context.warnings:
            content["extensions"]["search"] = context.warnings
        return content

    def _context(self, denied: str = "", part: Integers | None = None) -> Context:
        return Context(
            view=self.view(),
            scopes=self.scopes,
            shop={
                "id": "gid://shopify/Shop/1",
                "name": self.domain.split(".")[0],
                "email": f"owner@{self.domain}",
                "myshopifyDomain": self.domain,
                "url": f"https://{self.domain}",
                "currencyCode": self.currency,
                "ianaTimezone": self.timezone,
                "timezoneOffset": self.now.astimezone(ZoneInfo(self.timezone)).strftime("%z"),
                "taxesIncluded": False,
                "plan": {
                    "publicDisplayName": self.plan.capitalize(),
                    "partnerDevelopment": False,
                    "shopifyPlus": self.plan == "plus",
                },
                "createdAt": "2024-01-01T00:00:00Z",
            },
            operations=self.bulk,
            paging_limit=self.paging_limit,
            denied=denied,
            part=part,
        )

    def view(self) -> View:
        """The shop as the app sees it now; kept until something changes."""
        key = (
            seconds(self.now),
            len(self.database.touched),
            "read_all_orders" in self.scopes,
            self.personal,
        )
        if self._view is None or self._view[0] != key:
            view = View(
                self.database,
                key[0],
                self.currency,
                ZoneInfo(self.timezone),
                everything=key[2],
                personal=self.personal,
            )
            self._view = (key, view)
        return self._view[1]

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self.bucket.status(),
        }

    # --- reading a query ----------------------------------------------------------------------

    def _prepare(self, text: str, variables: dict[str, Any], name: str | None) -> Prepared:
        document, operations, errors = _parse(text)
        if errors:
            raise _Refused(list(errors))
        chosen = [one for one in operations if name is None or _name_of(one) == name]
        if len(chosen) != 1:
            raise _Refused(
                [
                    {
                        "message": "An operation name is required"
                        if name is None
                        else f'No operation named "{name}"'
                    }
                ]
            )
        assert document is not None
        schema = make_schema()
        values = get_variable_values(schema, chosen[0].variable_definitions or (), variables)
        if isinstance(values, list):
            raise _Refused([_formatted(error, "INVALID_VARIABLE") for error in values])
        fragments = {
            one.name.value: one
            for one in document.definitions
            if isinstance(one, FragmentDefinitionNode)
        }
        query = Query(schema, chosen[0], fragments, values)
        arguments = {
            key: query.arguments(definition, nodes[0])
            for key, (definition, nodes) in query.root_fields().items()
        }
        return Prepared(document, query, arguments)

    @staticmethod
    def _names(prepared: Prepared) -> list[str]:
        return [nodes[0].name.value for _, nodes in prepared.query.root_fields().values()]

    def _page_numbers(self, prepared: Prepared) -> dict[str, int]:
        numbers = {}
        for name, arguments in zip(self._names(prepared), prepared.arguments.values(), strict=True):
            after = arguments.get("after")
            numbers[name] = 1 if after is None else self._pages.get((name, after), 1)
        return numbers

    def _prepare_bulk(self, text: str) -> Plan:
        try:
            prepared = self._prepare(text, {}, None)
        except _Refused as refused:
            message = "; ".join(str(error["message"]) for error in refused.errors)
            raise GraphQLError(f"Invalid bulk query: {message}") from None
        root = check(prepared.query)
        name = self._names(prepared)[0]
        listing = {
            "orders": lambda view: view.orders,
            "customers": lambda view: view.customers,
            "products": lambda view: view.products,
            "codeDiscountNodes": lambda view: view.discounts,
        }.get(name)
        if listing is None:
            raise GraphQLError(f"Bulk queries over {name} are not simulated.")
        positions, _ = listing(self.view()).select(prepared.arguments[root], lambda _search: None)

        def execute(part: Integers) -> dict[str, Any]:
            result = execute_sync(
                prepared.query.schema,
                prepared.document,
                context_value=self._context(part=part),
                field_resolver=resolve_field,
            )
            _raise_own(result.errors)
            if result.errors:
                raise result.errors[0]
            assert result.data is not None
            return result.data

        return Plan(prepared.query, root, execute, positions)

    # --- faults -------------------------------------------------------------------------------

    def _refusal(self, fault: Fault, entry: Entry) -> Answer | None:
        """The answer of a fault that leaves the query unread; None for the others."""
        html = {"content-type": "text/html; charset=utf-8"}
        plain: dict[str, tuple[int, dict[str, str], bytes]] = {
            "security_rejection": (
                430,
                html,
                b"<html><body>Shopify Security Rejection</body></html>",
            ),
            "server_error": (fault.status, html, b"<html><body>Something went wrong</body></html>"),
            "unauthorized": (401, {}, _unauthorized()),
            "payment_required": (402, {}, b'{"errors":"Unavailable Shop"}'),
            "forbidden": (
                403,
                {},
                b'{"errors":"[API] This action requires merchant approval for read_orders scope."}',
            ),
            "not_found": (404, {}, b'{"errors":"Not Found"}'),
            "locked": (423, {}, b'{"errors":"Unavailable Shop"}'),
            "html": (200, html, LOGIN.encode()),
            "empty_body": (200, {}, b""),
        }
        if fault.kind in plain:
            return Answer(*plain[fault.kind])
        if fault.kind == "too_many_requests":
            after = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
            text = "Exceeded 2 calls per second for api client. Reduce request rates to resume."
            return Answer(429, after, json.dumps({"errors": text}).encode())
        code = {"internal_error": "INTERNAL_SERVER_ERROR", "shop_inactive": "SHOP_INACTIVE"}.get(
            fault.kind
        )
        if code is None:
            return None
        entry.codes = [code]
        extensions = {"code": code}
        message = "This shop is inactive."
        if fault.kind == "internal_error":
            message = "Internal error. Looks like something went wrong on our end."
            if fault.request_id:
                extensions["requestId"] = f"{entry.number:08x}-0000-4000-8000-000000000000"
                message += (
                    f"\nRequest ID: {extensions['requestId']} (include this in support requests)."
                )
        return Answer(
            200,
            {},
            json.dumps({"errors": [{"message": message, "extensions": extensions}]}).encode(),
        )

    def _send(
        self,
        content: dict[str, Any],
        fault: Fault | None,
        prepared: Prepared | None,
        headers: dict[str, str],
    ) -> Answer:
        kind = fault.kind if fault is not None else ""
        if prepared is not None and isinstance(content.get("data"), dict):
            self._spoil(content["data"], kind, prepared)
        if kind == "empty_data":
            content["data"] = {}
        elif kind == "null_data":
            content["data"] = None
        elif kind == "wrong_version":
            headers = headers | {"x-shopify-api-version": SUPPORTED[0]}
        elif kind == "wrong_content_type":
            headers = headers | {"content-type": "text/plain"}
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        if kind == "truncated":
            return Answer(200, headers, body[: len(body) // 2])
        if kind == "reset":
            return Answer(200, headers, body, ending="reset")
        if kind == "slow" and fault is not None:
            return Answer(200, headers, body, ending="slow", interval=fault.interval)
        return Answer(200, headers, body)

    def _spoil(self, data: dict[str, Any], kind: str, prepared: Prepared) -> None:
        """Remember which page a cursor leads to; change page info as a fault says."""
        pages = self._page_numbers(prepared)
        for key, (definition, nodes) in prepared.query.root_fields().items():
            value = data.get(key)
            name = nodes[0].name.value
            is_list = get_named_type(definition.type).name.endswith("Connection")
            if not is_list or not isinstance(value, dict) or "pageInfo" not in value:
                continue
            info, after = value["pageInfo"], prepared.arguments[key].get("after")
            if cursor := info.get("endCursor"):
                self._pages.setdefault((name, cursor), pages[name] + 1)
            if kind == "no_page_info":
                del value["pageInfo"]
            elif kind == "repeated_cursor":
                info |= {"hasNextPage": True, "endCursor": after or info.get("startCursor")}
            elif kind == "endless_cursor":
                info |= {"hasNextPage": True, "endCursor": info.get("endCursor") or after}

    # --- files of bulk operations -------------------------------------------------------------

    def _signature(self, number: int) -> str:
        return hmac.new(self.token.encode(), f"bulk/{number}".encode(), hashlib.sha256).hexdigest()

    def _file_address(self, operation: Operation) -> str:
        number = operation.number
        return f"{self.address}/bulk/{number}.jsonl?signature={self._signature(number)}"

    def _download(self, entry: Entry, number: int, search: str) -> Answer:
        entry.roots = ["bulk"]
        xml = {"content-type": "application/xml; charset=UTF-8"}
        gone = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code></Error>"
        fault = self.faults.take(Target("download", entry.path))
        if fault is not None:
            entry.fault = fault.kind
        path = self.bulk.file(number)
        signed = hmac.compare_digest(search, f"signature={self._signature(number)}")
        if path is None or not signed or (fault is not None and fault.kind == "bulk_url_expired"):
            return Answer(403, xml, gone)
        lines = {"content-type": "application/jsonl"}
        if fault is not None and fault.kind == "bulk_cut":
            return Answer(200, lines, path.read_bytes(), ending="reset")
        return Answer(200, lines, path=path)

    def snapshot(self) -> list[dict[str, Any]]:
        """The log as plain values, for another process."""
        return [asdict(entry) for entry in self.log]


class _Refused(Exception):
    """A query that is not run, with the errors of its answer."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(str(error["message"]) for error in errors))
        self.errors = errors


def _read_body(body: bytes) -> tuple[str, dict[str, Any], str | None, bool]:
    """Query, variables, operation name, and whether there is a query at all."""
    try:
        content = json.loads(body)
    except ValueError:
        return "", {}, None, False
    if not isinstance(content, dict) or not isinstance(content.get("query"), str):
        return "", {}, None, False
    variables = content.get("variables") or {}
    return content["query"], variables, content.get("operationName"), isinstance(variables, dict)


@lru_cache(maxsize=256)
def _parse(
    text: str,
) -> tuple[DocumentNode | None, list[OperationDefinitionNode], tuple[dict[str, Any], ...]]:
    """Parse and validate; a query that comes again costs nothing."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return None, [], (_formatted(error, None),)
    unknown = list(_unknown_fields(document))
    if unknown:
        return document, [], tuple(unknown)
    errors = tuple(_formatted(error, None) for error in validate(make_schema(), document, RULES))
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return document, operations, errors


class _Undefined(ValidationRule):
    """Fields that the schema does not have, in the words of the real shop."""

    def enter_field(
        self, node: FieldNode, _key: Any, _parent: Any, _path: Any, ancestors: list[Any]
    ) -> None:
        kind, name = self.context.get_parent_type(), node.name.value
        if kind is None or name.startswith("__") or self.context.get_field_def() is not None:
            return
        path: list[str] = []
        for one in ancestors:
            if isinstance(one, OperationDefinitionNode):
                title = _name_of(one)
                path.append(one.operation.value + (f" {title}" if title else ""))
            elif isinstance(one, FieldNode):
                path.append((one.alias or one.name).value)
        self.report_error(
            GraphQLError(
                f"Field '{name}' doesn't exist on type '{kind.name}'",
                node,
                extensions={
                    "code": "undefinedField",
                    "typeName": kind.name,
                    "fieldName": name,
                    "path": [*path, (node.alias or node.name).value],
                },
            )
        )


RULES = [rule for rule in specified_rules if rule is not FieldsOnCorrectTypeRule]
CODES = {
    KnownArgumentNamesRule: "argumentNotAccepted",
    ProvidedRequiredArgumentsRule: "missingRequiredArguments",
}


def _unknown_fields(document: DocumentNode) -> list[dict[str, Any]]:
    found = []
    for error in validate(make_schema(), document, [_Undefined]):
        formatted = dict(error.formatted)
        extensions = dict(error.extensions or {})
        formatted["path"] = extensions.pop("path")
        formatted["extensions"] = extensions
        found.append(formatted)
    return found


def _raise_own(errors: list[GraphQLError] | None) -> None:
    """A fault of ours is no answer of the shop: it goes up."""
    for error in errors or []:
        if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
            raise error.original_error


def _name_of(operation: OperationDefinitionNode) -> str | None:
    return operation.name.value if operation.name else None


def _formatted(error: GraphQLError, code: str | None) -> dict[str, Any]:
    formatted = dict(error.formatted)
    if code is not None:
        formatted["extensions"] = {"code": code}
    return formatted


def _too_dear(cost: int) -> dict[str, Any]:
    return {
        "errors": [
            {
                "message": f"Query cost is {cost}, which exceeds the single query max cost limit "
                f"({MAXIMUM_QUERY_COST}).\n\nSee {RATE_LIMITS} for more information on how the "
                "cost of a query is calculated.\n",
                "extensions": {
                    "code": "MAX_COST_EXCEEDED",
                    "cost": cost,
                    "maxCost": MAXIMUM_QUERY_COST,
                    "documentation": RATE_LIMITS,
                },
            }
        ]
    }


def _unauthorized() -> bytes:
    return (
        b'{"errors":"[API] Invalid API key or access token (unrecognized login or wrong password)"}'
    )
