"""The HTTP client of Stripe's library: libcurl, with one kept-alive connection for each thread.

Every order makes two calls. A call costs 0.35 ms of processor time by libcurl, 0.65 by urllib3, and
more by the requests Session that the library would build; most of that is reading headers in
Python. While libcurl waits, other threads run.

No request is ever sent twice here: a repetition is the caller's, and is stored in a row first.
libcurl by itself would repeat a request on a new connection when a kept one dies before the answer.
Two things prevent it: a body that cannot be rewound, and a new connection for each request that has
no body (but GET).
"""

import os
import re
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any

import certifi
import pycurl
import stripe

from apps.payments.request_budget import OverBudget, RequestBudget, operation_of

_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


class NotSent(stripe.APIConnectionError):
    """Not a byte of the request was sent, so nothing can have been executed."""


class Throttled(NotSent):
    """Kept back by our own limit of requests. `retry_after` is in seconds."""

    def __init__(self, over: OverBudget) -> None:
        super().__init__(str(over))  # type: ignore[no-untyped-call]
        self.retry_after = over.retry_after


class ReadOnly(NotSent):
    """It would have changed something at the gateway, and this shop may not."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Not sent, nothing may be changed at the gateway: {why}.")  # type: ignore[no-untyped-call]


def always_writable() -> str:
    """For a client that may change things: no reason why not."""
    return ""


class CurlClient(stripe.HTTPClient):
    """`stripe.HTTPClient` over libcurl. Safe for threads, and for a process that forks.

    `proxy` is the URL of an HTTP or SOCKS proxy, through which a tunnel is opened; it sees neither
    what is sent nor what is answered. `budget` keeps to the gateway's limits; None: there are none.
    `why_readonly` is asked before each request that is no GET; what it answers is why none is sent.
    """

    name = "pycurl"

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        proxy: str = "",
        budget: RequestBudget | None = None,
        why_readonly: Callable[[], str] = always_writable,
    ) -> None:
        super().__init__()
        self._why_readonly = why_readonly
        self._by_proxy = proxy
        self._budget = budget
        self._connect_ms = round(connect_timeout_s * 1000)
        self._all_ms = self._connect_ms + round(read_timeout_s * 1000)
        self._own = threading.local()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """The body, the status and the headers (names in lower case) of the response.

        Raises NotSent, or stripe.APIConnectionError when the request may have been executed.
        """
        if method != "get" and (why := self._why_readonly()):
            raise ReadOnly(why)
        if self._budget is None:
            return self._send(method, url, headers, post_data)
        operation = operation_of(method, url)
        try:
            self._budget.take(operation)
        except OverBudget as over:
            raise Throttled(over) from over
        answer = self._send(method, url, headers, post_data)
        if answer[1] == HTTPStatus.TOO_MANY_REQUESTS:
            self._hold(self._budget, operation, answer[2])
        return answer

    @staticmethod
    def _hold(budget: RequestBudget, operation: str, headers: Mapping[str, str]) -> None:
        """Keep requests back for as long as the 429 says.

        One that names neither a time nor a limit is about an object which is locked.
        """
        reason, after = headers.get("stripe-rate-limited-reason", ""), headers.get("retry-after")
        if not reason and after is None:
            return
        seconds = float(after) if after and _NUMBER.fullmatch(after) else None
        budget.hold(operation, whole_account=reason.startswith("global"), seconds=seconds)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        curl = self._curl()
        lines = [f"{name}: {value}" for name, value in (headers or {}).items()]
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, [*lines, "Expect:"])
        body = (post_data or "").encode() if method == "post" else b""
        source = BytesIO(body)
        if method == "post":
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDSIZE, len(body))
            curl.setopt(pycurl.READFUNCTION, source.read)
            curl.setopt(pycurl.FRESH_CONNECT, 0 if body else 1)
        else:
            curl.setopt(pycurl.HTTPGET, 1)
            curl.setopt(pycurl.FRESH_CONNECT, 0 if method == "get" else 1)
            if method != "get":
                curl.setopt(pycurl.CUSTOMREQUEST, method.upper())
        answer = BytesIO()
        head: list[bytes] = []
        curl.setopt(pycurl.WRITEFUNCTION, answer.write)
        curl.setopt(pycurl.HEADERFUNCTION, head.append)
        try:
            curl.perform()
        except pycurl.error as error:
            what = f"{curl.errstr() or 'no message'} (curl {error.args[0]})"
            # What a proxy is asked for the tunnel counts as sent. The request itself was not, where
            # its transfer had not begun and nothing of its body was read.
            began = curl.getinfo(pycurl.PRETRANSFER_TIME) > 0 or source.tell() > 0
            if curl.getinfo(pycurl.REQUEST_SIZE) == 0 or (self._by_proxy and not began):
                raise NotSent(  # type: ignore[no-untyped-call]
                    f"No connection: {what}"
                ) from error
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]
                f"No answer: {what}"
            ) from error
        finally:
            curl.unsetopt(pycurl.CUSTOMREQUEST)
        status: int = curl.getinfo(pycurl.RESPONSE_CODE)
        # A proxy's page may have any encoding; a failure to decode it must not hide its status.
        return answer.getvalue().decode(errors="replace"), status, _headers(head)

    def close(self) -> None:
        """Close this thread's connection; those of other threads close when the threads end."""
        kept = getattr(self._own, "kept", None)
        if kept is not None:
            kept[1].close()
            del self._own.kept

    def _curl(self) -> pycurl.Curl:
        kept: tuple[int, pycurl.Curl] | None = getattr(self._own, "kept", None)
        if kept is None or kept[0] != os.getpid():
            # A forked child must not use its parent's connection.
            kept = self._own.kept = (os.getpid(), self._new())
        return kept[1]

    def _new(self) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)  # its time-outs by SIGALRM do not work in threads
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, self._connect_ms)
        curl.setopt(pycurl.TIMEOUT_MS, self._all_ms)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, self._by_proxy)  # "": none, whatever the environment says
        curl.setopt(pycurl.HTTPPROXYTUNNEL, 1)
        curl.setopt(pycurl.CAINFO, certifi.where())
        return curl


def _headers(lines: list[bytes]) -> dict[str, str]:
    """Of the last answer among `lines`; the one before it is a proxy's, which opened the tunnel."""
    begins = max((n for n, line in enumerate(lines) if line.startswith(b"HTTP/")), default=0)
    pairs = (line.decode("latin-1").partition(":") for line in lines[begins:])
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
