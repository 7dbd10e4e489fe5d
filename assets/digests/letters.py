"""From queued digests to letters: content from the lake, the address and all reasons not to send as they are now."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assets.config.pipeline import DigestSettings
from assets.digests.closed_jobs import NEEDED, Content, listed_jobs, with_open_jobs
from assets.digests.links import KEYS_VARIABLE, DigestLinks
from assets.digests.message import Letter, sender_mailbox
from assets.digests.outbox import STAGE, Mail, Outbox
from assets.digests.queueing import due_digests, unqueued, update_queue
from assets.digests.recipients import Recipient, find_recipients
from assets.ingest.people.ingest import known_erasures
from assets.ingest.people.mail import ingest_bounces, ingest_unsubscribes
from assets.lake import Lake
from features.errors import JobfeedError
from features.schemas.catalog import JOBS
from features.schemas.insight import DIGESTS


class NotConfiguredError(JobfeedError, RuntimeError):
    """Something that digests need to be sent is not configured; the message names it."""


@dataclass(frozen=True)
class LetterWriter:
    """Writes the letters of queued digests. It reads landing/ each time, so that who unsubscribes gets nothing more."""

    lake: Lake
    landing: Path
    settings: DigestSettings
    links: DigestLinks

    def erasures(self, now: dt.datetime) -> pl.DataFrame:
        """The erasures of the lake and those that landed since."""
        return known_erasures(self.lake, self.landing, as_of=now)

    def queue(self, outbox: Outbox, *, now: dt.datetime) -> int:
        """Queues the digests of the lake, if they can be sent, and returns how many are new. Digests whose time is over
        are not queued. Erased users and old digests are forgotten."""
        outbox.forget(self.erasures(now).iter_rows())
        outbox.prune(before=now.date() - dt.timedelta(days=self.settings.delivery.kept_days))
        if missing_settings(self.settings, self.links):
            return 0
        return update_queue(outbox, self._wanted(now), self.links, domain=self._domain, now=now)

    def unqueued(self, outbox: Outbox, *, now: dt.datetime) -> list[Mail]:
        """The e-mails that `queue` would add and that are due now."""
        return unqueued(outbox, self._wanted(now), self.links, domain=self._domain, now=now)

    def _wanted(self, now: dt.datetime) -> pl.DataFrame:
        not_before = now - dt.timedelta(hours=self.settings.delivery.late_hours)
        return due_digests(self.lake, erasures=self.erasures(now), not_before=not_before)

    @property
    def _domain(self) -> str:
        return sender_mailbox(self.settings.sender).domain

    def letters(self, mails: Sequence[Mail], outbox: Outbox, *, now: dt.datetime) -> list[tuple[Mail, Letter | str]]:
        """Each e-mail with its letter, or with the reason why it must not be sent."""
        ingest_unsubscribes(self.lake, self.landing, links=self.links, as_of=now)
        ingest_bounces(self.lake, self.landing, links=self.links, as_of=now)
        user_ids = sorted({mail.user_id for mail in mails})
        recipients = find_recipients(
            self.lake, user_ids, erasures=self.erasures(now), refused=outbox.refused_mailboxes(user_ids)
        )
        contents = _contents(self.lake, mails)
        return [(mail, self._letter(mail, recipients[mail.user_id], contents, now)) for mail in mails]

    def _letter(
        self,
        mail: Mail,
        recipient: Recipient,
        contents: Mapping[tuple[str, dt.date], Content | None],
        now: dt.datetime,
    ) -> Letter | str:
        if recipient.reason is not None:
            return recipient.reason
        key = (mail.user_id, mail.digest_date)
        if key not in contents or now - mail.due_at > dt.timedelta(hours=self.settings.delivery.late_hours):
            return "outdated"
        found = contents[key]
        if found is None:
            return "jobs_closed"
        title, text, html = found
        url = self.links.unsubscribe_url(mail.user_id)
        if url is None:
            raise NotConfiguredError(missing_settings(self.settings, self.links)[0])
        return Letter(
            recipient.address, mail.message_id, title, text, html, recipient.language, mail.digest_date, url
        )  # fmt: skip


def require_settings(settings: DigestSettings, links: DigestLinks, *, sends: bool) -> None:
    """Raises NotConfiguredError that names all that is missing to write digests, or also to send them."""
    missing = missing_settings(settings, links)
    if sends and not settings.delivery.host:
        missing.append("digest.delivery.host in pipeline.yaml, the mail server")
    if missing:
        raise NotConfiguredError(f"digests can't be sent without {'; '.join(missing)}")


def missing_settings(settings: DigestSettings, links: DigestLinks) -> list[str]:
    """What is not configured that every digest by e-mail needs, in words."""
    needed = (
        (settings.sender, "digest.sender in pipeline.yaml, such as Jobs <digest@example.org>"),
        (settings.unsubscribe_url, "digest.unsubscribe_url in pipeline.yaml, such as https://example.org/u/{token}"),
        (links.keys, f"a key in the environment variable {KEYS_VARIABLE} (`jobfeed token key` makes one)"),
    )
    return [name for value, name in needed if not value]


def _contents(lake: Lake, mails: Sequence[Mail]) -> dict[tuple[str, dt.date], Content | None]:
    """(user, date) -> what the mail says of the jobs that are still open; None if none is.

    `mails` come by user id, and the table is sorted: only a part is read.
    """
    keys = pl.DataFrame(
        {"user_id": [mail.user_id for mail in mails], "digest_date": [mail.digest_date for mail in mails]},
        schema={"user_id": pl.String, "digest_date": pl.Date},
    )
    found = (
        lake.scan(STAGE, DIGESTS)
        .filter(pl.col("user_id").is_between(pl.lit(keys["user_id"].min()), pl.lit(keys["user_id"].max())))
        .join(keys.lazy(), on=["user_id", "digest_date"], how="semi")
        .select("user_id", "digest_date", *NEEDED)
        .collect()
    )
    digests = list(found.iter_rows(named=True))
    listed = pl.Series("job_id", [job for one in digests for job in listed_jobs(one)], pl.String).to_frame()
    open_jobs = lake.scan("catalog", JOBS).filter(pl.col("status") == "open").select("job_id")
    still_open = set(open_jobs.join(listed.lazy(), on="job_id", how="semi").collect()["job_id"])
    return {(one["user_id"], one["digest_date"]): with_open_jobs(one, still_open) for one in digests}
