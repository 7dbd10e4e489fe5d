"""A small lake with users and their digests, and a sender for it whose clock tests can turn."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from assets.config.pipeline import DigestSettings
from assets.digests.letters import LetterWriter
from assets.digests.links import KEYS_VARIABLE, DigestLinks
from assets.digests.outbox import open_outbox
from assets.digests.sending import Sender, SendReport
from assets.digests.smtp import MailServer
from assets.lake import Lake
from features.schemas.bronze import USER_RECORDS
from features.schemas.catalog import USERS
from features.schemas.insight import DIGEST_OUTBOX, DIGESTS

DAY = dt.date(2026, 3, 2)
NOON = dt.datetime(2026, 3, 2, 12, 30, tzinfo=dt.UTC)
KEY = {KEYS_VARIABLE: "a key for tests that is long enough"[:35].replace(" ", "_")}
SENDER = "Jobs <digest@example.org>"
HTML = "<!doctype html><html><body><p>Пять вакансий для {user}</p></body></html>"


@dataclass
class Clock:
    """A clock that stands still but for those who sleep."""

    instant: dt.datetime = NOON
    slept: list[float] = field(default_factory=list)

    def now(self) -> dt.datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.instant += dt.timedelta(seconds=seconds)


@dataclass(frozen=True)
class MailWorld:
    """A data folder with digests of DAY, all due at noon (UTC) unless a user states another hour."""

    folder: Path
    settings: DigestSettings

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def links(self) -> DigestLinks:
        return DigestLinks.of(self.settings, KEY)

    @property
    def writer(self) -> LetterWriter:
        return LetterWriter(self.lake, self.landing, self.settings, self.links)

    def put_users(self, users: Sequence[str], **changes: Mapping[str, object]) -> None:
        """Users with an address each; `changes` has other values by user."""
        rows = [
            {
                "user_id": user, "updated_at": NOON - dt.timedelta(days=9), "email": f"{user}@example.org",
                "timezone": "UTC", "digest_frequency": "daily", "digest_hour": 12, "language": "ru",
            } | dict(changes.get(user, {}))
            for user in users
        ]  # fmt: skip
        frame = pl.DataFrame(rows, schema_overrides={"digest_hour": pl.Int8, "email": pl.String, "timezone": pl.String})
        self.lake.replace("catalog", USERS, USERS.conform(frame))
        records = frame.select("user_id", "updated_at", "email", content_hash=pl.lit("1"))
        self.lake.append("bronze", USER_RECORDS, USER_RECORDS.conform(records))

    def put_digests(self, users: Sequence[str], day: dt.date = DAY) -> None:
        rows = [
            {"user_id": user, "digest_date": day, "title": f"5 вакансий: {user}", "text": f"Для {user}\n",
             "html": HTML.format(user=user)}
            for user in users
        ]  # fmt: skip
        self.lake.replace("digests", DIGESTS, DIGESTS.conform(pl.DataFrame(rows)).sort(DIGESTS.key))

    def land(self, kind: str, name: str, *lines: Mapping[str, object]) -> None:
        path = self.landing / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def sender(self, clock: Clock, **changes: Any) -> Sender:
        return Sender(self.writer, MailServer(self.settings.delivery), clock.now, clock.sleep, **changes)

    def send(self, clock: Clock | None = None) -> SendReport:
        return self.sender(clock or Clock()).send_due()

    def outbox(self) -> pl.DataFrame:
        with open_outbox(self.lake, is_read_only=True) as outbox:
            return outbox.rows().sort("user_id")

    def ends(self) -> dict[str, tuple[str, str | None]]:
        """What became of each user's digest."""
        return {user: (status, reason) for user, status, reason in self.outbox()["user_id", "status", "reason"].rows()}

    def table(self) -> pl.DataFrame:
        """The table of the lake that readers see."""
        return self.lake.scan("digests", DIGEST_OUTBOX).collect().sort("user_id")


def mail_world(folder: Path, port: int, users: Sequence[str] = (), **delivery: Any) -> MailWorld:
    """A world whose mail server listens on `port` of this machine, with digests for `users`."""
    options = {"host": "127.0.0.1", "port": port, "security": "none", "messages_per_second": 10_000} | delivery
    settings = DigestSettings.model_validate(
        {"sender": SENDER, "unsubscribe_url": "https://example.org/u/{token}", "delivery": options}
    )
    world = MailWorld(folder, settings)
    if users:
        world.put_users(users)
        world.put_digests(users)
    return world
