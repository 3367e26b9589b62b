"""PostgreSQL and Redis by hand: `python -m tools.embedded start|stop|url`."""

import sys
from collections.abc import Sequence

from tools.embedded import (
    REDIS_CACHE,
    REDIS_CARTS,
    REDIS_LIMITS,
    EmbeddedError,
    database_url,
    default_home,
    redis_url,
    start,
    stop,
)


def main(arguments: Sequence[str]) -> int:
    """`python -m tools.embedded start|stop|url`, for the home in STOREFRONT_HOME."""
    home = default_home()

    def say(text: str) -> None:
        print(text, flush=True)

    match list(arguments):
        case ["start"]:
            start(home, say=say)
        case ["stop"]:
            stop(home, say=say)
            return 0
        case ["url"]:
            pass
        case _:
            print(main.__doc__, file=sys.stderr)
            return 2
    print(f"DATABASE_URL={database_url(home)}\nREDIS_URL={redis_url(home)}")
    for variable, name in (
        ("CARTS_REDIS_URL", REDIS_CARTS),
        ("CACHE_REDIS_URL", REDIS_CACHE),
        ("RATE_LIMITS_REDIS_URL", REDIS_LIMITS),
    ):
        print(f"{variable}={redis_url(home, name)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EmbeddedError as error:
        sys.exit(f"storefront: {error}")
