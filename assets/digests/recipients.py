"""Who may get a digest by e-mail, and why somebody may not. Addresses are read when a mail is sent, never stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from assets.digests.message import BadAddressError, mailbox
from assets.erasing.requests import without_erased
from assets.lake import Lake
from features.schemas.bronze import BOUNCES, UNSUBSCRIBES, USER_RECORDS
from features.schemas.catalog import USERS


@dataclass(frozen=True)
class Recipient:
    """A user, with either an address as `mailbox` returns it or the reason why no mail may be sent."""

    language: str = "en"
    address: str = field(default="", repr=False)
    reason: str | None = None


def opted_out(lake: Lake) -> pl.LazyFrame:
    """Users who want no digests: who unsubscribed, or marked one as spam, and did not subscribe again since.

    Columns: user_id, reason.
    """
    requests = lake.scan("bronze", UNSUBSCRIBES)
    complaints = (
        lake.scan("bronze", BOUNCES)
        .filter(pl.col("kind") == "complaint")
        .group_by("user_id")
        .agg(complained_at=pl.col("occurred_at").max())
    )
    # A user who subscribed after the complaint has taken it back.
    is_taken_back = pl.col("is_subscribed").fill_null(value=False) & (pl.col("requested_at") > pl.col("complained_at"))
    return pl.concat(
        [
            requests.filter(~pl.col("is_subscribed")).select("user_id", reason=pl.lit("unsubscribed")),
            complaints.join(requests, on="user_id", how="left")
            .filter(~is_taken_back)
            .select("user_id", reason=pl.lit("complained")),
        ]
    ).unique("user_id", keep="first", maintain_order=True)


def without_opted_out(users: pl.LazyFrame, lake: Lake) -> pl.LazyFrame:
    """`users`, with the digest frequency `none` for those who want no digests, whatever the app still states."""
    out = opted_out(lake).select("user_id", is_out=pl.lit(value=True))
    frequency = pl.when(pl.col("is_out")).then(pl.lit("none")).otherwise(pl.col("digest_frequency"))
    return (
        users.join(out, on="user_id", how="left", maintain_order="left")
        .with_columns(frequency.alias("digest_frequency"))
        .drop("is_out")
    )


def find_recipients(
    lake: Lake, user_ids: Sequence[str], *, erasures: pl.DataFrame, refused: pl.DataFrame
) -> Mapping[str, Recipient]:
    """What is known now of each of the users. `refused`: DIGEST_OUTBOX rows of addresses that do not exist."""
    ids = pl.Series("user_id", user_ids, pl.String).unique()
    is_asked = pl.col("user_id").is_in(ids.implode())
    columns = ("user_id", "updated_at", "email", "digest_frequency", "language")
    users = lake.scan("catalog", USERS).filter(is_asked).select(columns).collect()
    kept = without_erased(users, erasures, at="updated_at")
    out = opted_out(lake).filter(is_asked).collect()
    bounced = _bounced(lake, is_asked, refused)
    reason = (
        pl.when(pl.col("reason").is_not_null()).then(pl.col("reason"))
        .when(pl.col("digest_frequency") == "none").then(pl.lit("frequency_none"))
        .when(pl.col("email").is_null()).then(pl.lit("no_address"))
        .when(pl.col("user_id").is_in(bounced.implode())).then(pl.lit("bounced"))
    )  # fmt: skip
    decided = kept.join(out, on="user_id", how="left").select("user_id", "email", "language", reason.alias("reason"))
    gone = Recipient(reason="unknown_user")
    found = dict.fromkeys(ids.to_list(), gone)
    found |= dict.fromkeys(erasures.filter(is_asked)["user_id"].to_list(), Recipient(reason="erased"))
    return found | {user: _recipient(*rest) for user, *rest in decided.iter_rows()}


def _recipient(email: str | None, language: str | None, reason: str | None) -> Recipient:
    language = language or "en"
    if reason is not None or email is None:
        return Recipient(language, reason=reason or "no_address")
    try:
        return Recipient(language, address=mailbox(email))
    except BadAddressError:
        return Recipient(language, reason="bad_address")


def _bounced(lake: Lake, is_asked: pl.Expr, refused: pl.DataFrame) -> pl.Series:
    """Users whose present address takes no mail: it bounced after the app first stated it."""
    hard = lake.scan("bronze", BOUNCES).filter(is_asked, pl.col("kind") == "hard").select("user_id", at="occurred_at")
    at_once = refused.lazy().filter(is_asked).select("user_id", at="ended_at")
    last = pl.concat([hard, at_once]).group_by("user_id").agg(pl.col("at").max()).collect()
    if last.is_empty():
        return last["user_id"]
    records = (
        lake.scan("bronze", USER_RECORDS)
        .filter(pl.col("user_id").is_in(last["user_id"].implode()))
        .select("user_id", "updated_at", "email")
        .sort("user_id", "updated_at")
        .with_columns(run=pl.col("email").rle_id().over("user_id"))
        .filter(pl.col("run") == pl.col("run").max().over("user_id"))
        .group_by("user_id")
        .agg(stated_at=pl.col("updated_at").min())
        .collect()
    )
    is_present = pl.col("stated_at").is_null() | (pl.col("at") >= pl.col("stated_at"))
    return last.join(records, on="user_id", how="left").filter(is_present)["user_id"]
