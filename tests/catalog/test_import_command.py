"""manage.py import_catalog: what it prints, and how it refuses a file."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.catalog.product_files import MUG, PAN, a_file

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_network")]


def run(path: Path) -> str:
    out = io.StringIO()
    call_command("import_catalog", str(path), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_command_prints_what_it_did(tmp_path):
    path = tmp_path / "products.csv"
    path.write_bytes(a_file(MUG, {**PAN, "Variant Price": "x"}, {**PAN, "Handle": ""}))

    assert run(path).splitlines() == [
        "created    line 2: mug",
        "skipped    line 3: pan: price is not an amount: 'x'",
        "skipped    line 4: (no product): missing handle",
        "     1 created",
        "     0 updated",
        "     0 unchanged",
        "     2 skipped (2 problems, named above)",
    ]
    path.write_bytes(a_file({**MUG, "Title": "Cup"}))
    assert run(path).splitlines()[0] == "updated    line 2: mug (name)"
    assert run(path).splitlines()[2] == "     1 unchanged"


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_the_command_names_a_file_that_is_none_in_one_line(tmp_path, content):
    path = tmp_path / "products.csv"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CommandError, match=str(path)) as refusal:
        run(path)

    assert "\n" not in str(refusal.value)
