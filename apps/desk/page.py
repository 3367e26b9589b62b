"""The desk: everything that waits for a person on one page, and the page of a decision.

A decision is a Deed (storefront/backoffice/deeds.py): asked for by GET with the cases in the
address, done by POST, once, all of them or none, and written down twice: in Django's log for the
record, and in the log of decisions by the domain's verb itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from apps.desk import kinds, log
from apps.desk.kinds import Case, Kind, Way
from apps.desk.models import Decision
from storefront.backoffice.deeds import Deed, DeedForm, Done, ReasonForm, actor, perform
from storefront.backoffice.order_links import numbers_of, order_url

PER_PAGE = 50
MOST = 100  # cases in one decision
NAMED = 10  # cases named above the form
GENERAL = {log.RETRY: "Try again", log.UNDO: "Undo", log.RESOLVE: "Close"}

Ref = tuple[str, str]  # kind, key


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page."""

    case: Case
    kind: Kind
    number: str | None
    order_url: str
    decision: Decision | None

    @property
    def ref(self) -> str:
        return f"{self.case.kind}:{self.case.key}"


@dataclass(frozen=True, slots=True)
class Tab:
    """One kind, with how many of it wait."""

    title: str
    count: int
    url: str
    chosen: bool


def address(kind: str = "", page: int = 1) -> str:
    """Where the desk is, of one kind or of all."""
    query = {name: value for name, value in (("kind", kind), ("p", page)) if value not in ("", 1)}
    return reverse("admin:desk") + (f"?{urlencode(query)}" if query else "")


def deciding(name: str, refs: Sequence[Ref], **more: str) -> str:
    """Where a decision about these cases is asked for."""
    query = [("case", f"{kind}:{key}") for kind, key in refs]
    return f"{reverse('admin:desk_decide', args=[name])}?{urlencode([*query, *more.items()])}"


# --- All that waits -----------------------------------------------------------------------------


def rows_of(refs: Sequence[Ref]) -> list[Row]:
    """The cases as the page shows them, in a number of queries that does not depend on theirs."""
    cases = kinds.described(refs)
    decisions = log.latest((case.kind, case.key) for case in cases)
    numbers = numbers_of({case.order_id for case in cases if case.order_id is not None})
    return [
        Row(
            case,
            kinds.known(case.kind),
            numbers.get(case.order_id),
            order_url(case.order_id) if case.order_id is not None else "",
            decisions.get((case.kind, case.key)),
        )
        for case in cases
    ]


