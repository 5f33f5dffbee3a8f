"""Which mailer and which printer the settings choose, and what these need."""

import pytest

from gateway.adapters.file_drop import FileDrop
from gateway.adapters.lulu import Lulu
from gateway.adapters.mail_outbox import MailOutbox
from gateway.adapters.resend import ResendMailer
from gateway.adapters.smtp import SmtpMailer
from gateway.services import build
from gateway.settings import Settings, SettingsError

pytestmark = pytest.mark.anyio

FROM = {"MAIL_FROM": "Foxetales <books@foxetales.example>"}
SMTP = FROM | {"MAIL": "smtp", "SMTP_URL": "smtps://user:hunter2@mail.example"}
RESEND = FROM | {"MAIL": "resend", "RESEND_API_KEY": "re_hunter2"}
LULU = {"PRINT_VENDOR": "lulu", "LULU_CLIENT_KEY": "key", "LULU_CLIENT_SECRET": "hunter2"}


@pytest.mark.parametrize(
    ("changes", "mailer", "printer"),
    [
        ({}, MailOutbox, FileDrop),
        (SMTP, SmtpMailer, FileDrop),
        (RESEND, ResendMailer, FileDrop),
        (LULU, MailOutbox, Lulu),
    ],
)
async def test_the_settings_choose_mailer_and_printer(
    environ: dict[str, str], changes: dict[str, str], mailer: type, printer: type
) -> None:
    environ = environ | changes
    services = build(Settings.from_environ(environ), environ)
    assert (type(services.mailer), type(services.printer)) == (mailer, printer)
    for close in services.closers:
        await close()
    services.engine.dispose()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        (SMTP, "SMTP_URL"),
        (SMTP, "MAIL_FROM"),
        (RESEND, "RESEND_API_KEY"),
        (RESEND, "MAIL_FROM"),
        (LULU, "LULU_CLIENT_KEY"),
        (LULU, "LULU_CLIENT_SECRET"),
    ],
)
def test_what_a_choice_needs_is_named(
    environ: dict[str, str], changes: dict[str, str], missing: str
) -> None:
    environ = environ | {name: value for name, value in changes.items() if name != missing}
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ)
    assert str(caught.value).startswith(f"{missing}: ")
    assert "is required with" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL", "pigeon"),
        ("MAIL_FROM", "Foxetales"),
        ("MAIL_FROM", "a@b.example, c@d.example"),
        ("SMTP_URL", "smtp://user:hunter2@mail.example?starttls=never"),
        ("RESEND_API_URL", "hunter2"),
        ("PRINT_VENDOR", "potato"),
        ("LULU_API_URL", "hunter2"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(
    environ: dict[str, str], name: str, value: str
) -> None:
    environ = environ | SMTP | {name: value}
    with pytest.raises(SettingsError) as caught:
        build(Settings.from_environ(environ), environ)
    assert str(caught.value).startswith(f"{name}: ")
    assert "hunter2" not in str(caught.value)


def test_lulu_signs_by_the_client_secret_unless_told_otherwise(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ | LULU)
    assert settings.lulu_webhook_secrets == ["hunter2"]
    rotated = Settings.from_environ(environ | LULU | {"LULU_WEBHOOK_SECRET": "new old"})
    assert rotated.lulu_webhook_secrets == ["new", "old"]
    assert Settings.from_environ(environ).lulu_webhook_secrets == []


def test_secrets_arent_shown(environ: dict[str, str]) -> None:
    shown = repr(Settings.from_environ(environ | SMTP | RESEND | LULU))
    assert "hunter2" not in shown


def test_drafts_go_to_lulus_sandbox_only(environ: dict[str, str]) -> None:
    drafts = environ | LULU | {"PAGE_LOOK": "draft"}
    with pytest.raises(SettingsError, match="LULU_API_URL"):
        Settings.from_environ(drafts)
    Settings.from_environ(drafts | {"LULU_API_URL": "https://api.sandbox.lulu.com"})
