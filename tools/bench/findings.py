"""The results of a scenario: rows of figures, and how they are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A picture of the rows.

    `kind`: "bars" (one bar per row, of `y`, labelled by `x`) or "lines" (one line per value of
    `series`, `y` over `x`). `mark` is a budget, drawn as a line across. `where` chooses rows by
    their fields.
    """

    title: str
    kind: str
    x: str
    y: str
    unit: str
    series: str = ""
    mark: float | None = None
    where: Row = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One table. `columns` maps a row's fields to headings, in their order."""

    name: str
    title: str
    about: str
    columns: Mapping[str, str]
    rows: Sequence[Row]
    plots: Sequence[Plot] = ()
    # What the plots are drawn from, where that is not the rows.
    plotted: Sequence[Row] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    # The field with orders accepted a second, whose share of scenario `raw` the table shows.
    share_of_raw: str = ""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A budget and what was measured. `holds` None: not measured in this run."""

    what: str
    wanted: str
    measured: str
    holds: bool | None
