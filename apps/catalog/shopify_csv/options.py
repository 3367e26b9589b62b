"""The options of a variant (Size: Large), and the choices of a product made of them."""

from collections.abc import Iterable, Mapping, Sequence

from apps.catalog.shopify_csv.columns import OPTION_NAMES, OPTION_VALUES
from apps.catalog.shopify_csv.rows import Row
from apps.catalog.shopify_csv.sheet import SheetVariant

# How Shopify writes a product without options.
NO_OPTION_NAME, NO_OPTION_VALUE = "Title", "Default Title"
MISSING_VALUE = "Default"


def option_names(head: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    """The name of each option column, "" for one that the product does not use.

    `rows` are the variants of the product. A column with values and without a name is called
    "Option 2"; a name that stands there twice is told apart. Both are noted.
    """
    names: list[str] = []
    for number, (column, values) in enumerate(zip(OPTION_NAMES, OPTION_VALUES, strict=True), 1):
        name = head[column]
        used = {row[values] for row in rows} - {""}
        if not used:
            if name and name != NO_OPTION_NAME:
                head.note(column, "no variant has a value for it: left out")
            names.append("")
            continue
        if used == {NO_OPTION_VALUE} and name in ("", NO_OPTION_NAME):
            if not name:
                head.note(column, "a product without options")
            names.append("")
            continue
        if not name:
            name = f"Option {number}"
            head.note(column, f"called {name!r}")
        if name in names:
            told_apart = f"{name} {number}"
            head.note(column, f"called {told_apart!r}: there is another {name!r}")
            name = told_apart
        names.append(name)
    return tuple(names)


def options_of_variant(names: Sequence[str], row: Row) -> dict[str, str]:
    """The row's value of each option name, in the order of `names`."""
    options: dict[str, str] = {}
    for name, column in zip(names, OPTION_VALUES, strict=True):
        if name and not row[column]:
            row.note(column, f"no value for option {name!r}; taken as {MISSING_VALUE!r}")
        if name:
            options[name] = row[column] or MISSING_VALUE
    return options


def options_of_product(
    variants: Iterable[SheetVariant],
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(option name, its values) in the order in which the variants name them."""
    values: dict[str, dict[str, None]] = {}
    for variant in variants:
        for name, value in variant.options.items():
            values.setdefault(name, {})[value] = None
    return tuple((name, tuple(seen)) for name, seen in values.items())


def case_folded(options: Mapping[str, str]) -> dict[str, str]:
    """For the comparison of variants: `large` and `Large` are one choice."""
    return {name: value.casefold() for name, value in options.items()}