def desk(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The page."""
    seen = kinds.seen_by(request.user)
    if not seen:
        raise PermissionDenied
    chosen = [kind for kind in seen if kind.name == request.GET.get("kind")]
    name = chosen[0].name if chosen else ""
    counted = kinds.counts(seen)
    total = counted[name] if name else sum(counted.values())
    pages = max(1, -(-total // PER_PAGE))
    page = min(_number(request.GET.get("p", "")), pages)
    rows = rows_of(
        kinds.oldest(chosen or seen, start=(page - 1) * PER_PAGE, count=PER_PAGE) if total else []
    )
    shown = {row.kind.name for row in rows}
    context = {
        **admin.admin_site.each_context(request),
        "title": "Needs a person",
        "tabs": [
            Tab("All", sum(counted.values()), address(), not name),
            *(
                Tab(kind.title, counted[kind.name], address(kind.name), kind.name == name)
                for kind in seen
            ),
        ],
        "rows": rows,
        "total": total,
        "ways": _ways(request.user, [kind for kind in seen if kind.name in shown], alone=name),
        "ticked": "ticked" in request.GET,
        "tick_url": address(name, page) + ("&" if name or page > 1 else "?") + "ticked=1",
        "kind": name,
        "page": page,
        "pages": pages,
        "before": address(name, page - 1) if page > 1 else "",
        "after": address(name, page + 1) if page < pages else "",
    }
    return TemplateResponse(request, "admin/desk/desk.html", context)


def _ways(user: Any, shown: Sequence[Kind], *, alone: str) -> list[tuple[str, str, bool]]:
    """(name, words, danger) of the buttons: in the words of the kind when only one is shown."""
    found: dict[str, tuple[str, str, bool]] = {}
    for kind in shown:
        if not user.has_perm(kind.decide):
            continue
        for way in kind.ways:
            words = way.button if alone else GENERAL[way.name]
            danger = way.danger or (way.name in found and found[way.name][2])
            found[way.name] = (way.name, words, danger)
    return [found[name] for name in GENERAL if name in found]


def _number(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1


# --- One decision -------------------------------------------------------------------------------


def decide_chosen(admin: ModelAdmin, request: HttpRequest, name: str) -> HttpResponse:
    """A decision about the cases in the address (`?case=kind:key&case=…`)."""
    refs = [(kind, key) for kind, _, key in (c.partition(":") for c in request.GET.getlist("case"))]
    kind = request.GET.get("kind", "")
    back = address(kind if kinds.by_name(kind) else "", _number(request.GET.get("p", "")))
    if not refs:
        messages.error(request, "Tick at least one case.")
        return HttpResponseRedirect(back)
    if len(refs) > MOST:
        messages.error(request, f"Decide about at most {MOST} cases at once.")
        return HttpResponseRedirect(back)
    return decide(admin, request, name, refs, back=back)


def decide(
    admin: ModelAdmin,
    request: HttpRequest,
    name: str,
    refs: Sequence[Ref],
    *,
    back: str,
    target: Any = None,
) -> HttpResponse:
    """One decision, with one reason, about all of these cases or none."""
    refs = [ref for ref in refs if kinds.by_name(ref[0]) and "\x00" not in ref[1]]
    cases = {(case.kind, case.key): case for case in kinds.described(refs)}
    if not cases:
        messages.error(request, "No such case.")
        return HttpResponseRedirect(back)
    concerned = [kind for kind in kinds.in_order_of_locking() if kind.name in {k for k, _ in cases}]
    ways: dict[str, Way] = {}
    for kind in concerned:
        if not request.user.has_perm(kind.decide):  # type: ignore[union-attr]
            raise PermissionDenied
        way = kind.way(name)
        if way is None:
            words = GENERAL.get(name, "That").lower()
            messages.error(request, f"{kind.title}: there is no “{words}” for these.")
            return HttpResponseRedirect(back)
        ways[kind.name] = way
    # In the order of locking: two people with overlapping choices queue up.
    chosen = [cases[ref] for kind in concerned for ref in sorted(cases) if ref[0] == kind.name]
    deed = _deed(request, name, concerned, ways, chosen)
    return perform(admin, request, deed, back=back, target=target)


def _deed(
    request: HttpRequest,
    name: str,
    concerned: Sequence[Kind],
    ways: Mapping[str, Way],
    chosen: Sequence[Case],
) -> Deed:
    one = chosen[0] if len(chosen) == 1 else None
    way = ways[concerned[0].name]
    button = way.button if len(concerned) == 1 else GENERAL[name]

    def do(form: Any) -> Done:
        answers = dict(form.cleaned_data)
        del answers["form_id"]
        done = []
        for case in chosen:
            asked = answers if ways[case.kind].form is not ReasonForm else {}
            done.append(
                ways[case.kind].decide(
                    case.key, actor=actor(request), **{**asked, "reason": answers["reason"]}
                )
            )
        return done

    shown = [(case.subject, ". ".join(filter(None, (case.why, case.tried)))) for case in chosen]
    if len(shown) > NAMED:
        shown = [*shown[:NAMED], ("", f"and {len(chosen) - NAMED} more")]
    return Deed(
        title=f"{button}: {one.subject if one else f'{len(chosen)} cases'}",
        button=button,
        permission=concerned[0].decide,
        explanation=way.explanation if len(concerned) == 1 else "All of them, or none.",
        facts=[
            *(concerned[0].facts(one.key, name) if one else []),
            *shown,
            *((kind.title, ways[kind.name].explanation) for kind in concerned[1:] and concerned),
        ],
        form=_form(ways.values()),
        danger=any(each.danger for each in ways.values()),
        do=do,
    )


def _form(ways: Any) -> type[DeedForm]:
    """The form of these ways: the one that asks for more than a reason, if one does."""
    return next((way.form for way in ways if way.form is not ReasonForm), ReasonForm)


def history(kind: str, subject: object) -> SafeString | str:
    """What was decided about a case so far, newest first, for the case's own page."""
    decisions = Decision.objects.filter(kind=kind, subject=str(subject))[:NAMED]
    return render_to_string("admin/desk/history.html", {"decisions": decisions}) or "–"
