"""Mail in files: readable by its owner alone, whatever the umask."""

import os
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, get_connection

BACKEND = "apps.core.mail_files.PrivateFiles"


@pytest.fixture(params=[True, False], ids=["new folder", "folder of an earlier release"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "mail"
    if not request.param:
        folder.mkdir(mode=0o755)
    return folder


def test_mail_and_its_folder_are_closed_to_others(folder: Path) -> None:
    umask = os.umask(0)
    try:
        connection = get_connection(BACKEND, file_path=str(folder))
        message = EmailMessage("Your order", "…", "shop@example.com", ["alice@example.com"])
        assert connection.send_messages([message, message]) == 2
    finally:
        os.umask(umask)

    (file,) = folder.iterdir()
    assert file.read_text().count("alice@example.com") == 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
