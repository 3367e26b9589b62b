"""One decision, with one reason, about one case or many: all of them or none.

A decision is a StaffAction (actions.py): confirmed on a page that has the cases in its URL, done
once by POST, and recorded twice: in Django's log for the record, and in the log of decisions by the
domain function itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.backoffice import decision_log
from apps.backoffice.actions import (
    Done,
    ReasonForm,
    Refusal,
    StaffAction,
    StaffActionForm,
    actor,
    perform,
)
from apps.backoffice.review_cases import case_types, queries
from apps.backoffice.review_cases.case_types import Case, CaseType, DecisionOption
from apps.backoffice.review_cases.links import Ref, list_url, page_number

MAX_CASES = 100  # in one decision
MAX_NAMED = 10  # cases named above the form
# What a decision is called when it is about cases of more than one type.
GENERAL_NAMES = {
    decision_log.RETRY: "Try again",
    decision_log.UNDO: "Undo",
    decision_log.RESOLVE: "Close",
}


def decide_ticked(admin: ModelAdmin, request: HttpRequest, name: str) -> HttpResponse:
    """The decision `name` about the cases in the URL (`?case=kind:key&case=…`)."""
    refs = [(kind, key) for kind, _, key in (c.partition(":") for c in request.GET.getlist("case"))]
    kind = request.GET.get("kind", "")
    page = page_number(request.GET.get("p", ""))
    back = list_url(kind if case_types.find(kind) else "", page)
    if not refs:
        messages.error(request, "Tick at least one case.")
        return HttpResponseRedirect(back)
    if len(refs) > MAX_CASES:
        messages.error(request, f"Decide about at most {MAX_CASES} cases at once.")
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
    """The decision `name` about these cases: the page that confirms it, or the decision itself.

    `back` is the URL to return to, `target` the record for the breadcrumbs.
    Raises PermissionDenied.
    """
    refs = [ref for ref in refs if case_types.find(ref[0]) and "\x00" not in ref[1]]
    cases = {(case.kind, case.key): case for case in queries.described(refs)}
    if not cases:
        messages.error(request, "No such case.")
        return HttpResponseRedirect(back)
    kinds = {kind for kind, _ in cases}
    types = [each for each in case_types.in_locking_order() if each.name in kinds]
    try:
        options = _options(request.user, types, name)
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(back)
    # In the locking order: two people with overlapping choices wait for each other.
    chosen = [cases[ref] for each in types for ref in sorted(cases) if ref[0] == each.name]
    action = _action(actor(request), name, types, options, chosen)
    return perform(admin, request, action, back=back, target=target)


def _options(user: Any, types: Sequence[CaseType], name: str) -> dict[str, DecisionOption]:
    """The decision `name` of each case type. Raises PermissionDenied, Refusal if one lacks it."""
    options: dict[str, DecisionOption] = {}
    for case_type in types:
        if not user.has_perm(case_type.decide_permission):
            raise PermissionDenied
        option = case_type.option(name)
        if option is None:
            text = GENERAL_NAMES.get(name, "That").lower()
            raise Refusal(f"{case_type.title}: there is no “{text}” for these.")
        if not case_type.may_take(user, option):
            raise PermissionDenied
        options[case_type.name] = option
    return options


def _action(
    actor: str,
    name: str,
    types: Sequence[CaseType],
    options: Mapping[str, DecisionOption],
    chosen: Sequence[Case],
) -> StaffAction:
    one_case = chosen[0] if len(chosen) == 1 else None
    first = options[types[0].name]
    one_type = len(types) == 1
    button = first.button if one_type else GENERAL_NAMES[name]
    return StaffAction(
        title=f"{button}: {one_case.subject if one_case else f'{len(chosen)} cases'}",
        button=button,
        permission=types[0].decide_permission,
        explanation=first.explanation if one_type else "All of them, or none.",
        facts=[
            *(types[0].facts(one_case.key, name) if one_case else []),
            *_case_facts(chosen),
            *([] if one_type else ((each.title, options[each.name].explanation) for each in types)),
        ],
        form=_form(options.values()),
        danger=any(option.danger for option in options.values()),
        fresh_sign_in=any(option.fresh_sign_in for option in options.values()),
        do=lambda form: _decide_all(form, actor, options, chosen),
    )


def _decide_all(
    form: Any, actor: str, options: Mapping[str, DecisionOption], chosen: Sequence[Case]
) -> Done:
    answers = {name: value for name, value in form.cleaned_data.items() if name != "form_id"}
    reason = answers["reason"]
    done = []
    for case in chosen:
        option = options[case.kind]
        # Only the case type that asked for more than a reason gets the further answers.
        given = answers if option.form is not ReasonForm else {"reason": reason}
        done.append(option.decide(case.key, actor=actor, **given))
    return done


def _case_facts(chosen: Sequence[Case]) -> list[tuple[str, str]]:
    """The cases by name, the first `MAX_NAMED` of them."""
    shown = [(case.subject, ". ".join(filter(None, (case.why, case.tried)))) for case in chosen]
    if len(shown) > MAX_NAMED:
        shown = [*shown[:MAX_NAMED], ("", f"and {len(chosen) - MAX_NAMED} more")]
    return shown


def _form(options: Iterable[DecisionOption]) -> type[StaffActionForm]:
    """The form that asks for more than a reason, if one of the options has one."""
    return next((each.form for each in options if each.form is not ReasonForm), ReasonForm)
