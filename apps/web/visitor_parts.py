"""The parts of a page that differ from visitor to visitor: the account, the cart, the messages.

A page that is kept for many visitors has a mark in the place of each (page_cache.py).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from django.contrib import messages
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

TOOLS, MESSAGES = "tools", "messages"
# No visitor can write one: a page escapes what a visitor typed.
MARKS: Mapping[str, str] = {name: f"<!--{name} of the visitor-->" for name in (TOOLS, MESSAGES)}


def tools(request: HttpRequest) -> SafeString:
    """The links to the account, with the name of who is signed in, and to the cart."""
    user = getattr(request, "user", None)
    signed_in = user is not None and user.is_authenticated
    session = getattr(request, "session", None)
    count = session.get("count", 0) if session is not None else 0
    return tools_of(user.get_short_name() if user is not None and signed_in else None, count)


@lru_cache(maxsize=2_000)
def tools_of(name: str | None, count: int) -> SafeString:
    """`tools` of whoever has this name and so many pieces in the cart; None: a stranger."""
    return render_to_string("web/parts/tools.html", {"name": name, "count": count})


def messages_of(request: HttpRequest) -> SafeString:
    """The messages that wait for this visitor; they are shown once."""
    waiting = messages.get_messages(request)
    if not len(waiting):
        return SafeString("")
    return render_to_string("web/parts/messages.html", {"messages": waiting})


PARTS: Mapping[str, Callable[[HttpRequest], SafeString]] = {TOOLS: tools, MESSAGES: messages_of}
