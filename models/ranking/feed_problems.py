"""The validator of finished feeds: finds every rule that a list breaks. The asset checks and publishing share it.

It joins tables, independently of the sparse rows by which ranking itself keeps the rules (rules.py).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import polars as pl

from features.text.normalise import company_key
from models.ranking.settings import CompanyCap

HARD_RULES = ("not_in_catalog", "not_open", "applied", "dismissed", "blocked_company", "blocked_tag", "repeated")
LIST_RULES = ("rank", "range", "company_cap")
ITEM_FIELDS = ("rank", "job_id", "score", "confidence", "propensity", "components")
_ALWAYS_KNOWN = ("score", "confidence", "propensity")


@dataclass(frozen=True)
class FeedRules:
    """What the rules need to know about jobs and users.

    `jobs`: job_id, is_open, group (number, duplicates share it), company (number), company_keys, tags. `ended`: user_id
    and lists of the groups that the user applied to or dismissed. `blocked`: user_id, companies, tags. The last two are
    sorted by user_id. Without `company_cap` a list may hold any number of jobs of one company.
    """

    jobs: pl.DataFrame
    ended: pl.DataFrame
    blocked: pl.DataFrame
    company_cap: CompanyCap | None = None

    def without_users(self) -> "FeedRules":
        """The rules for a list that belongs to no user, such as a fallback feed."""
        return replace(self, ended=self.ended.clear(), blocked=self.blocked.clear(), company_cap=None)


def feed_rules(
    *,
    jobs: pl.LazyFrame,
    interactions: pl.LazyFrame,
    profiles: pl.LazyFrame,
    company_cap: CompanyCap | None = None,
) -> FeedRules:
    """The rules from JOBS, INTERACTIONS and USER_PROFILES; memory follows the jobs and the ended pairs."""
    # Cutting off the legal form is slow: it is done once per company, not per job.
    names = jobs.select("company").unique().with_columns(company_key=company_key(pl.col("company")))
    known = (
        jobs.join(names, on="company", how="left")
        .select(
            "job_id",
            is_open=(pl.col("status") == "open").fill_null(value=False),
            representative=pl.coalesce("duplicate_of", "job_id"),
            company=_lower(pl.coalesce("company_id", "company")).rank("dense"),
            company_keys=pl.concat_list(
                _lower(pl.col("company_id")), _lower(pl.col("company")), "company_key"
            ).list.drop_nulls(),
            tags=pl.col("tags").list.eval(_lower(pl.element())),
        )
        .with_columns(group=pl.col("representative").rank("dense"))
    )
    known = known.collect(engine="streaming").lazy()
    groups = known.select("job_id", "group")
    # The catalog may lack the job that others are duplicates of.
    absent = known.select("group", job_id="representative").unique().join(groups, on="job_id", how="anti")
    is_applied, is_dismissed = (pl.col(name).fill_null(value=False) for name in ("is_applied", "is_dismissed"))
    ended = (
        interactions.filter(is_applied | is_dismissed)
        .select("user_id", "job_id", is_applied=is_applied)
        .join(pl.concat([groups, absent.select("job_id", "group")]), on="job_id")
        .group_by("user_id")
        .agg("group", "is_applied")
    )
    blocked = profiles.select(
        "user_id",
        companies=pl.col("blocked_companies").list.eval(_lower(pl.element())),
        tags=pl.col("blocked_tags").list.eval(_lower(pl.element())),
    ).filter((pl.col("companies").list.len() > 0) | (pl.col("tags").list.len() > 0))
    return FeedRules(
        jobs=known.drop("representative").collect(),
        ended=ended.sort("user_id").collect(engine="streaming"),
        blocked=blocked.sort("user_id").collect(engine="streaming"),
        company_cap=company_cap,
    )


def feed_problems(lists: pl.DataFrame, rules: FeedRules) -> pl.DataFrame:
    """Every rule that the lists (owner, items with ITEM_FIELDS) break: owner, job_id, rule, detail; sorted.

    Memory grows with the lists: give them shard by shard. `rule` is one of HARD_RULES, which a duplicate of the job may
    break too, or of LIST_RULES: ranks count from 1, the company cap holds, and scores, confidences,
    propensities and components are numbers in [0, 1] (`detail` names the one that is not). `job_id` is null where a
    whole list breaks the rule.
    """
    items = _items(lists, rules)
    return _problems(lists, [*_broken_hard_rules(lists, items, rules), *_broken_list_rules(items, rules)])


def violations(
    feeds: pl.LazyFrame, *, jobs: pl.LazyFrame, interactions: pl.LazyFrame, profiles: pl.LazyFrame
) -> pl.DataFrame:
    """The HARD_RULES that feeds (user_id, items) break: user_id, job_id, rule; sorted. All feeds are held in memory."""
    rules = feed_rules(jobs=jobs, interactions=interactions, profiles=profiles)
    lists = feeds.select(owner="user_id", items="items").collect()
    found = _problems(lists, _broken_hard_rules(lists, _items(lists, rules), rules))
    return found.select("job_id", "rule", user_id="owner")


def _items(lists: pl.DataFrame, rules: FeedRules) -> pl.DataFrame:
    """The items with the row of their list, their place in it, and what is known about the job."""
    length = pl.col("items").list.len()
    flat = (
        lists.select("items", row=pl.int_range(pl.len(), dtype=pl.UInt32))
        .filter(length > 0)
        .with_columns(place=pl.int_ranges(1, length.cast(pl.Int64) + 1))
        .explode("items", "place")
        .unnest("items")
    )
    known = rules.jobs.select("job_id", "is_open", "group", "company", job=pl.int_range(pl.len(), dtype=pl.UInt32))
    return flat.join(known, on="job_id", how="left", maintain_order="left")


def _broken_hard_rules(lists: pl.DataFrame, items: pl.DataFrame, rules: FeedRules) -> Iterator[pl.DataFrame]:
    known, unknown = items.filter(pl.col("job").is_not_null()), items.filter(pl.col("job").is_null())
    yield _rows(unknown, "not_in_catalog")
    yield _rows(known.filter(~pl.col("is_open")), "not_open")
    ended = _of_owners(lists, rules.ended).explode("group", "is_applied").unique()
    barred = known.select("row", "job_id", "group").join(ended, on=["row", "group"])
    yield _rows(barred.filter("is_applied"), "applied")
    yield _rows(barred.filter(~pl.col("is_applied")), "dismissed")
    listed = known.select("row", "job_id", "job").join(_of_owners(lists, rules.blocked), on="row")
    of_jobs = rules.jobs.select("company_keys", job_tags="tags")[listed["job"]]
    listed = pl.concat([listed, of_jobs], how="horizontal")
    yield _rows(listed.filter(_have_common("company_keys", "companies")), "blocked_company")
    yield _rows(listed.filter(_have_common("job_tags", "tags")), "blocked_tag")
    for shown, key in ((known, _pair("row", "group")), (unknown, pl.struct("row", "job_id"))):
        twice = shown.filter(key.is_duplicated()).group_by("row", "group").agg(pl.col("job_id").min())
        yield _rows(twice, "repeated")


def _broken_list_rules(items: pl.DataFrame, rules: FeedRules) -> Iterator[pl.DataFrame]:
    yield _rows(items.filter(pl.col("rank").ne_missing(pl.col("place"))).unique("row"), "rank", job_id=None)
    components = items.filter(pl.col("components").is_not_null()).select("row", "job_id", "components")
    for frame in (items.select("row", "job_id", *_ALWAYS_KNOWN), components.unnest("components")):
        for name in frame.columns[2:]:
            is_bad = ~pl.col(name).is_between(0, 1)
            yield _rows(frame.filter(is_bad.fill_null(value=name in _ALWAYS_KNOWN)), "range", detail=pl.lit(name))
    if rules.company_cap is not None:
        top = items.filter(pl.col("place") <= rules.company_cap.top, pl.col("company").is_not_null())
        crowded = top.group_by("row", "company").agg(pl.len(), pl.col("job").first())
        crowded = crowded.filter(pl.col("len") > rules.company_cap.most)
        names = rules.jobs["company_keys"].gather(crowded["job"]).list.first()
        detail = pl.format("{} jobs of {}", "len", names)
        yield _rows(crowded, "company_cap", job_id=None, detail=detail)


def _of_owners(lists: pl.DataFrame, by_user: pl.DataFrame) -> pl.DataFrame:
    """The rows of `by_user` that belong to the owners of the lists, with the row of the list for the user_id."""
    if by_user.is_empty():
        return by_user.select(pl.lit(0, pl.UInt32).alias("row"), pl.exclude("user_id"))
    # A join would hash all users for every shard of them.
    users = by_user["user_id"]
    at = users.search_sorted(lists["owner"]).clip(upper_bound=len(users) - 1)
    found = lists.select("owner", row=pl.int_range(pl.len(), dtype=pl.UInt32), at=at)
    found = found.filter(pl.col("owner") == users.gather(at))
    return pl.concat([found.select("row"), by_user.drop("user_id")[found["at"]]], how="horizontal")


def _rows(
    broken: pl.DataFrame, rule: str, *, job_id: str | None = "job_id", detail: pl.Expr | None = None
) -> pl.DataFrame:
    return broken.select(
        "row",
        job_id=pl.col(job_id) if job_id else pl.lit(None, pl.String),
        rule=pl.lit(rule),
        detail=detail if detail is not None else pl.lit(None, pl.String),
    )


def _problems(lists: pl.DataFrame, broken: Iterable[pl.DataFrame]) -> pl.DataFrame:
    found = pl.concat(broken)
    owners = pl.Series("owner", lists["owner"].gather(found["row"]), dtype=pl.String)
    return found.drop("row").insert_column(0, owners).sort("owner", "job_id", "rule", "detail")


def _pair(first: str, second: str) -> pl.Expr:
    return pl.col(first).cast(pl.UInt64) * 2**32 + pl.col(second)


def _have_common(one: str, other: str) -> pl.Expr:
    return pl.col(one).list.set_intersection(other).list.len() > 0


def _lower(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.strip_chars()
