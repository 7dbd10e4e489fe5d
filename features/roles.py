"""Job roles under one slug, whatever the language of the title, and the career level that a title states.

What an experienced candidate of a role must know lives elsewhere.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from features.phrases import PhraseMatcher, lookup_key

_COLUMNS = ("role", "family", "name_en", "name_ru", "aliases")


class RoleError(ValueError):
    """roles.csv contradicts itself."""


@dataclass(frozen=True)
class Roles:
    """Known roles. `table` has columns role, family, name_en, name_ru, aliases (list)."""

    table: pl.DataFrame

    @classmethod
    def load(cls, folder: Path) -> "Roles":
        """Reads roles.csv of `folder`; RoleError names spellings that stand for two roles."""
        path = folder / "roles.csv"
        frame = pl.read_csv(path, infer_schema=False)
        if frame.columns != list(_COLUMNS):
            raise RoleError(f"{path}: columns {frame.columns}; expected {list(_COLUMNS)}")
        roles = cls(frame.with_columns(pl.col("aliases").fill_null("").str.split("|")))
        clashes = roles._phrases.group_by("key").agg(pl.col("role").unique().sort(), pl.col("phrase").first())
        clashes = clashes.filter(pl.col("role").list.len() > 1).sort("key")
        if clashes.height:
            shown = "; ".join(f"{row['phrase']!r}: {row['role']}" for row in clashes.head(20).iter_rows(named=True))
            raise RoleError(f"{path}: {clashes.height} spellings that point to more than one role: {shown}")
        return roles

    @cached_property
    def names(self) -> pl.DataFrame:
        """Columns slug, name_en, name_ru, family, one row per role, sorted by slug."""
        return (
            self.table.select("name_en", "name_ru", "family", slug="role")
            .select("slug", "name_en", "name_ru", "family")
            .sort("slug")
        )

    def canonicalise(self, titles: pl.Series) -> pl.Series:
        """Slug of the role that each title names, by the longest known name within it, of equals the first; or null.

        A slug itself is a name too, so that a second pass changes nothing.
        """
        distinct = pl.DataFrame({"title": titles.cast(pl.String)}).select(pl.col("title").unique().sort())["title"]
        spoken = distinct.str.replace_all("_", " ", literal=True)
        best = (
            self._matcher.matches(spoken)
            .sort("row", -pl.col("length").cast(pl.Int64), "offset")
            .unique("row", keep="first", maintain_order=True)
        )
        known = pl.DataFrame({"title": distinct}).with_row_index("row").join(best, on="row", how="left")
        return (
            pl.DataFrame({"title": titles.cast(pl.String)})
            .join(known.select("title", "meaning"), on="title", how="left", maintain_order="left", nulls_equal=True)
            .select(pl.col("meaning").alias(titles.name))[titles.name]
        )

    @cached_property
    def _phrases(self) -> pl.DataFrame:
        """Columns role, phrase, key: names, aliases and slugs."""
        parts = [self.table.select("role", phrase=column) for column in ("name_en", "name_ru")]
        parts.append(self.table.select("role", phrase="aliases").explode("phrase"))
        parts.append(self.table.select("role", phrase=pl.col("role").str.replace_all("_", " ", literal=True)))
        phrases = pl.concat(parts).filter(pl.col("phrase").str.len_chars() > 0)
        return phrases.with_columns(key=lookup_key(pl.col("phrase"))).unique(["role", "key"], maintain_order=True)

    @cached_property
    def _matcher(self) -> PhraseMatcher:
        return PhraseMatcher.of(dict(self._phrases.select("phrase", "role").iter_rows()))


# What has a level's word in it and states no level.
_NO_LEVEL = (
    r" (?:lead generation|leads?[ -]?gen\p{L}*|account executive|sales executive|marketing executive"
    r"|executive assistant"
    r"|(?:помощник|ассистент|секретарь)\p{L}* (?:генерального |исполнительного )?(?:директора|руководителя)"
    r"|assistant to (?:the )?(?:ceo|director|head)|ведущ\p{L}+ (?:мероприятий|праздников|эфира|подкаста)|middle ?ware"
    r"|(?:менеджер|специалист) по работе с руководителями|scrum master|школьный директор) "
)
# From the most to the least telling; a title for two grades ("Junior/Middle") asks for the lower one.
_LEVEL_WORDS = (
    ("intern", r"intern|interns|internship|trainee|стажер\p{L}*|практикант\p{L}*|стажировка"),
    ("junior", r"junior|jr|jun|младш\p{L}+|джуниор|джун|entry level|начинающ\p{L}+|без опыта"),
    (
        "executive",
        r"chief \p{L}+ officer|chief \p{L}+ \p{L}+ officer|ceo|cto|cfo|coo|cmo|cio|cpo|ciso|chro|cco|vp|vice president"
        r"|(?:генеральн|исполнительн|финансов|коммерческ|операционн|техническ)\p{L}* директор|директор по \p{L}+"
        r"|директор|director|managing director|president|founder|co founder|executive",
    ),
    ("middle", r"middle|mid|mid level|миддл|мидл|intermediate"),
    (
        "lead",
        r"lead|teamlead|techlead|тимлид|техлид|head|head of|principal|staff|ведущ\p{L}+|руководител\p{L}+|начальник"
        r"|главн\p{L}+|заведующ\p{L}+|supervisor|супервайзер|управляющ\p{L}+|лид|manager of managers",
    ),
    ("senior", r"senior|sr|старш\p{L}+|сеньор|синьор|expert|эксперт"),
)


def career_level(titles: pl.Series) -> pl.Series:
    """Level that each title states in Russian or English words (features.schemas.CAREER_LEVELS); null if none."""
    words = (
        pl.col("title")
        .fill_null("")
        .str.to_lowercase()
        .str.replace_all("ё", "е", literal=True)
        .str.replace_all(r"арт[ -]директор|art director|creative director|креативный директор", " ведущий ")
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
    )
    level = pl.lit(None, pl.String)
    for name, pattern in reversed(_LEVEL_WORDS):
        level = pl.when(pl.col("title").str.contains(f" (?:{pattern}) ")).then(pl.lit(name)).otherwise(level)
    return (
        pl.DataFrame({"title": titles.cast(pl.String)})
        .with_columns(title=pl.format(" {} ", words).str.replace_all(_NO_LEVEL, " "))
        .select(level.alias(titles.name))[titles.name]
    )
