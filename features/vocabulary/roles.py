"""Slugs of job roles from titles in Russian or English, and the career level that a title states.

The skills that a role requires are computed elsewhere.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from features.errors import VocabularyError
from features.text.normalise import first_match
from features.text.phrases import PhraseMatcher, lookup_key, require_unique_keys

_COLUMNS = ("role", "family", "name_en", "name_ru", "aliases")


@dataclass(frozen=True)
class Roles:
    """Known roles. `table` has columns role, family, name_en, name_ru, aliases (list)."""

    table: pl.DataFrame

    @classmethod
    def load(cls, folder: Path) -> "Roles":
        """Reads roles.csv of `folder`; raises VocabularyError for a spelling of two roles."""
        path = folder / "roles.csv"
        frame = pl.read_csv(path, infer_schema=False)
        if frame.columns != list(_COLUMNS):
            raise VocabularyError(f"{path}: columns {frame.columns}; expected {list(_COLUMNS)}")
        roles = cls(frame.with_columns(pl.col("aliases").fill_null("").str.split("|")))
        require_unique_keys(roles._phrases, of="role", path=path)
        return roles

    @cached_property
    def names(self) -> pl.DataFrame:
        """Columns slug, name_en, name_ru, family, one row per role, sorted by slug."""
        return self.table.select(pl.col("role").alias("slug"), "name_en", "name_ru", "family").sort("slug")

    def canonicalise(self, titles: pl.Series) -> pl.Series:
        """Slug of the role that each title names, or null: by the longest known name in it, then the first.

        A slug is also a known name, so canonicalising twice changes nothing.
        """
        distinct = pl.DataFrame({"title": titles.cast(pl.String)}).select(pl.col("title").unique().sort())["title"]
        spoken = distinct.str.replace_all("_", " ", literal=True).str.replace_all(_OTHER_ROLE, "$1 ")
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


# Words of a role within another title, which the first group keeps: "chef de projet" cooks nothing, and a driver of the
# director is no director.
_OTHER_ROLE = (
    r"(?i)\bchefs? (?:(?:des|du|vom|till) |d['’] ?|de l['’] ?|de la )\p{L}+"
    r"|\bchefs? de (?:[^cp\s]\p{L}*|c(?:[^uo\s]|u[^i\s]|o[^c\s])\p{L}*|p(?:[^aâr\s]|a[^rst\s]|r[^o\s]|ro[^j\s])\p{L}*)"
    r"|\b(?:hr|it|pr|marketing)[- ]chef\b|\bchief of staff\b|\bvice[- ]president\b"
    r"|((?:водител|секретар|референт|делопроизводител)\p{L}*) (?:к )?(?:\p{L}+(?:ого|ому) )?директор[ау]\b"
)
_CHIEFS = r"(?:ceo|cto|cfo|coo|cmo|cio|cpo|vp|vice president|president|founders?|director|head|chief \p{L}+ officer)"
# Phrases that contain the word of a level and state no level.
_NO_LEVEL = (
    rf" (?:(?:assistant|secretary|driver|chauffeur|advis[eo]r|ea|pa) (?:to|for) (?:the )?(?:managing )?{_CHIEFS}"
    rf"|office of the {_CHIEFS}|founders? s? ?associate"
    r"|mid(?:dle)? (?:school|office|east|market|mile|size\p{L}*|cap|atlantic|west)|junior (?:high|school|college)"
    r"|(?:director of photography|(?:funeral|music|choir|casting) director)"
    r"|graduate (?:school|admissions?|studies|college|education|enrol\p{L}*|recruit\p{L}*)|head (?:start|office|hunter)"
    r"|lead (?:times?|paint|poisoning|abatement|management|qualification|acquisition|nurturing|conversion|scoring)"
    r"|lead generation|leads?[ -]?gen\p{L}*|executive (?:assistant|search|recruit\p{L}*|producer|housekeeper)"
    r"|(?:помощник|ассистент|секретар|водител|референт)\p{L}* (?:к )?(?:\p{L}+(?:ого|ому) )?"
    r"(?:директор[ау]|руководител[яю])"
    r"|ведущ\p{L}+ (?:мероприяти|праздников|эфира|подкаста|концерт|свадеб|корпоратив|шоу|вебинар)\p{L}*"
    r"|middle ?ware|senior (?:care|living|services|caregivers?|homes?|citizens?|centers?|companions?)|thought leader"
    r"|(?:менеджер|специалист) по работе с руководителями|scrum master|школьный директор) "
)
# Titles of leads whose words name a higher level or none: read as "ведущий".
_LEADS = (
    r"арт директор|art director|creative director|креативный директор|executive chef|шеф повар|chief accountant"
    r"|chief (?:engineer|architect|designer|of staff)|бригадир\p{L}*|foreman|мастер (?:участка|смены)|прораб\p{L}*"
    r"|(?:директор|управляющ\p{L}+) (?:магазин|ресторан|кафе|клуб|аптек|отел|салон|филиал|школ|лагер|супермаркет|торгов"
    r"|склад|детск)\p{L}*|store director|заместител\p{L}+ (?:руководителя|начальника|заведующ\p{L}+|управляющ\p{L}+)"
    r"|staff (?:\p{L}+ ){0,2}(?:engineer|developer|scientist|designer|architect|researcher|programmer|sre)"
)
# Grades in Roman numerals: "Software Engineer II".
_GRADED = (
    "(?:engineer|developer|programmer|scientist|analyst|designer|specialist|administrator|technician|accountant|tester)"
)
# From the most to the least informative word; a title for two grades ("Junior/Middle") asks for the lower one.
_LEVEL_WORDS = (
    (
        "intern",
        r"intern|interns|internship|trainee|стажер\p{L}*|практикант\p{L}*|стажировка|working student|werkstudent",
    ),
    (
        "junior",
        r"junior|jr|jun|младш\p{L}+|джуниор|джун|entry level|начинающ\p{L}+|без опыта|graduate|выпускник\p{L}*|"
        + _GRADED
        + " i",
    ),
    (
        "executive",
        r"chief \p{L}+ officer|chief \p{L}+ \p{L}+ officer|ceo|cto|cfo|coo|cmo|cio|cpo|ciso|chro|cco|vp|vice president"
        r"|(?:генеральн|исполнительн|финансов|коммерческ|операционн|техническ)\p{L}* директор|директор по \p{L}+"
        r"|директор|director|managing director|president|founder|co founder|заместител\p{L}+ (?:\p{L}+ )?директора",
    ),
    ("middle", r"middle|mid|mid level|миддл|мидл|intermediate|medior|" + _GRADED + " ii"),
    (
        "lead",
        r"lead|leading|leader|teamlead|teamleader|techlead|тимлид|техлид|head|head of|principal|ведущ\p{L}+"
        r"|руководител\p{L}+|начальник|главн\p{L}+|заведующ\p{L}+|supervisor|супервайзер|управляющ\p{L}+|лид"
        r"|manager of managers|" + _GRADED + " iv",
    ),
    ("senior", r"senior|sr|старш\p{L}+|сеньор|синьор|expert|эксперт|" + _GRADED + " iii"),
)


def career_level(titles: pl.Series) -> pl.Series:
    """Level that each title states in Russian or English words (CAREER_LEVELS); null if there is none."""
    words = (
        pl.col("title")
        .fill_null("")
        .str.to_lowercase()
        .str.replace_all("ё", "е", literal=True)
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
    )
    level = first_match(pl.col("title"), ((name, f" (?:{pattern}) ") for name, pattern in _LEVEL_WORDS))
    return (
        pl.DataFrame({"title": titles.cast(pl.String)})
        .with_columns(title=pl.format(" {} ", words).str.replace_all(f" (?:{_LEADS}) ", " ведущий "))
        .with_columns(title=pl.col("title").str.replace_all(_NO_LEVEL, " "))
        .select(level.alias(titles.name))[titles.name]
    )
