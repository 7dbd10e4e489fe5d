"""Renders digests column by column: title, summary, HTML and text in each reader's language. Job text is untrusted.

Rows in, rows out. Whatever many digests share, such as a job or a reason, is written once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from babel import Locale
from babel.dates import format_date

from assets.digests.patterns import Pattern, escaped, pattern, plain, texts
from features.localisation.jobs import facts
from features.localisation.money import number
from features.schemas.insight import DIGESTS
from models.explanations.names import Names
from models.explanations.templates import REASON_TEMPLATES, render_reason
from serving.contract.tables import JOB_REFERENCE_CODES, LANGUAGES

MAX_HTML_BYTES = 90_000  # Gmail cuts off a message a little above this, with the unsubscribe link
_LONGEST = {"title": 120, "company": 80, "board": 60, "facts": 200, "text": 200}
_LONGEST_URL_BYTES = 2_000
_LONGEST_SUBJECT_TITLE = 60
_LONGEST_TEXTS_BYTES = 6_000  # title, heading, summary (twice) and date, escaped
_SAID_CHANGE = 0.05  # a smaller change of demand is no news
_SAID_CHANGE_FROM_JOBS = 20


@dataclass(frozen=True)
class Wording:
    """The vocabulary of a rendering: titles of the jobs that reasons name (job_id, title), and names of all else."""

    titles: pl.DataFrame
    names: Names


def render(readers: pl.DataFrame, items: pl.DataFrame, jobs: pl.DataFrame, wording: Wording) -> pl.DataFrame:
    """Rows of DIGESTS without generation_time_seconds, sorted by user, for those of `readers` who have items.

    `readers`: user_id, language, digest_date, unsubscribe_url, view_url (either may be null), trends (a list of
    DIGEST_TREND), skills (a list of skill and hours) and duties (a list of DUTIES). `items`: as
    selection.digest_items returns them. `jobs`: the rows of JOBS that they name. Of each digest as many items are kept
    as fit into MAX_HTML_BYTES.
    """
    is_known = pl.col("language").is_in(LANGUAGES)
    spoken = readers.with_columns(language=pl.when(is_known).then("language").otherwise(pl.lit(LANGUAGES[0])))
    parts = []
    for (language,), group in spoken.group_by("language"):
        own = items.join(group.select("user_id"), on="user_id", how="semi", maintain_order="left")
        parts.append(_of_language(str(language), group, own, jobs, wording))
    schema = {name: kind for name, kind in DIGESTS.columns.items() if name != "generation_time_seconds"}
    return pl.concat([pl.DataFrame(schema=schema), *parts]).sort("user_id")


def _of_language(
    language: str, readers: pl.DataFrame, items: pl.DataFrame, jobs: pl.DataFrame, wording: Wording
) -> pl.DataFrame:
    html, text = (pattern(f"digest.{kind}.j2", language) for kind in ("html", "txt"))
    cards = _cards(items, jobs, language, wording, html=html.block("job"), text=text.block("job"))
    heads = _heads(readers, language, wording.names, html=html, text=text)
    room = MAX_HTML_BYTES - _longest_head(heads, html)
    shown = cards.filter(pl.col("html_job").str.len_bytes().cum_sum().over("user_id") < room)
    digests = shown.group_by("user_id", maintain_order=True).agg(
        html_job=pl.col("html_job").str.join(""),
        text_job=pl.col("text_job").str.join(""),
        best=pl.col("title").first(),
        percent=pl.col("percent").first(),
        n=pl.len(),
        total_new_jobs=pl.col("total_new_jobs").first(),
        total_matches=pl.col("total_matches").first(),
        top_jobs=pl.struct(
            "job_id", rank=pl.col("place").cast(pl.Int16), match_percent=pl.col("match_percent").cast(pl.Int16)
        ),
    )
    told = digests.join(heads, on="user_id").with_columns(title_and_summary(language))
    page = {name: escaped(pl.col(name)) for name in ("title", "heading", "summary")}
    return told.select(
        "user_id",
        "digest_date",
        "title",
        "summary",
        html=html.filled(**page, **_fields_of(html, "html"), date="html_date"),
        text=text.filled(**_fields_of(text, "text")),
        top_jobs="top_jobs",
        total_new_jobs="total_new_jobs",
        total_matches="total_matches",
        market_trends="trends",
        skill_recommendations=pl.col("skills").list.eval(pl.element().struct.field("skill")),
    )


def _fields_of(page: Pattern, prefix: str) -> dict[str, pl.Expr]:
    """The blocks of a page that are columns of their own."""
    return {name: pl.col(f"{prefix}_{name}") for name in page.blocks}


def _cards(
    items: pl.DataFrame, jobs: pl.DataFrame, language: str, wording: Wording, *, html: Pattern, text: Pattern
) -> pl.DataFrame:
    """`items` with title, percent, match_percent, html_job and text_job."""
    reasons = _reasons(items, language, wording, html=html.block("reason"), text=text.block("reason"))
    percents = {n: texts()[language]["percent"].format(n=n) for n in range(101)}
    match_percent = (pl.col("score").cast(pl.Float64) * 100).round().clip(0, 100).cast(pl.Int64)
    joined = (
        items.drop("reasons")
        .join(_job_texts(jobs, language, wording.names, html=html, text=text), on="job_id", maintain_order="left")
        .join(reasons, on=["user_id", "place"], how="left", maintain_order="left")
        .with_columns(match_percent=match_percent)
        .with_columns(percent=pl.col("match_percent").replace_strict(percents, return_dtype=pl.String))
    )
    return joined.with_columns(
        html_job=html.filled(
            facts="html_facts", named="html_named", linked="html_linked", pay="html_pay", press="html_press",
            origin="html_origin", reason="html_reason",
        ),
        text_job=text.filled(
            place=pl.col("place").cast(pl.String), facts="facts", pay="text_pay", reason="text_reason",
            origin="text_origin", press="text_press",
        ),
    )  # fmt: skip


def _job_texts(jobs: pl.DataFrame, language: str, names: Names, *, html: Pattern, text: Pattern) -> pl.DataFrame:
    """What digests say of each job, whoever reads it: columns job_id, title and the parts of a card."""
    origin = [
        plain(pl.col("board"), longest=_LONGEST["board"]),
        _dates(pl.col("published_at").dt.date(), "day", language),
    ]
    url = pl.col("url")
    is_link = url.str.contains(r"^https?://[^\s\x00-\x20\x7f]+$") & (url.str.len_bytes() <= _LONGEST_URL_BYTES)
    said = jobs.with_columns(
        title=plain(pl.col("title"), longest=_LONGEST["title"]),
        company=plain(pl.col("company"), longest=_LONGEST["company"]),
        url=pl.when(is_link).then(url),
        **facts(language, names.of_kind("place", language)),
    )
    place = pl.concat_str("city", "country", separator=", ", ignore_nulls=True)
    parts = ["company", pl.when(place != "").then(place), "work_format", "employment_type"]
    line = pl.concat_str(parts, separator=" · ", ignore_nulls=True)
    lines = said.select(
        "job_id",
        "url",
        "salary",
        title=pl.col("title").fill_null("—"),
        facts=plain(line, longest=_LONGEST["facts"]).fill_null(""),
        origin=pl.concat_str(origin, separator=" · ", ignore_nulls=True),
    )
    quoted = {name: escaped(pl.col(name)) for name in ("title", "url", "salary")}
    has_link, has_pay = pl.col("url").is_not_null(), pl.col("salary").is_not_null()
    return lines.with_columns(
        html_facts=escaped(pl.col("facts")),
        html_named=pl.when(~has_link).then(html.block("named").filled(**quoted)),
        html_linked=pl.when(has_link).then(html.block("linked").filled(**quoted)),
        html_pay=pl.when(has_pay).then(html.block("pay").filled(**quoted)),
        html_press=pl.when(has_link).then(html.block("press").filled(**quoted)),
        html_origin=escaped(pl.col("origin")),
        text_pay=pl.when(has_pay).then(text.block("pay").filled()),
        text_origin=pl.when(pl.col("origin") != "").then(text.block("origin").filled(text=pl.col("origin"))),
        text_press=pl.when(has_link).then(text.block("press").filled()),
    ).drop("url", "salary", "origin")


def _dates(dates: pl.Expr, form: str, language: str) -> pl.Expr:
    """Dates in a form of texts.yaml; each distinct one is written once."""

    def written(values: pl.Series) -> pl.Series:
        distinct = values.drop_nulls().unique()
        names = [format_date(day, texts()[language][form], locale=language) for day in distinct]
        return values.replace_strict(distinct, pl.Series(names, dtype=pl.String), default=None, return_dtype=pl.String)

    return dates.map_batches(written, return_dtype=pl.String)


def _reasons(items: pl.DataFrame, language: str, wording: Wording, *, html: Pattern, text: Pattern) -> pl.DataFrame:
    """Columns user_id, place, html_reason and text_reason: the reasons of each item, the strongest first."""
    key = ["code", "ref", "value"]
    rows = items.select("user_id", "place", "reasons").explode("reasons").drop_nulls("reasons").unnest("reasons")
    # A number that no text says would make equal texts differ.
    is_said = pl.col("code").is_in([code for code, said in REASON_TEMPLATES.items() if "{value" in said[language]])
    rows = rows.with_columns(value=pl.when(is_said).then("value"))
    distinct = rows.select(key).unique()
    said = distinct.with_columns(text=_sentences(distinct, language, wording))
    said = said.with_columns(text=plain(pl.col("text"), longest=_LONGEST["text"]))
    lines = said.drop_nulls("text").select(
        *key, html_reason=html.filled(text=escaped(pl.col("text"))), text_reason=text.filled()
    )
    return (
        rows.join(lines, on=key, nulls_equal=True, maintain_order="left")
        .group_by("user_id", "place", maintain_order=True)
        .agg(pl.col("html_reason").str.join(""), pl.col("text_reason").str.join(""))
    )


def _sentences(reasons: pl.DataFrame, language: str, wording: Wording) -> pl.Series:
    """The sentences of distinct reasons (code, ref, value)."""
    titled = reasons.join(wording.titles.rename({"job_id": "ref"}), on="ref", how="left", maintain_order="left")
    names_job = titled["code"].is_in(JOB_REFERENCE_CODES) & titled["title"].is_not_null()
    sentences = [
        render_reason(code, title if is_job else wording.names.reference(code, ref, language), value, language)
        for (code, ref, value, title), is_job in zip(
            titled.select("code", "ref", "value", "title").iter_rows(), names_job, strict=True
        )
    ]
    return pl.Series("text", sentences, dtype=pl.String)


def _heads(readers: pl.DataFrame, language: str, names: Names, *, html: Pattern, text: Pattern) -> pl.DataFrame:
    """What a digest says besides its jobs: `readers` with the blocks of the page, and `news` of their market."""
    heads = readers.with_columns(html_date=_dates(pl.col("digest_date"), "date", language))
    heads = heads.join(_trends(readers, language, names, html=html, text=text), on="user_id", how="left")
    heads = heads.join(_skills(readers, language, names, html=html, text=text), on="user_id", how="left")
    heads = heads.join(_duties(readers, language, html=html, text=text), on="user_id", how="left")
    for name, url in (("view", "view_url"), ("leave", "unsubscribe_url")):
        html_link = html.block(name).filled(**{url: escaped(pl.col(url))})
        is_known = pl.col(url).is_not_null()
        heads = heads.with_columns(
            pl.when(is_known).then(html_link).alias(f"html_{name}"),
            pl.when(is_known).then(text.block(name).filled()).alias(f"text_{name}"),
        )
    return heads


def _trends(readers: pl.DataFrame, language: str, names: Names, *, html: Pattern, text: Pattern) -> pl.DataFrame:
    """Columns user_id, html_market, text_market and news (the greatest change of demand; null if there is none)."""
    key = ["name", "n_jobs", "change"]
    rows = readers.select("user_id", "trends").explode("trends").drop_nulls("trends").unnest("trends")
    change = pl.col("change").fill_nan(None)
    distinct = rows.select(key).unique().with_columns(percent=_percents(change.abs(), language))
    said = distinct.with_columns(name=_named("skill", names, language), stated="name").with_columns(
        n_jobs_said=_counted("open_jobs", "n_jobs", language), is_up=change > 0, is_shown=change.abs() >= 0.005
    )
    is_news = (change.abs() >= _SAID_CHANGE) & (pl.col("n_jobs") >= _SAID_CHANGE_FROM_JOBS)
    news = [_format(texts()[language][form], name=pl.col("name"), percent=pl.col("percent")) for form in ("up", "down")]
    shown = {name: pl.col("is_shown") & (pl.col("is_up") == (name == "rise")) for name in ("rise", "fall")}
    lines = []
    for prefix, page, name in (("html", html, escaped(pl.col("name"))), ("text", text, pl.col("name"))):
        trend = page.block("market", "trend")
        blocks = {block: pl.when(is_shown).then(trend.block(block).filled()) for block, is_shown in shown.items()}
        lines.append(trend.filled(name=name, n_jobs=pl.col("n_jobs_said"), **blocks).alias(f"{prefix}_trend"))
    fragments = said.select(
        pl.col("stated").alias("name"), "n_jobs", "change", *lines,
        news=pl.when(is_news).then(pl.when("is_up").then(news[0]).otherwise(news[1])),
    )  # fmt: skip
    by_size = pl.col("news").sort_by(change.abs(), descending=True, nulls_last=True, maintain_order=True)
    grouped = (
        rows.join(fragments, on=key, nulls_equal=True, maintain_order="left")
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("html_trend").str.join(""), pl.col("text_trend").str.join(""), news=by_size.drop_nulls().first())
    )
    return grouped.select(
        "user_id",
        "news",
        html_market=html.block("market").filled(trend=pl.col("html_trend")),
        text_market=text.block("market").filled(trend=pl.col("text_trend")),
    )


def _duties(readers: pl.DataFrame, language: str, *, html: Pattern, text: Pattern) -> pl.DataFrame:
    """Columns user_id, html_due and text_due: what waits for the reader in the applications."""
    rows = readers.select("user_id", "duties").explode("duties").drop_nulls("duties").unnest("duties")
    about = plain(pl.col("about"), longest=_LONGEST["text"])
    said = rows.with_columns(
        what=pl.col("kind").replace_strict(texts()[language]["duties"], return_dtype=pl.String),
        about=pl.when(about != "").then(about),
        day=_dates(pl.col("day"), "day", language),
    ).with_columns(
        name=pl.concat_str("what", "about", separator=": ", ignore_nulls=True),
        at=pl.concat_str("day", "time", separator=", ", ignore_nulls=True),
    )
    grouped = (
        said.with_columns(
            html_duty=html.block("due", "duty").filled(name=escaped(pl.col("name"))),
            text_duty=text.block("due", "duty").filled(),
        )
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("html_duty").str.join(""), pl.col("text_duty").str.join(""))
    )
    return grouped.select(
        "user_id",
        html_due=html.block("due").filled(duty=pl.col("html_duty")),
        text_due=text.block("due").filled(duty=pl.col("text_duty")),
    )


def _skills(readers: pl.DataFrame, language: str, names: Names, *, html: Pattern, text: Pattern) -> pl.DataFrame:
    """Columns user_id, html_learn and text_learn."""
    rows = readers.select("user_id", "skills").explode("skills").drop_nulls("skills").unnest("skills")
    said = (
        rows.select("skill", "hours")
        .unique()
        .with_columns(name="skill")
        .with_columns(name=_named("skill", names, language), said=_counted("hours", "hours", language))
    )
    hours = pl.col("said")
    lines = said.select(
        "skill",
        "hours",
        html_skill=html.block("learn", "skill").filled(name=escaped(pl.col("name")), hours=hours),
        text_skill=text.block("learn", "skill").filled(hours=hours),
    )
    grouped = (
        rows.join(lines, on=["skill", "hours"], nulls_equal=True, maintain_order="left")
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("html_skill").str.join(""), pl.col("text_skill").str.join(""))
    )
    return grouped.select(
        "user_id",
        html_learn=html.block("learn").filled(skill=pl.col("html_skill")),
        text_learn=text.block("learn").filled(skill=pl.col("text_skill")),
    )


def title_and_summary(language: str) -> list[pl.Expr]:
    """Columns title, heading and summary of digests, from their numbers, the title of the best job and the news."""
    words = texts()[language]
    best = plain(pl.col("best"), longest=_LONGEST_SUBJECT_TITLE)
    jobs = _counted("jobs", "n", language)
    title, heading = (_format(words[form], jobs=jobs, best=best) for form in ("title", "heading"))
    counts = [_counted("new", "total_new_jobs", language), _counted("matches", "total_matches", language)]
    parts = [
        pl.concat_str(counts, separator=", "),
        _format(words["best"], percent=pl.col("percent")),
        pl.col("news"),
    ]
    sentences = [part.str.head(1).str.to_uppercase() + part.str.slice(1) + pl.lit(".") for part in parts]
    return [
        title.alias("title"),
        heading.alias("heading"),
        pl.concat_str(sentences, separator=" ", ignore_nulls=True).alias("summary"),
    ]


def _named(kind: str, names: Names, language: str) -> pl.Expr:
    return plain(pl.col("name").replace(names.of_kind(kind, language)), longest=_LONGEST["text"])


def _format(form: str, **columns: pl.Expr) -> pl.Expr:
    """A form such as "{jobs}: {best}" with columns in its places."""
    pieces = re.split(r"\{(\w+)\}", form)
    return pl.concat_str(
        [columns[piece] if place % 2 else pl.lit(piece) for place, piece in enumerate(pieces) if piece]
    )


def _counted(form: str, column: str, language: str) -> pl.Expr:
    """A count with the words that agree with it; each distinct one is written once."""
    forms: Mapping[str, str] = texts()[language][form]
    plural = Locale(language).plural_form

    def written(values: pl.Series) -> pl.Series:
        distinct = values.drop_nulls().unique()
        said = [forms[plural(n)].format(n=number(n, language)) for n in distinct]
        return values.replace_strict(distinct, pl.Series(said, dtype=pl.String), default=None, return_dtype=pl.String)

    return pl.col(column).map_batches(written, return_dtype=pl.String)


def _percents(shares: pl.Expr, language: str) -> pl.Expr:
    """Shares as whole percent."""
    whole = (shares * 100).round().cast(pl.Int64).cast(pl.String)
    return _format(texts()[language]["percent"].replace("{n}", "{whole}"), whole=whole)


def _longest_head(heads: pl.DataFrame, html: Pattern) -> int:
    """An upper bound of the bytes of a page without its jobs."""
    blocks = pl.sum_horizontal(
        pl.col(f"html_{name}").str.len_bytes().fill_null(0) for name in html.blocks if name != "job"
    )
    longest = heads.select(blocks.max()).item() or 0
    return len("".join(html.texts).encode()) + int(longest) + _LONGEST_TEXTS_BYTES
