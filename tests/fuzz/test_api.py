"""Requests that the schema allows and others: no 5xx, and answers that match the schema.

Schemathesis makes the requests from `/api/schema/`; half of them then get ids,
tokens and bodies that exist in a seeded shop (seeded_shop.py). Here few examples of a fixed seed;
`make fuzz` sends thousands, of another seed each time.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.flash_sales import active_sales
from apps.orders.intake import queue
from apps.shipping import rates as shipping_rates
from apps.taxes import rates as tax_rates
from storefront.wsgi import application
from tests.fuzz.seeded_shop import SeededShop, seed_shop

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES") or 12)  # for each call and kind of shopper
SEED = int(os.environ.get("FUZZ_SEED") or 20)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

schema = schemathesis.openapi.from_wsgi("/api/schema/", application)
OPERATIONS = [found.ok() for found in schema.get_all_operations()]
sent: Counter[int] = Counter()


@pytest.fixture(autouse=True)
def seeded(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[SeededShop]:
    monkeypatch.setattr(django_settings, "RATE_LIMITS", False)
    shipping_rates.forget()
    tax_rates.forget()
    yield seed_shop()
    queue.drain()
    active_sales.forget()


@pytest.fixture(scope="module", autouse=True)
def tally() -> Iterator[None]:
    yield
    answers = ", ".join(f"{count} × {status}" for status, count in sorted(sent.items()))
    print(f"\n{sum(sent.values())} requests sent (seed {SEED}): {answers}")


@pytest.mark.parametrize("who", ["guest", "alice"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.label)
def test_answer_is_one_that_the_schema_describes(
    operation: Any, who: str, seeded: SeededShop
) -> None:
    lead = leads(seeded, operation.definition.raw["operationId"])

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(
        case=st.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        ),
        lead=lead,
    )
    def ask(case: Any, lead: dict[str, Any]) -> None:
        case.path_parameters.update(
            {name: lead[name] for name in case.path_parameters if name in lead}
        )
        if lead["led"]:
            case.headers.update(seeded.credentials[who])
            for name in case.query:
                if name in lead:
                    case.query[name] = lead[name]
            if lead["body"] is not None:
                case.body = mixed(lead["body"], case.body, lead["dice"])
        answer = case.call()
        sent[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()


def leads(seeded: SeededShop, operation_id: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draws of what leads somewhere: a value for each parameter, perhaps a body and the rights."""
    bodies = seeded.bodies.get(operation_id) or [None]
    return st.fixed_dictionaries(
        {
            "led": st.sampled_from([True, True, True, False]),
            "body": st.sampled_from([*bodies, None]),
            "dice": st.randoms(use_true_random=False),
        },
        optional={name: st.sampled_from(found) for name, found in seeded.parameters.items()},
    )


def mixed(whole: dict[str, Any], strange: Any, dice: Any) -> dict[str, Any]:
    """A body that would do, in most cases with one field of the generated one."""
    if not isinstance(strange, dict) or not strange or dice.random() < 0.3:
        return whole
    name = dice.choice(sorted(map(str, strange)))
    return {**whole, name: strange.get(name)}
