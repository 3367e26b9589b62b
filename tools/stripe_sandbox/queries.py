"""Calls that read: retrieve, list, search, and the parameter `expand`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tools.stripe_sandbox import balance, objects, params
from tools.stripe_sandbox.protocol import ApiError, missing_resource
from tools.stripe_sandbox.request_context import RequestContext
from tools.stripe_sandbox.store import Record

_NAMES = {
    "payment_intent": "payment_intent",
    "charge": "charge",
    "refund": "refund",
    "event": "event",
    "webhook_endpoint": "webhook endpoint",
}
_EXPANDABLE = {
    "latest_charge": "charge",
    "charge": "charge",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
    "balance_transaction": "balance_transaction",
}
_QUOTED = r"""(?P<{0}>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_TERM = re.compile(
    rf"(?:metadata\[{_QUOTED.format('key')}\]|(?P<field>status|currency))"
    rf"\s*:\s*{_QUOTED.format('value')}"
)


def _limit(value: Any, name: str) -> int:
    number = params.integer(value, name)
    if not 1 <= number <= 100:
        bound = "greater than or equal to 1" if number < 1 else "less than or equal to 100"
        raise ApiError(
            400, f"This value must be {bound}.", code="parameter_invalid_integer", param=name
        )
    return number


_PAGING: params.Schema = {
    "limit": _limit,
    "starting_after": params.string(),
    "ending_before": params.string(),
}
LISTS: dict[str, params.Schema] = {
    "payment_intent": {**_PAGING, "created": params.time_span, "customer": params.not_simulated},
    "charge": {
        **_PAGING,
        "created": params.time_span,
        "payment_intent": params.string(),
        "customer": params.not_simulated,
        "transfer_group": params.not_simulated,
    },
    "refund": {
        **_PAGING,
        "created": params.time_span,
        "payment_intent": params.string(),
        "charge": params.string(),
    },
    "event": {
        **_PAGING,
        "created": params.time_span,
        "type": params.string(),
        "types": params.listed(params.string()),
        "delivery_success": params.boolean,
    },
    "webhook_endpoint": _PAGING,
}


def retrieve(kind: str) -> Callable[[RequestContext], dict[str, Any]]:
    def operation(context: RequestContext) -> dict[str, Any]:
        params.check(context.call.params, {"client_secret": params.string()})
        record = context.store.get(context.call.id, kind)
        if record is None:
            param = "intent" if kind == "payment_intent" else "id"
            raise missing_resource(_NAMES[kind], context.call.id, param=param)
        return record.shown

    return operation


def lists(kind: str) -> Callable[[RequestContext], dict[str, Any]]:
    def operation(context: RequestContext) -> dict[str, Any]:
        given = params.check(context.call.params, LISTS[kind])
        before = _cursor(context, kind, given.get("starting_after"), "starting_after")
        after = _cursor(context, kind, given.get("ending_before"), "ending_before")
        records, more = context.store.newest(
            kind,
            limit=given.get("limit", 10),
            created=given.get("created"),
            parent=given.get("payment_intent"),
            before=before,
            after=after,
            matching=_matching(given),
        )
        return {
            "object": "list",
            "data": [record.shown for record in records],
            "has_more": more,
            "url": context.call.path,
        }

    return operation


def search_intents(context: RequestContext) -> dict[str, Any]:
    """`metadata['key']:'value'`, `status:'…'`, `currency:'…'`, joined by AND."""
    given = params.check(
        context.call.params,
        {"query": params.string(), "limit": _limit, "page": params.string()},
        required=("query",),
    )
    fields: list[tuple[str, str]] = []
    metadata: list[tuple[str, str]] = []
    for part in re.split(r"\s+AND\s+", given["query"].strip(), flags=re.IGNORECASE):
        term = _TERM.fullmatch(part.strip())
        if term is None:
            raise ApiError(400, f"Unable to parse the search query: {part}", param="query")
        value = _unquoted(term["value"])
        if term["key"]:
            metadata.append((_unquoted(term["key"]), value))
        else:
            fields.append((term["field"], value))
    if not metadata:
        raise ApiError(400, "The sandbox searches by at least one metadata field.", param="query")
    found = []
    for id in context.store.ids_by_metadata(*metadata[0]):
        record = context.store.get(id, "payment_intent")
        if (
            record is not None
            and all(record.shown["metadata"].get(key) == value for key, value in metadata)
            and all(record.shown[name] == value for name, value in fields)
        ):
            found.append(record)
    found.sort(key=lambda record: -record.seq)
    limit = given.get("limit", 10)
    return {
        "object": "search_result",
        "data": [record.shown for record in found[:limit]],
        "has_more": len(found) > limit,
        "next_page": None,
        "url": context.call.path,
    }


def retrieve_payment_method(context: RequestContext) -> dict[str, Any]:
    token = objects.TOKENS.get(context.call.id)
    if token is None:
        raise missing_resource("PaymentMethod", context.call.id, param="payment_method")
    return objects.payment_method(token)


def retrieve_account(context: RequestContext) -> dict[str, Any]:
    if context.call.id not in ("", objects.ACCOUNT_ID):
        raise missing_resource("account", context.call.id, param="account")
    return objects.account()


def retrieve_balance(context: RequestContext) -> dict[str, Any]:
    totals: dict[str, int] = {}
    after = 0
    while charges := context.store.oldest("charge", after_seq=after, limit=1000):
        after = charges[-1].seq
        for charge in charges:
            shown = charge.shown
            if shown["captured"]:
                net = shown["amount"] - shown["amount_refunded"]
                totals[shown["currency"]] = totals.get(shown["currency"], 0) + net
    return objects.balance(totals or {"usd": 0})


def expand(
    context: RequestContext, shown: dict[str, Any], paths: tuple[str, ...]
) -> dict[str, Any]:
    """Replace ids by the objects they name. What cannot be expanded stays as it is."""
    for path in paths:
        shown = _expanded(context, shown, path.split("."))
    return shown


def _expanded(context: RequestContext, shown: dict[str, Any], path: list[str]) -> dict[str, Any]:
    name, rest = path[0], path[1:]
    value = shown.get(name)
    if name == "data" and isinstance(value, list):
        return shown | {
            "data": [_expanded(context, item, rest) for item in value] if rest else value
        }
    if isinstance(value, str) and name in _EXPANDABLE:
        if name == "payment_method":
            token = objects.TOKENS.get(value)
            value = objects.payment_method(token) if token else value
        elif name == "balance_transaction":
            value = balance.find(context, value) or value
        else:
            record = context.store.get(value, _EXPANDABLE[name])
            value = record.shown if record else value
    if rest and isinstance(value, dict):
        value = _expanded(context, value, rest)
    return shown | {name: value} if name in shown else shown


def _cursor(context: RequestContext, kind: str, id: str | None, param: str) -> Record | None:
    if id is None:
        return None
    record = context.store.get(id, kind)
    if record is None:
        raise missing_resource(_NAMES[kind], id, param=param)
    return record


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _matching(given: dict[str, Any]) -> Callable[[Record], bool] | None:
    types = set(given.get("types", ()))
    if "type" in given:
        types.add(given["type"])
    if types:
        return lambda record: _type_matches(record.shown["type"], types)
    if "charge" in given:
        return lambda record: bool(record.shown["charge"] == given["charge"])
    return None


def _type_matches(type: str, wanted: set[str]) -> bool:
    return type in wanted or any(
        pattern.endswith("*") and type.startswith(pattern[:-1]) for pattern in wanted
    )
