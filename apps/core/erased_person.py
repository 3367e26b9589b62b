"""A buyer who is erased: what is looked for in texts, and what is put in its place.

Each app removes the person from its own tables (its erasure.py) and is given this. What stands in
the order (docs/erasure.md) is decided in apps/orders/erasure.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Q

# Reserved (RFC 2606): no mail to it can ever be delivered.
DOMAIN = "erased.invalid"
GONE = "[erased]"
SHORTEST = 3  # characters; a shorter word stands in too many texts that are not about the person


def new_address() -> str:
    """An e-mail address in the place of a person's. Random: from a digest one could guess back."""
    return f"erased-{secrets.token_hex(8)}@{DOMAIN}"


def is_erased(email: str) -> bool:
    """Whether this address stands in the place of an erased person's."""
    return email.endswith(f"@{DOMAIN}")


@dataclass(frozen=True, kw_only=True)
class ErasedPerson:
    """user_id: of the account, if there is one. addresses: by mailbox, what replaces it.

    words: names, e-mail addresses, streets and telephone numbers, as they were typed.
    """

    order_ids: tuple[UUID, ...]
    addresses: Mapping[str, str]
    words: tuple[str, ...]
    user_id: int | None = None

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """The words, the longest first, also as JSON escapes them."""
        found = {word.strip() for word in self.words}
        found = {word for word in found if len(word) >= SHORTEST and not is_erased(word)}
        found |= {json.dumps(word)[1:-1] for word in found}
        return tuple(sorted(found, key=lambda word: (-len(word), word)))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self.variants:
            return None
        either = "|".join(map(re.escape, self.variants))
        return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)

    def without(self, value: Any) -> Any:
        """A text, or a JSON value, without the person's words; others' words stay."""
        if isinstance(value, str):
            return self._pattern.sub(GONE, value) if self._pattern else value
        if isinstance(value, dict):
            return {self.without(name): self.without(kept) for name, kept in value.items()}
        if isinstance(value, list):
            return [self.without(item) for item in value]
        return value

    @property
    def unmistakable(self) -> tuple[str, ...]:
        """The words that are nobody else's: e-mail addresses and telephone numbers."""
        return tuple(word for word in self.variants if "@" in word or word.startswith("+"))

    def named_in(self, *columns: str, words: tuple[str, ...] | None = None) -> Q:
        """The rows whose columns hold one of the words (by default all), or without words none."""
        found = Q(pk__in=[])
        for word in self.variants if words is None else words:
            for column in columns:
                found |= Q(**{f"{column}__icontains": word})
        return found


def clean_rows(person: ErasedPerson, rows: Iterable[Any], *columns: str) -> int:
    """Write these rows' texts without the person, where they hold one; how many rows changed."""
    changed = 0
    for row in rows:
        new = {
            column: cleaned
            for column in columns
            if (cleaned := person.without(getattr(row, column))) != getattr(row, column)
        }
        if new:
            changed += type(row)._base_manager.filter(pk=row.pk).update(**new)
    return changed
