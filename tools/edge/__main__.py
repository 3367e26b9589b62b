"""`python -m tools.edge`: write Caddy's configuration into the home, and become Caddy."""

import json
import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tools import embedded
from tools.edge.config import configuration
from tools.edge.parameters import Edge
from tools.stack.process_table import edge_socket, web_sockets


def edge_of_settings() -> Edge:
    """The edge of this environment's shop; raises ImproperlyConfigured for a malformed value."""
    development = settings.DEVELOPMENT
    return Edge(
        port=settings.PORT,
        web_sockets=web_sockets(settings.STOREFRONT_HOME, settings.WEB_WORKERS),
        live_port=settings.LIVE_PORT,
        alive=edge_socket(settings.STOREFRONT_HOME),
        hosts=settings.EDGE_HOSTS,
        home=settings.STOREFRONT_HOME,
        # A developer sees changes at once; in production the collected files are served.
        static_root=settings.BASE_DIR / "static" if development else Path(settings.STATIC_ROOT),
        media_root=Path(settings.MEDIA_ROOT),
        page=settings.BASE_DIR / "templates" / "edge" / "page.html",
        session_cookie=settings.SESSION_COOKIE_NAME,
        development=development,
        tls=settings.EDGE_TLS,
        proxies=settings.PROXIES_BEFORE_EDGE,
    )


def caddy() -> Path:
    """The path of the Caddy program, beside the Python that runs this. Raises EmbeddedError."""
    found = Path(sys.executable).with_name("caddy")
    if not os.access(found, os.X_OK):
        raise embedded.EmbeddedError(f"no Caddy at {found}: install requirements.txt again")
    return found


def runtime(cores: int) -> dict[str, str]:
    """Settings of Go's runtime on a machine of so many cores, shared with the shop's processes.

    With a thread for every core it spends a fifth more on looking for work (143 against 173 µs a
    checkout, and an eighth fewer checkouts, measured on two cores). Its garbage collector may run
    less often, up to this memory.
    """
    return {"GOMAXPROCS": str(max(1, cores // 2)), "GOGC": "200", "GOMEMLIMIT": "256MiB"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")
    try:
        edge = edge_of_settings()
        edge.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        edge.alive.unlink(missing_ok=True)  # of an edge that was killed
        path = edge.folder / "caddy.json"
        path.write_text(json.dumps(configuration(edge), indent=2))
        program = caddy()
    except (ImproperlyConfigured, embedded.EmbeddedError) as error:
        sys.exit(f"storefront: {error}")
    environment = runtime(os.cpu_count() or 1) | dict(os.environ)
    environment["HOME"] = environment["XDG_DATA_HOME"] = str(edge.folder)
    os.execve(  # noqa: S606  # nosec B606  (no shell, and the program is our own)
        program, [str(program), "run", "--config", str(path)], environment
    )


if __name__ == "__main__":
    main()
