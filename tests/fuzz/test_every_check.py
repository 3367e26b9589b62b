"""schemathesis itself, with all its checks, signed in, against the running shop: no failure.

Short here: the examples and a few generated requests of one seed. `make fuzz` runs every phase
(a couple of thousand requests) with three seeds.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.factories import PASSWORD
from tools.stack import Stack

RULES = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES") or 2)
SEED = int(os.environ.get("FUZZ_SEED") or 20)
THOROUGH = "FUZZ_EXAMPLES" in os.environ
SEEDS = [SEED, SEED + 1, SEED + 2] if THOROUGH else [SEED]
PHASES = "examples,coverage,fuzzing,stateful" if THOROUGH else "examples,fuzzing"

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def access(live_stack: Stack) -> str:
    """The access token of a new customer."""
    body = {"email": "fuzz@example.com", "password": PASSWORD}
    made = requests.post(f"{live_stack.url}/api/v1/auth/register/", json=body, timeout=60)
    assert made.status_code == 201, made.text
    token: str = made.json()["access"]
    return token


@pytest.mark.parametrize("seed", SEEDS)
def test_no_check_fails(live_stack: Stack, access: str, seed: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("st"), "--config-file", RULES, "run"),
            *(f"{live_stack.url}/api/schema/", "--header", f"Authorization: Bearer {access}"),
            *("--checks", "all", "--phases", PHASES, "--seed", str(seed)),
            *("--max-examples", str(EXAMPLES), "--no-color", "--warnings", "off"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-600:])
    assert done.returncode == 0, done.stdout[-20_000:]
