"""A PostgreSQL template with dj-stripe's tables, so that a test database is made in seconds.

dj-stripe's migrations rewrite their models some 500 times, half a minute of one core for each new
database. They are run once per version of the files involved and copied from then on; the shop's
own migrations always run for real.
"""

import hashlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from storefront import embedded


def template_database(home: Path) -> str:
    """The template's name on the embedded server of `home`; made, if need be, by a real migrate."""
    name = f"tables_{_fingerprint()}"
    with embedded.connect(home, "postgres") as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'tables\\_%'"
        ).fetchall()
    if (name,) in found:
        return name
    for (outdated,) in found:
        embedded.drop_database(home, outdated)
    making = "making_tables"
    embedded.drop_database(home, making)
    embedded.ensure_database(home, making)
    environment = os.environ | {
        "DATABASE_URL": embedded.database_url(home, making),
        "DJANGO_SETTINGS_MODULE": "storefront.settings",
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "djstripe", "--skip-checks", "-v", "0"],
        cwd=settings.BASE_DIR,
        env=environment,
        check=True,
    )
    with embedded.connect(home, "postgres") as connection:
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        connection.execute(rename.format(sql.Identifier(making), sql.Identifier(name)))
    return name


def _fingerprint() -> str:
    """Of every migration file that takes part."""
    loader = MigrationLoader(None)
    digest = hashlib.sha256()
    for leaf in loader.graph.leaf_nodes("djstripe"):
        for node in loader.graph.forwards_plan(leaf):
            source = inspect.getsourcefile(type(loader.graph.nodes[node]))
            assert source is not None
            digest.update(Path(source).read_bytes())
    return digest.hexdigest()[:12]
