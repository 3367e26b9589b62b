"""Imports stand at the top of a module. One inside a function hides whom the module depends on.

Circles between modules are refused by import-linter (pyproject.toml), which sees imports inside
functions as well; this test refuses the way around: an import that is made late so that a circle
does not show when Python starts.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ROOTS = ("apps", "storefront", "tools", "bench", "faults")

DJANGO_FIRST = "models can be imported only after django.setup(), which needs the environment first"
ALLOWED = {
    ("tools/bench/__main__.py", "main"): DJANGO_FIRST,
    ("tools/faults/__main__.py", "main"): DJANGO_FIRST,
    ("tools/stack/bootstrap.py", "_catalog_is_empty"): DJANGO_FIRST,
    ("tools/stack/bootstrap.py", "_register_webhook_endpoint"): DJANGO_FIRST,
    ("tools/stack/bootstrap.py", "_note_demo_logins"): DJANGO_FIRST,
}


class LateImports(ast.NodeVisitor):
    """Collects the names of the functions that import something."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._inside: list[str] = []

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if self._inside:
            self.found.add(self._inside[0])

    visit_FunctionDef = visit_AsyncFunctionDef = _function
    visit_Import = visit_ImportFrom = _import


def late_imports(source: str) -> set[str]:
    visitor = LateImports()
    visitor.visit(ast.parse(source))
    return visitor.found


def modules() -> Iterator[Path]:
    for root in ROOTS:
        yield from (PROJECT / root).rglob("*.py")


def found() -> set[tuple[str, str]]:
    return {
        (str(path.relative_to(PROJECT)), function)
        for path in modules()
        for function in late_imports(path.read_text())
        # Django calls `ready` when all models are loaded, and imports apps.py before that.
        if not (path.name == "apps.py" and function == "ready")
    }


def test_no_function_imports_anything_but_those_with_a_reason() -> None:
    assert found() - set(ALLOWED) == set()


def test_every_exception_is_still_needed() -> None:
    assert set(ALLOWED) - found() == set()


def test_late_import_is_seen_wherever_it_hides() -> None:
    source = """
import json

class Room:
    def plain(self):
        from apps import circle

async def waits():
    with open("x"):
        import circle

def outer():
    def inner():
        import circle
"""
    assert late_imports(source) == {"plain", "waits", "outer"}
