"""The asset of the outbox in runs: it queues, and sends where a run says so and a mail server is configured."""

from pathlib import Path

import dagster as dg
import pytest

from assets.digests.assets import SEND_TAG, digest_outbox
from assets.digests.checks import digests_arrive_where_they_are_wanted
from assets.ingest.people.mail import ingest_bounces
from assets.io import LakeIOManager
from assets.resources import RunClock, Workspace
from tests.assets.digests.mail_server import Fault, Inbox, mail_server, no_fault
from tests.assets.digests.mail_world import KEY, NOON, SENDER, mail_world

CONFIG = """digest:
  sender: "{sender}"
  unsubscribe_url: "https://example.org/u/{{token}}"
  delivery: {{host: "{host}", port: {port}, security: none, messages_per_second: 10000}}
"""

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")


class Noon(RunClock):
    def now(self):  # type: ignore[no-untyped-def]
        return NOON


@pytest.mark.parametrize(
    ("tags", "host", "has_key", "expected"),
    [
        ({SEND_TAG: "due"}, "127.0.0.1", True, {"n_queued": 2, "n_sent": 2}),
        ({}, "127.0.0.1", True, {"n_queued": 2}),
        ({SEND_TAG: "due"}, "", True, {"n_queued": 2}),
        ({SEND_TAG: "due"}, "127.0.0.1", False, {"n_queued": 0}),
    ],
)
def test_a_run_sends_where_it_is_told_to_and_can(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tags: dict[str, str],
    host: str,
    has_key: bool,
    expected: dict[str, int],
) -> None:
    for name, value in KEY.items():
        monkeypatch.setenv(name, value if has_key else "")
    inbox = Inbox()
    with mail_server(inbox) as port, dg.DagsterInstance.ephemeral() as instance:
        (tmp_path / "config").mkdir()
        (tmp_path / "config/pipeline.yaml").write_text(CONFIG.format(sender=SENDER, host=host, port=port))
        world = mail_world(tmp_path, port, ("anna", "boris"))
        workspace = Workspace(data_dir=str(tmp_path), config_dir=str(tmp_path / "config"))
        result = dg.materialize(
            [digest_outbox],
            resources={"workspace": workspace, "clock": Noon(), "lake_io": LakeIOManager(workspace.lake)},
            instance=instance,
            tags=tags,
        )
    metadata = result.asset_materializations_for_node("digests__digest_outbox")[0].metadata
    assert {name: metadata[name].value for name in expected} == expected
    assert ("not_configured" in metadata) is not has_key
    assert len(inbox.mails) == expected.get("n_sent", 0)
    assert ("| queued |" in str(metadata["statuses"].value)) is (expected == {"n_queued": 2})
    assert metadata["dagster/row_count"].value == expected["n_queued"] == world.table().height


@pytest.mark.parametrize(
    ("n", "reports", "fault", "warned"),
    [
        (150, [], None, ""),
        (150, ["complaint"], None, "complained 0.67%"),
        (150, ["hard"] * 4, None, "bounced 2.67%"),
        (150, ["soft"] * 50, None, ""),
        (150, [], lambda step, n: "554 5.6.0 no" if step == "text" and n < 9 else None, "failed 6.00%"),
        (50, ["complaint"], None, ""),
    ],
)
def test_a_check_warns_when_digests_do_not_arrive_or_are_not_wanted(
    tmp_path: Path, n: int, reports: list[str], fault: Fault | None, warned: str
) -> None:
    users = [f"user-{number:03}" for number in range(n)]
    with mail_server(Inbox(fault or no_fault)) as port:
        world = mail_world(tmp_path, port, users)
        world.send()
        lines = [{"user_id": user, "type": kind} for user, kind in zip(users, reports, strict=False)]
        world.land("bounces", "a.jsonl", *({"occurred_at": NOON.isoformat(), **line} for line in lines))
        ingest_bounces(world.lake, world.landing, links=world.links, as_of=NOON)
    result = digests_arrive_where_they_are_wanted(Workspace(data_dir=str(tmp_path)), Noon())
    assert result.passed is not bool(warned)
    assert warned in (result.description or "") and f"of {n} e-mails" in (result.description or "")
