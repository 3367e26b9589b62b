"""What was decided about a case so far, for the page of the record itself."""

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.backoffice.models import Decision

MAX_SHOWN = 10


def history(kind: str, subject: object) -> SafeString | str:
    """The last decisions about a case as HTML, newest first; a dash when there is none."""
    decisions = Decision.objects.filter(kind=kind, subject=str(subject))[:MAX_SHOWN]
    return render_to_string("admin/backoffice/history.html", {"decisions": decisions}) or "–"
