"""The vocabulary of skills: canonical names, aliases in Russian and English, and the search for them in texts.

Rarity, levels and the matching of users and jobs are elsewhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import yaml

from features.errors import VocabularyError
from features.schemas.table import STRINGS
from features.text.phrases import PhraseMatcher, lookup_key, require_unique_keys

MATCH_MODES = ("any", "case", "context", "name", "domain")
_GIVEN_NAME = r"(?:Julia|Pascal|Ruby|Jasmine|Crystal)"
# Texts that look like a skill and are none: lists of single letters (grades, licence categories), English phrases.
_FALSE_FRIENDS = (
    r"(?i)(?:https?://|www\.)\S+|\S+@\S+\.\S+",
    r"(?i:категори[а-я]+|кат\.)[\s:«\x22(]*[A-EА-Е]1?(?:[\s,/и+»\x22]+[A-EА-Е]1?(?-u:\b))*",
    r"(?-u:\b)[A-Z](?-u:\b)\s*,\s*[ABD-QS-Z](?-u:\b)(?:\s*,\s*[A-Z](?-u:\b))*",
    r"(?-u:\b)[ABD-QS-Z](?-u:\b)\s*,\s*[CR](?-u:\b)(?:\s*,\s*[A-Z](?-u:\b))*",
    r"(?-u:\b)(?:Excel (?:at|in|as|under)|React (?:to|quickly)|Access to|Word of"
    r"|Spring (?:20|[Bb]reak|[Ss]emester|[Ss]ummer)|Swift (?:response|action)|Rust (?:removal|proof)"
    r"|Express (?:your|delivery|interest)|Teams (?:of|that|who|are)|Spring into|Spark (?:of|your|joy|curiosity|ideas?)"
    r"|Salt and [Pp]epper|Ruby (?:wedding|anniversary)|Snowflakes?\s+(?:in|on))",
    # The nationality of people or places, not a language that is spoken at work.
    r"(?-u:\b)(?:English|Spanish|German|French|Italian|Chinese|Japanese|Polish|Turkish|Korean|Arabic|Portuguese|Dutch)"
    r"\s(?:compan|market|client|customer|startup|start-up|team|office|government|law|tax|bank|brand|retail|citizen"
    r"|national|engineering|manufacturer|subsidiar|-speaking countr)\p{L}*",
    # Lessons that a company gives its employees.
    r"(?i)(?:корпоративн\p{L}+|бесплатн\p{L}+)\s(?:(?:уроки|курсы|занятия)\s)?английск\p{L}+(?:\sязык\p{L}*)?"
    r"|(?:^|[^\p{L}])(?:уроки|курсы|занятия|изучение)\sанглийского(?:\sязыка)?"
    r"|(?-u:\b)English\s(?:lessons|classes|courses)(?-u:\b)",
    # French for a view.
    r"(?-u:\b)Vue\s(?:sur|de|d['’]|panoramique|imprenable|dégagée|mer|globale)",
    # Towns and people: "Phoenix, AZ", "Arbeitsort: Rust", "Reports to Ruby Chen", "Julia Novak, HR".
    r"(?-u:\b)(?:Phoenix,?\s(?:AZ|Arizona)|Cypress,?\s(?:TX|CA|Texas|California)|Java,?\sIndonesia"
    r"|(?:West|East|Central)\sJava)(?-u:\b)|(?-u:\b)Rust\s?\(Europa|Europa-?\s?Park\sRust",
    r"(?-u:\b)(?i:arbeitsort|standort|einsatzort|dienstort|location|lieu|based in|located in|office in|relocate to)"
    r":?\s(?:Rust|Phoenix|Cypress|Java)(?-u:\b)",
    rf"(?-u:\b)(?i:ansprechpartner(?:in)?|ansprechperson|kontakt(?:person)?|contacto?|bewerbung(?:en)? an|reports? to"
    rf"|reporting to|recruiter|manager|frau|herrn?|mr\.?|ms\.?|mrs\.?|mme|ask for|speak (?:to|with)|interview with)"
    rf":?\s{_GIVEN_NAME}\s\p{{Lu}}\p{{Ll}}+",
    rf"(?-u:\b){_GIVEN_NAME}\s\p{{Lu}}\p{{Ll}}+(?:,\s(?:HR|CEO|CTO|Head|Recruiter|Talent)(?-u:\b)"
    r"|\s(?:will (?:interview|call|contact|be your|meet)|is your))",
)
_LIST_MARK = r"[,;:/|•·\n\r()\[\]\t]"
_BEFORE = (
    rf"(^|{_LIST_MARK}\s*|(?i:(?:^|\s)(?:and|or|with|in|use|using|know|need|нужен|нужна|нужно|нужны|используем|и|или|на|с|со|в|знани[а-я]+|like"
    r"|(?:knowledge|understanding|command|proficiency|experience) (?:of|in)|such as|e\.g\.|например)\s))"
)
_AFTER = rf"(\s*{_LIST_MARK}|\s*$|\.(?:\s|$)|\s+(?i:and|or|и|или)\s)"
_STRONG_BEFORE = (
    r"(?i:((?:programming language|language|языка?(?: программирования)?|языке|программировани[а-я]+ на"
    r"|разработк[а-я]+ на|written in|developing in|programming in|experience (?:with|in|of)|proficien[a-z]+ in|ms"
    r"|microsoft) ))"
)
_STRONG_AFTER = (
    r"([\s-]+(?i:developers?|programmers?|programming|engineers?|language|backend|microservices?|services|разработчик"
    r"|программист|scripting|scripts|studio|shiny|back-?end))"
)
# "пишем на Go": after the Russian "на", a Latin word is a programming language.
_WRITTEN_ON = r"(\s(?i:на) )"
_DOMAIN_MARK = "?"  # before the name of a skill that counts only if the rest of the text is of its trade
# A word of two trades counts if its own trade has at least this share of the evidence of the strongest other one.
_DOMAIN_SHARE = 0.5
_SKILL_MARK = "zqx"  # put before an ambiguous word whose context shows that the skill is meant


@dataclass(frozen=True)
class SkillVocabulary:
    """Canonical skills. `skills` has columns skill, kind, match, aliases, broader, adjacent (the last three lists)."""

    skills: pl.DataFrame
    categories: dict[str, list[str]]
    domains: pl.DataFrame  # domain, kinds (List), words (a pattern)

    @classmethod
    def load(cls, folder: Path) -> "SkillVocabulary":
        """Reads the files of skills in `folder`; raises VocabularyError with the contradictions."""
        path = folder / "skills.csv"
        frame = pl.read_csv(path, schema_overrides=dict.fromkeys(_COLUMNS, pl.String))
        if frame.columns != list(_COLUMNS):
            raise VocabularyError(f"{path}: columns {frame.columns}; expected {list(_COLUMNS)}")
        frame = frame.with_columns(_split(column) for column in ("aliases", "broader", "adjacent"))
        categories = yaml.safe_load((folder / "categories.yaml").read_text(encoding="utf-8"))
        domains = yaml.safe_load((folder / "skill_domains.yaml").read_text(encoding="utf-8"))
        _check(frame, categories, path)
        rows = [
            {"domain": name, "kinds": one["kinds"], "words": "|".join(one["words"])} for name, one in domains.items()
        ]
        return cls(frame, categories, pl.DataFrame(rows))

    @cached_property
    def names(self) -> frozenset[str]:
        """All canonical names."""
        return frozenset(self.skills["skill"])

    @cached_property
    def spellings(self) -> pl.DataFrame:
        """Every spelling of a skill: columns skill, phrase, match (the mode of matching in running text), key."""
        return _spellings(self.skills)

    @cached_property
    def related(self) -> pl.DataFrame:
        """Columns skill, related, relation (broader or adjacent, adjacency both ways), one row per pair, sorted."""
        pairs = [
            self.skills.select("skill", related=pl.col(column), relation=pl.lit(column)).explode("related").drop_nulls()
            for column in ("broader", "adjacent")
        ]
        back = pairs[1].select(skill="related", related="skill", relation="relation")
        return pl.concat([*pairs, back]).unique().sort("skill", "relation", "related")

    def canonical_names(self, names: pl.Series) -> pl.Series:
        """Canonical name of each skill given in any known spelling; null if unknown."""
        # A version number at the end does not change the skill: "Python 3.11".
        exact = lookup_key(pl.col("name"))
        keys = pl.DataFrame({"name": names}, schema={"name": pl.String}).select(
            exact.alias("key"), exact.str.replace(r"(?:\s+\p{N}+)+$", "").alias("versionless")
        )
        versionless = self._by_key.rename({"key": "versionless", "canonical": "without_version"})
        return (
            keys.join(self._by_key, on="key", how="left", maintain_order="left")
            .join(versionless, on="versionless", how="left", maintain_order="left")
            .select(pl.coalesce("canonical", "without_version"))
            .to_series()
        )

    def canonicalise(self, lists: pl.Series) -> pl.Series:
        """Each list in canonical names, each once, sorted; unknown names are trimmed and kept, null becomes empty."""
        rows = pl.DataFrame({"name": lists.cast(STRINGS)}).with_row_index("row")
        long = rows.explode("name").with_columns(pl.col("name").str.strip_chars())
        long = long.filter(pl.col("name").str.len_bytes() > 0)
        distinct = long.select(pl.col("name").unique().sort())
        known = distinct.with_columns(canonical=self.canonical_names(distinct["name"]))
        grouped = (
            long.join(known, on="name")
            .with_columns(canonical=pl.coalesce("canonical", "name"))
            .group_by("row")
            .agg(pl.col("canonical").unique().sort())
        )
        return lists_by_row(grouped, len(lists)).alias(lists.name)

    def find(self, texts: pl.Series) -> pl.Series:
        """Canonical names of the skills that each text mentions, each once, sorted; List[String], never null."""
        matches = self._matcher.matches(texts, rewritten=self._disambiguated)
        found = matches.select("row", canonical="meaning").unique()
        is_clear = ~pl.col("canonical").str.starts_with(_DOMAIN_MARK)
        clear, of_two_trades = found.filter(is_clear), found.filter(~is_clear)
        if of_two_trades.height:
            asked = of_two_trades.with_columns(pl.col("canonical").str.strip_prefix(_DOMAIN_MARK))
            clear = pl.concat([clear, self._of_the_trade(asked, clear, texts)]).unique()
        grouped = clear.group_by("row").agg(pl.col("canonical").sort())
        return lists_by_row(grouped, len(texts)).alias(texts.name)

    def _of_the_trade(self, ambiguous: pl.DataFrame, clear: pl.DataFrame, texts: pl.Series) -> pl.DataFrame:
        """The rows of `ambiguous` (row, canonical) whose trade the rest of the text speaks of, or no other trade.

        Evidence of a trade are the other skills of its kinds and the words of skill_domains.yaml, each once.
        """
        rows = ambiguous.select("row").unique().sort("row")
        text = pl.DataFrame({"row": rows["row"], "text": texts.gather(rows["row"]).str.to_lowercase()})
        words = [
            text.select(
                "row",
                domain=pl.lit(domain["domain"]),
                n=pl.col("text").str.extract_all(domain["words"]).list.unique().list.len(),
            )
            for domain in self.domains.iter_rows(named=True)
        ]
        skills = (
            clear.join(rows, on="row", how="semi")
            .join(self._domain_of_skill, on="canonical")
            .group_by("row", "domain")
            .agg(n=pl.len())
        )
        evidence = pl.concat([skills, *words]).group_by("row", "domain").agg(pl.col("n").sum())
        wanted = ambiguous.join(self._domain_of_skill, on="canonical").rename({"domain": "own"})
        judged = (
            wanted.join(evidence, on="row")
            .group_by("row", "canonical")
            .agg(
                own=pl.col("n").filter(pl.col("domain") == pl.col("own")).sum(),
                other=pl.col("n").filter(pl.col("domain") != pl.col("own")).max().fill_null(0),
            )
        )
        is_meant = (pl.col("other") == 0) | ((pl.col("own") > 0) & (pl.col("own") >= _DOMAIN_SHARE * pl.col("other")))
        return judged.filter(is_meant).select("row", "canonical")

    @cached_property
    def _domain_of_skill(self) -> pl.DataFrame:
        """Columns canonical, domain; skills of neutral kinds, such as soft skills, have none."""
        kinds = self.domains.select("domain", kind="kinds").explode("kind")
        return self.skills.select("kind", canonical="skill").join(kinds, on="kind").select("canonical", "domain")

    def expand_categories(self, names: Iterable[str]) -> list[str]:
        """Skills of the categories with these names in any case, sorted; an unknown category has none."""
        keys = {name.strip().lower().replace(" ", "_").replace("-", "_") for name in names}
        return sorted({skill for key in keys for skill in self.categories.get(key, [])})

    @cached_property
    def _disambiguated(self) -> pl.Expr:
        words = self.spellings.filter(pl.col("match") == "context")["phrase"].to_list()
        return disambiguate(pl.col("text"), words)

    @cached_property
    def _matcher(self) -> PhraseMatcher:
        rows = self.spellings.filter(pl.col("match") != "name").with_columns(
            phrase=pl.when(pl.col("match") == "context")
            .then(pl.concat_str(pl.lit(_SKILL_MARK), pl.col("phrase").str.to_lowercase()))
            .otherwise("phrase")
        )
        exact = rows.filter(pl.col("match") == "case")["phrase"].to_list()
        meaning = pl.when(pl.col("match") == "domain").then(_DOMAIN_MARK + pl.col("skill")).otherwise("skill")
        return PhraseMatcher.of(dict(rows.select("phrase", meaning.alias("meaning")).iter_rows()), exact_case=exact)

    @cached_property
    def _by_key(self) -> pl.DataFrame:
        return self.spellings.select("key", canonical="skill").unique("key", keep="first", maintain_order=True)


def disambiguate(text: pl.Expr, context_words: list[str]) -> pl.Expr:
    """The text with a mark before each ambiguous word (Go, R, C…) whose context shows that the skill is meant."""
    for pattern in _FALSE_FRIENDS:
        text = text.str.replace_all(pattern, " , ")
    if context_words:
        word = "(" + "|".join(sorted(context_words, key=lambda w: (-len(w), w))) + ")"
        # Neighbours in a list share a separator, which one match consumes; the second pass finds the others.
        for _ in range(2):
            text = text.str.replace_all(rf"{_BEFORE}{word}{_AFTER}", f"${{1}}{_SKILL_MARK}${{2}}${{3}}")
        text = text.str.replace_all(rf"{_WRITTEN_ON}(Go|R|C|Dart)(?-u:\b)", f"${{1}}{_SKILL_MARK}${{2}}")
        text = text.str.replace_all(rf"{_STRONG_BEFORE}{word}(?-u:\b)", f"${{1}}{_SKILL_MARK}${{2}}")
        text = text.str.replace_all(rf"(^|[^\p{{L}}\p{{N}}-]){word}{_STRONG_AFTER}", f"${{1}}{_SKILL_MARK}${{2}}${{3}}")
    return text


_COLUMNS = ("skill", "kind", "match", "aliases", "broader", "adjacent")


def _split(column: str) -> pl.Expr:
    values = pl.col(column).fill_null("").str.split("|")
    return values.list.eval(pl.element().str.strip_chars().filter(pl.element().str.strip_chars() != "")).alias(column)


def _spellings(skills: pl.DataFrame) -> pl.DataFrame:
    """The name and the aliases of each skill; `=Alias` exact case, `~Alias` in context, `-Alias` whole, `?Alias` only
    beside other skills of its trade.
    """
    names = skills.select("skill", "match", phrase="skill")
    aliases = skills.select("skill", phrase="aliases").explode("phrase").drop_nulls("phrase")
    marked = aliases.with_columns(
        match=pl.col("phrase")
        .str.head(1)
        .replace_strict({"=": "case", "~": "context", "-": "name", "?": "domain"}, default="any"),
        phrase=pl.col("phrase").str.replace("^[=~?-]", ""),
    )
    both = pl.concat([names, marked.select(names.columns)]).select("skill", "phrase", "match")
    return both.with_columns(key=lookup_key(pl.col("phrase")))


def lists_by_row(grouped: pl.DataFrame, n_rows: int, *, dtype: pl.List = STRINGS) -> pl.Series:
    """The lists of `grouped` (row and one more column) for the rows 0 to `n_rows`; empty lists for missing rows."""
    rows = pl.DataFrame({"row": pl.int_range(n_rows, dtype=pl.UInt32, eager=True)})
    joined = rows.join(grouped, on="row", how="left", maintain_order="left").drop("row")
    return joined.select(pl.all().fill_null(pl.lit([], dtype)).cast(dtype)).to_series()


def _check(skills: pl.DataFrame, categories: object, path: Path) -> None:
    wrong_mode = skills.filter(~pl.col("match").is_in(MATCH_MODES))
    if wrong_mode.height:
        raise VocabularyError(
            f"{path}: match {wrong_mode['match'][0]!r} of {wrong_mode['skill'][0]!r}: one of {MATCH_MODES}"
        )
    require_unique_keys(_spellings(skills), of="skill", path=path)
    names = set(skills["skill"])
    if not isinstance(categories, dict):
        raise VocabularyError(f"{path.parent / 'categories.yaml'}: expected a mapping of category to skills")
    uses = [(column, n) for column in ("broader", "adjacent") for n in skills[column].explode().drop_nulls()]
    uses += [(f"category {key}", name) for key, listed in categories.items() for name in listed]
    unknown = sorted({f"{where}: {name}" for where, name in uses if name not in names})
    if unknown:
        raise VocabularyError(f"{path.parent}: names of no skill: {unknown[:20]}")
