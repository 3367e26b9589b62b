"""Clients that are generated from the schema are strictly typed, and buy in the running shop.

`make clients` fetches the generators into .clients/ (a virtual environment, and node_modules where
there is npm); without them these tests are skipped and say so.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.journeys.shopper import ACCEPTED
from tools.stack import Stack

pytestmark = pytest.mark.journey

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".clients"
PYTHON_TOOLS, NODE_TOOLS = TOOLS / "venv" / "bin", TOOLS / "node_modules"
SLUG = "camp-mug"  # of the demo shop: in stock by the hundred

DELIVERED = """
from apps.orders.fulfilment import shipping
from uuid import UUID
shipping.hand_to_carrier(UUID("{0}"), actor="test")
shipping.mark_delivered(UUID("{0}"), actor="test")
"""


@pytest.fixture(scope="module")
def schema(live_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schema as the running shop serves it."""
    file = tmp_path_factory.mktemp("clients") / "schema.yml"
    answer = requests.get(f"{live_stack.url}/api/schema/", timeout=60)
    assert answer.status_code == 200
    file.write_bytes(answer.content)
    return file


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def python_client(schema: Path) -> list[str | Path]:
    """How to run buy.py with the generated package; checked by `mypy --strict` before."""
    if not (PYTHON_TOOLS / "openapi-python-client").exists():
        pytest.skip("make clients fetches the generator of the Python client")
    folder = schema.parent / "python"
    folder.mkdir()
    options: list[str | Path] = ["--path", schema, "--config", HERE / "generator.yml"]
    options += ["--meta", "none", "--output-path", folder / "storefront_client"]
    said = run(PYTHON_TOOLS / "openapi-python-client", "generate", *options, cwd=folder)
    assert "Warning" not in said, said
    shutil.copy(HERE / "buy.py", folder)
    run(PYTHON_TOOLS / "mypy", "--strict", "buy.py", "storefront_client", cwd=folder)
    return [PYTHON_TOOLS / "python", folder / "buy.py"]


@pytest.fixture(scope="module")
def typescript_client(schema: Path) -> list[str | Path]:
    """How to run buy.ts with the generated types; checked by `tsc --strict` before."""
    if not (NODE_TOOLS / "typescript").exists():
        pytest.skip("make clients fetches the generator of the TypeScript client, where npm is")
    folder = schema.parent / "typescript"
    shutil.copytree(HERE / "typescript", folder)
    (folder / "node_modules").symlink_to(NODE_TOOLS)
    binaries = NODE_TOOLS / ".bin"
    run(binaries / "openapi-typescript", schema, "-o", "schema.d.ts", cwd=folder)
    run(binaries / "tsc", "--project", ".", cwd=folder)
    return ["node", folder / "built" / "buy.js"]


@pytest.mark.parametrize("client", ["python_client", "typescript_client"])
def test_generated_client_buys_pays_by_3d_secure_cancels_and_returns(
    client: str, live_stack: Stack, request: pytest.FixtureRequest, schema: Path
) -> None:
    program = request.getfixturevalue(client)

    def ask(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run(*program, *arguments, cwd=schema.parent))
        return found

    bought = ask("shop", live_stack.url, SLUG)
    access = bought.pop("access")
    ACCEPTED.extend(bought.values())
    done = live_stack.manage("shell", "-c", DELIVERED.format(bought["asked"]))
    assert done.returncode == 0, done.stderr

    returned = ask("give-back", live_stack.url, bought["asked"], access)

    assert returned["state"] == "requested"
    headers = {"Authorization": f"Bearer {access}"}
    found = requests.get(f"{live_stack.url}/api/v1/orders/", headers=headers, timeout=60).json()
    statuses = {order["id"]: order["status"] for order in found["results"]}
    assert statuses == {
        bought["plain"]: "CONFIRMED",
        bought["asked"]: "RETURN_INITIATED",
        bought["cancelled"]: "CANCELLED",
    }
