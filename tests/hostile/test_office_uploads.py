"""A large body is for staff: from a stranger it is refused before a byte of it is read."""

import pytest
from django.test import Client

from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

PAGE = "/admin/catalog/product/add/"
LARGE = 5_000_000


class Unread:
    """A body that must not be read."""

    def read(self, *size: int) -> bytes:
        raise AssertionError("the body was read")

    def readline(self, *size: int) -> bytes:
        raise AssertionError("the body was read")


def post(client: Client, **environ: object):
    # Set explicitly: Django's client leaves the type out of a request that sends nothing.
    kind = {"CONTENT_TYPE": "multipart/form-data; boundary=x"}
    return client.generic("POST", PAGE, b"", **kind, **environ)


def test_stranger_gets_413_and_nothing_is_read() -> None:
    answer = post(Client(), CONTENT_LENGTH=str(LARGE), **{"wsgi.input": Unread()})
    assert answer.status_code == 413


def test_customer_is_a_stranger_there() -> None:
    client = Client()
    client.force_login(UserFactory())
    answer = post(client, CONTENT_LENGTH=str(LARGE), **{"wsgi.input": Unread()})
    assert answer.status_code == 413


def test_staff_may_send_it() -> None:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    picture = b"--x\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\n"
    body = picture + b"p" * 2_000_000 + b"\r\n--x--\r\n"
    answer = client.generic("POST", PAGE, body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 200  # the form again, with what is missing


def test_small_body_of_a_stranger_goes_on_to_the_sign_in() -> None:
    assert post(Client(), CONTENT_LENGTH="0").status_code == 302
