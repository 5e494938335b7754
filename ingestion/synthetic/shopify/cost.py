"""What a query costs, and the bucket that pays for it.

Published rules (shopify.dev, GraphQL Admin API rate limits): a scalar or enum costs 0, an object 1,
an interface or union the dearest of its possible selections, a mutation 10, a connection is sized
by `first` or `last`. The size counts logarithmically, as Shopify's staff say and as a recorded
answer shows: a connection costs 2 + floor(2 ln(size)) x the cost of one node, so that
`product { variants(first: 250) { nodes { inventoryItem { id } } } }` costs 1 + 2 + 11 x 2 = 25
points. `nodes` costs its objects one by one. Value objects (money, addresses, page info) are free.
The *requested* cost is known before the query runs and must fit both 1,000 points and the bucket;
afterwards the difference to the *actual* cost, the same sum over what came back, is given back.
Shopify keeps the right to price fields by hand; such prices are not simulated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
)
from graphql.execution.values import VariableValues, get_argument_values, get_directive_values

VALUE_OBJECTS = frozenset(
    {
        "Attribute",
        "Count",
        "MailingAddress",
        "MoneyBag",
        "MoneyV2",
        "PageInfo",
        "PricingPercentageValue",
        "ShopPlan",
        "UTMParameters",
    }
)
"""Objects without an identity of their own: observed to cost nothing."""

MAXIMUM_QUERY_COST = 1000
MUTATION_COST = 10
CONNECTION_COST = 2


@dataclass(frozen=True)
class CostRules:
    """How size and value objects count; `STRICT` is the older, dearer reading."""

    sizing: Literal["logarithmic", "linear"] = "logarithmic"
    value_objects: frozenset[str] = VALUE_OBJECTS

    def multiplier(self, size: int) -> int:
        """How many times the cost of a node counts for a page of `size` nodes."""
        if size == 0 or self.sizing == "linear":
            return size
        return math.floor(2 * math.log(max(2, size)))


STRICT = CostRules(sizing="linear", value_objects=frozenset({"PageInfo"}))

Fields = dict[str, tuple[GraphQLField, list[FieldNode]]]


@dataclass(frozen=True)
class Query:
    """A validated operation with its variables: what the walks below read."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    variables: VariableValues
    _known: dict[tuple[str, tuple[int, ...]], Fields] = field(default_factory=dict)

    @property
    def root(self) -> GraphQLObjectType:
        """The root type of the operation."""
        root = self.schema.get_root_type(self.operation.operation)
        assert root is not None
        return root

    def fields(self, parent: GraphQLObjectType, sets: list[SelectionSetNode]) -> Fields:
        """The fields selected on `parent`, fragments opened, by response key."""
        place = (parent.name, tuple(id(one) for one in sets))
        if place in self._known:
            return self._known[place]
        found: Fields = {}
        for node in self._nodes(parent, sets):
            if node.name.value.startswith("__"):
                continue
            key = (node.alias or node.name).value
            found.setdefault(key, (parent.fields[node.name.value], []))[1].append(node)
        self._known[place] = found
        return found

    def root_fields(self) -> Fields:
        """The fields of the operation itself."""
        return self.fields(self.root, [self.operation.selection_set])

    def arguments(self, definition: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """The arguments of a field, variables and defaults filled in."""
        return get_argument_values(definition, node, self.variables)

    def _nodes(
        self, parent: GraphQLObjectType, sets: list[SelectionSetNode]
    ) -> Iterator[FieldNode]:
        for selections in sets:
            for node in selections.selections:
                if not self._included(node):
                    continue
                if isinstance(node, FieldNode):
                    yield node
                elif isinstance(node, FragmentSpreadNode):
                    fragment = self.fragments[node.name.value]
                    if self._applies(fragment.type_condition.name.value, parent):
                        yield from self._nodes(parent, [fragment.selection_set])
                elif isinstance(node, InlineFragmentNode):
                    condition = node.type_condition
                    if condition is None or self._applies(condition.name.value, parent):
                        yield from self._nodes(parent, [node.selection_set])

    def _included(self, node: Any) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not (skip and skip["if"]) and not (include and not include["if"])

    def _applies(self, condition: str, parent: GraphQLObjectType) -> bool:
        kind = self.schema.type_map[condition]
        if kind is parent:
            return True
        return is_abstract_type(kind) and self.schema.is_sub_type(kind, parent)


@dataclass(frozen=True)
class Cost:
    """The cost of one query under `rules`."""

    query: Query
    rules: CostRules

    def requested(self) -> int:
        """The cost before execution, in points."""
        if self.query.operation.operation is OperationType.MUTATION:
            return MUTATION_COST * len(self.query.root_fields())
        return self._selection(self.query.root, [self.query.operation.selection_set], None)

    def actual(self, data: dict[str, Any] | None) -> int:
        """The cost of what came back, in points; never more than `requested`."""
        if self.query.operation.operation is OperationType.MUTATION:
            return self.requested()
        root = [self.query.operation.selection_set]
        return 0 if data is None else self._selection(self.query.root, root, data)

    def _selection(self, kind: Any, sets: list[SelectionSetNode], data: Any) -> int:
        """Sum over the fields of an object; `data` None means before execution."""
        if is_abstract_type(kind):
            costs = []
            for possible in self.query.schema.get_possible_types(kind):
                fields = self.query.fields(possible, sets)
                if data is None or set(fields) == {key for key in data if key != "__typename"}:
                    costs.append(self._selection(possible, sets, data))
            return max(costs, default=0)
        return sum(
            self._field(definition, nodes, None if data is None else data.get(key), data is None)
            for key, (definition, nodes) in self.query.fields(kind, sets).items()
        )

    def _field(
        self, definition: GraphQLField, nodes: list[FieldNode], data: Any, before: bool
    ) -> int:
        kind = get_named_type(definition.type)
        if not is_object_type(kind) and not is_abstract_type(kind):
            return 0
        sets = [node.selection_set for node in nodes if node.selection_set]
        if kind.name.endswith("Connection"):
            return self._connection(definition, nodes, sets, data, before)
        own = 0 if kind.name in self.rules.value_objects else 1
        # `nodes(ids: …)` is as many objects as it names; any other plain list counts once.
        ids = self.query.arguments(definition, nodes[0]).get("ids") if definition.args else None
        if before:
            return (1 if ids is None else len(ids)) * (own + self._selection(kind, sets, None))
        items = data if isinstance(data, list) else [data]
        if ids is not None:
            found = (item for item in items if item is not None)
            return len(ids) * own + sum(self._selection(kind, sets, item) for item in found)
        return own + max(
            (self._selection(kind, sets, item) for item in items if item is not None), default=0
        )

    def _connection(
        self,
        definition: GraphQLField,
        nodes: list[FieldNode],
        sets: list[SelectionSetNode],
        data: Any,
        before: bool,
    ) -> int:
        connection: Any = get_named_type(definition.type)
        parts = self.query.fields(connection, sets)
        child, count = 0, 0
        for key, (part, part_nodes) in parts.items():
            name = part_nodes[0].name.value
            if name not in {"nodes", "edges"}:
                continue
            inner = [node.selection_set for node in part_nodes if node.selection_set]
            kind: Any = get_named_type(part.type)
            items = None if before else (data or {}).get(key) or []
            if name == "edges":
                selected = self.query.fields(kind, inner).get("node")
                if selected is None:
                    continue
                kind = get_named_type(selected[0].type)
                inner = [node.selection_set for node in selected[1] if node.selection_set]
                items = None if items is None else [edge["node"] for edge in items]
            if items is None:
                child += 1 + self._selection(kind, inner, None)
            else:
                count = max(count, len(items))
                child += 1 + max((self._selection(kind, inner, item) for item in items), default=0)
        if before:
            arguments = self.query.arguments(definition, nodes[0])
            count = min(250, arguments.get("first") or arguments.get("last") or 0)
        return CONNECTION_COST + self.rules.multiplier(count) * child


@dataclass
class VirtualClock:
    """Seconds that pass only when somebody says so."""

    seconds: float = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.seconds += seconds


@dataclass
class Bucket:
    """The leaky bucket of one app in one shop, in points; refills at `rate` a second."""

    rate: float
    maximum: float
    clock: Callable[[], float]
    _level: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._level, self._at = self.maximum, self.clock()

    def available(self) -> int:
        """Whole points available now."""
        now = self.clock()
        self._level = min(self.maximum, self._level + (now - self._at) * self.rate)
        self._at = now
        return math.floor(self._level + 1e-9)

    def take(self, points: float) -> None:
        """Take points out; negative gives them back."""
        self.available()
        self._level = min(self.maximum, self._level - points)

    def drain(self, left: float = 0.0) -> None:
        """Leave only `left` points, as another worker of the same app would."""
        self.available()
        self._level = left

    def status(self) -> dict[str, float]:
        """`throttleStatus` of the answer."""
        return {
            "maximumAvailable": float(self.maximum),
            "currentlyAvailable": self.available(),
            "restoreRate": float(self.rate),
        }
