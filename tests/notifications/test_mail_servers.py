"""Delivery over Django's real backends: SMTP to a server on this machine, and files."""

import socketserver
import threading

import pytest
from django.db.models.functions import Now

from apps.notifications import delivery
from apps.notifications.models import Notification
from tests.factories import NotificationFactory

pytestmark = pytest.mark.django_db
State = Notification.State


class Conversation(socketserver.StreamRequestHandler):
    """The part of RFC 5321 that smtplib uses; some recipients get errors."""

    def handle(self):
        self.server.conversations += 1
        self.say("220 mail.example")
        for line in self.rfile:
            command = line.decode().strip()
            verb = command.upper().split(" ")[0]
            if verb == "DATA":
                self.say("354 go on")
                self.server.mails.append(self.text())
                self.say("250 taken")
            elif verb == "RCPT" and "nobody@" in command:
                self.say("550 no such user")
            elif verb == "RCPT" and "busy@" in command:
                self.say("451 come back later")
            elif verb == "RCPT" and "crash@" in command:
                return  # closes the connection
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 mail.example")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())

    def text(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.decode())
        return "".join(lines)


@pytest.fixture
def smtp(settings):
    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        conversations = 0
        mails: list[str]

    with Server(("127.0.0.1", 0), Conversation) as server:
        server.mails = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        yield server
        server.shutdown()


def states():
    rows = Notification.objects.order_by("id").values_list("to", "state", "attempts")
    return [(to.split("@")[0], state, attempts) for to, state, attempts in rows]


def test_smtp_sends_a_batch_over_one_connection(smtp):
    rows = [NotificationFactory() for _ in range(3)]

    assert delivery.deliver_due() == 3

    assert smtp.conversations == 1
    for row, text in zip(rows, smtp.mails, strict=True):
        assert f"Message-ID: <notification-{row.pk}@kettleandpine.example>" in text
        assert "Subject: Your order is confirmed" in text


def test_smtp_refusals_concern_one_recipient_each(smtp):
    for name in ("alice", "nobody", "busy", "crash", "bob"):
        NotificationFactory(to=f"{name}@example.com")

    assert delivery.deliver_due() == 2

    assert states() == [
        ("alice", State.SENT, 1),
        ("nobody", State.DEAD, 1),
        ("busy", State.DUE, 1),
        ("crash", State.DUE, 1),
        ("bob", State.SENT, 1),
    ]
    assert Notification.objects.get(to="nobody@example.com").last_error == (
        "SMTPRecipientsRefused: {'nobody@example.com': (550, b'no such user')}"
    )


def test_no_smtp_server_is_an_outage(smtp, settings):
    NotificationFactory()
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert delivery.deliver_due() == 0
    assert states() == [("alice", State.DUE, 0)]

    settings.EMAIL_PORT = port
    Notification.objects.update(due_at=Now())
    assert delivery.deliver_due() == 1


def test_mail_files_hold_each_mail_once(settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    rows = [NotificationFactory() for _ in range(3)]

    assert delivery.deliver_due() == 3

    written = "".join(path.read_text() for path in (tmp_path / "mail").iterdir())
    for row in rows:
        assert written.count(f"<notification-{row.pk}@") == 1
