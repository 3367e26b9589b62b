"""The gateway's objects as the back office shows them: as JSON, without what opens anything."""

import json
import re
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.redaction import redact

HIDDEN = "[secret]"
_SECRET_NAME = re.compile(r"(secret|signature|authorization|cookie|api[-_]?key)$", re.IGNORECASE)


def without_secrets(value: Any) -> Any:
    """A copy of a JSON value without secrets, signatures, card numbers and mail addresses."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if _SECRET_NAME.search(str(name)) and kept else without_secrets(kept)
            for name, kept in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def as_json(value: Any) -> SafeString:
    """The value without secrets, indented, in a block of its own."""
    text = json.dumps(without_secrets(value), indent=2, ensure_ascii=False)
    return format_html('<pre class="bo-pre bo-mono">{}</pre>', text)
