"""The values that the edge's configuration depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Edge:
    """What the configuration depends on.

    `tls` is "off" (plain HTTP: a developer's machine, or another proxy in front), "auto"
    (certificates from Let's Encrypt for `hosts`), or "internal" (an authority of Caddy's own).
    `proxies` is how many trusted proxies are in front of the edge. `alive` is the socket that
    answers whether the edge is alive, `page` the template of its error page.
    """

    port: int
    web_sockets: Sequence[Path]
    live_port: int
    alive: Path
    hosts: Sequence[str]
    home: Path
    static_root: Path
    media_root: Path
    page: Path
    session_cookie: str
    development: bool
    tls: str = "off"
    proxies: int = 0

    @property
    def folder(self) -> Path:
        """Where Caddy keeps its certificates."""
        return self.home / "edge"
