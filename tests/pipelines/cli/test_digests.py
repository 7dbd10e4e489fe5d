import datetime as dt
import json
from pathlib import Path

import pytest
import tenacity
from typer.testing import CliRunner

from pipelines.cli.digests import app
from tests.assets.digests.mail_server import Inbox, mail_server
from tests.assets.digests.mail_world import KEY, SENDER, MailWorld, mail_world

CONFIG = """digest:
  sender: "{sender}"
  unsubscribe_url: "https://example.org/u/{{token}}"
  delivery: {{host: 127.0.0.1, port: {port}, security: none, messages_per_second: 10000, late_hours: 24}}
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MailWorld:
    """Digests of today, due now, and the environment without a mail server yet."""
    now = dt.datetime.now(dt.UTC)
    world = mail_world(tmp_path, 1)
    world.put_users(["anna", "boris"], **{user: {"digest_hour": now.hour} for user in ("anna", "boris")})
    world.put_digests(["anna", "boris"], now.date())
    for name, value in (("JOBFEED_DATA", tmp_path), ("JOBFEED_CONFIG", tmp_path / "config"), ("COLUMNS", 200)):
        monkeypatch.setenv(name, str(value))
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)
    configure(world, port=1)
    return world


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)


def configure(world: MailWorld, *, port: int) -> None:
    (world.folder / "config").mkdir(exist_ok=True)
    (world.folder / "config" / "pipeline.yaml").write_text(CONFIG.format(sender=SENDER, port=port))


def shown(*words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == exit_code, result.output
    return result.output


def test_digests_are_written_sent_and_listed(data: MailWorld, tmp_path: Path) -> None:
    assert "no digest was queued yet" in shown("list")
    assert "2 e-mails written to" in shown("send", "--dry-run", "--folder", str(tmp_path / "out"))
    assert len(list((tmp_path / "out").glob("*.eml"))) == 2
    inbox = Inbox()
    with mail_server(inbox) as port:
        configure(data, port=port)
        assert shown("send").strip() == "2 queued, 2 sent"
        assert json.loads(shown("send", "--json"))["n_sent"] == 0
    assert len(inbox.mails) == 2
    listed = json.loads(shown("list", "--json"))
    assert listed["counts"] == [{"status": "sent", "reason": None, "n": 2}]
    assert [mail["user_id"] for mail in listed["mails"]] == ["anna", "boris"]
    assert "boris" in shown("list", "--status", "sent") and "boris" not in shown("list", "--limit", "1")


def test_a_users_digest_is_shown_with_its_mails(data: MailWorld) -> None:
    text = shown("show", "anna")
    assert "Для anna" in text
    assert json.loads(shown("show", "anna", "--json"))["mails"] == []
    assert "no digest is known of a user 'nobody'" in shown("show", "nobody", exit_code=1)


def test_what_is_missing_is_said(data: MailWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "127.0.0.1:1 can't be used" in shown("send", exit_code=1)
    monkeypatch.delenv("JOBFEED_LINK_KEYS")
    assert "JOBFEED_LINK_KEYS" in shown("send", "--dry-run", exit_code=1)
    assert "statuses are queued, sending" in shown("list", "--status", "gone", exit_code=2)
