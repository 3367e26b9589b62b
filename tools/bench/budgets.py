"""The budgets of the shop's speed, compared with what was measured."""

from collections.abc import Sequence
from typing import Any

from tools.bench.findings import Budget, Findings
from tools.bench.scenarios.browse import PACED


def budgets(found: Sequence[Findings]) -> list[Budget]:
    """Every budget; those whose scenario did not run have `holds=None`."""
    rows = {one.name: one.rows for one in found}
    return [
        *_accept(rows.get("accept", ())),
        *_finish(rows.get("finish", ())),
        _textbook(rows.get("textbook", ())),
        _gate(rows.get("strategies", ())),
        _browse(rows.get("browse", ())),
        _live(rows.get("live", ())),
        _growth(rows.get("growth", ())),
    ]


def _accept(rows: Sequence[Any]) -> list[Budget]:
    hot = _row(rows, goods="one hot SKU", connections=64)
    uniform = _row(rows, goods="1,000 SKUs", connections=64)
    share = hot["per_second"] / uniform["per_second"] if hot and uniform else 0
    return [
        Budget(
            what="orders accepted, one hot SKU, 64 connections",
            wanted="≥ 1,500/s, p99 ≤ 150 ms",
            measured=f"{hot['per_second']:,}/s, p99 {hot['p99_ms']:,.0f} ms" if hot else "",
            holds=hot["per_second"] >= 1500 and hot["p99_ms"] <= 150 if hot else None,
        ),
        Budget(
            what="hot SKU against 1,000 SKUs",
            wanted="≥ 0.9",
            measured=f"{share:.2f}" if share else "",
            holds=share >= 0.9 if share else None,
        ),
    ]


def _finish(rows: Sequence[Any]) -> list[Budget]:
    steady = _row(rows, kind="steady")
    return [
        Budget(
            what="orders finished while they keep coming, 350 ms at the gateway",
            wanted="≥ 200/s, sustained",
            measured=(
                f"{steady['finished']:,}/s of {steady['accepted']:,}/s that came,"
                f" queue {steady['growth']:+.0f}/s"
                if steady
                else ""
            ),
            holds=steady["finished"] >= 200 if steady else None,
        )
    ]


def _textbook(rows: Sequence[Any]) -> Budget:
    ours = max((row["a_minute"] for row in rows if row["checkout"] == "this shop"), default=0)
    theirs = max((row["a_minute"] for row in rows if row["checkout"] == "textbook"), default=0)
    times = ours / theirs if theirs else 0
    return Budget(
        what="orders a minute against the textbook checkout, one hot SKU",
        wanted="≥ 60 ×",
        measured=f"{times:,.0f} × ({ours:,} against {theirs:,})" if times else "",
        holds=times >= 60 if times else None,
    )


def _gate(rows: Sequence[Any]) -> Budget:
    gated = _row(rows, strategy="conditional", gate="on")
    return Budget(
        what="checkouts refused by the stock gate, sold out",
        wanted="≥ 5,000/s",
        measured=f"{gated['refused']:,}/s" if gated else "",
        holds=gated["refused"] >= 5000 if gated else None,
    )


def _browse(rows: Sequence[Any]) -> Budget:
    page = _row(rows, page=PACED, when="during the sale")
    fastest = _row(rows, page="product page", when="during the sale")
    return Budget(
        what="cached product page while a flash sale runs",
        wanted="≥ 1,000/s, p99 ≤ 50 ms",
        measured=f"{page['per_second']:,}/s, p99 {page['p99_ms']:,.0f} ms"
        f" (as fast as 16 can look: {fastest['per_second']:,}/s, p99 {fastest['p99_ms']:,.0f} ms)"
        if page and fastest
        else "",
        holds=page["per_second"] >= 1000 and page["p99_ms"] <= 50 if page else None,
    )


def _live(rows: Sequence[Any]) -> Budget:
    row = rows[0] if rows else None
    return Budget(
        what="status push to the browser, 2,000 open sockets",
        wanted="p99 ≤ 500 ms",
        measured=f"p99 {row['p99_ms']:,.0f} ms, {row['pages']:,} sockets" if row else "",
        holds=row["p99_ms"] <= 500 if row and row["pages"] >= 2000 else None,
    )


def _growth(rows: Sequence[Any]) -> Budget:
    first, last = (rows[0], rows[-1]) if len(rows) > 1 else (None, None)
    share = last["accepted"] / first["accepted"] if first and last else 0
    return Budget(
        what="accepted with 5 million past orders against none",
        wanted="≥ 0.9",
        measured=f"{share:.2f}, with {last['behind']}" if last else "",
        holds=share >= 0.9 if last and last["behind"] == "5,000,000 orders" else None,
    )


def _row(rows: Sequence[Any], **wanted: Any) -> Any:
    for row in rows:
        if all(row.get(name) == value for name, value in wanted.items()):
            return row
    return None
