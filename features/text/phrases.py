"""Search for many phrases in many texts: the normal form of a text, and one Aho-Corasick pass over it.

The vocabularies (skills, roles) define the phrases, and the rewrites that ambiguous words need.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.errors import VocabularyError

# Letters whose lower case has another length in UTF-8 would shift the byte offsets between the two cases of a text.
_LENGTH_CHANGING = "".join(
    char for char in map(chr, range(128, 0x1E9F)) if len(char.lower().encode()) != len(char.encode())
)
_LENGTH_CHANGING_CLASS = f"[{_LENGTH_CHANGING}\u1e9e\u2126\u212a\u212bȺȾ]"
# A light stemmer: Russian endings are cut if at least three letters remain, so that "продажами", "продаж" and "продажи"
# are one word. Phrases are cut in the same way, so an odd stem does no harm.
_RUSSIAN_ENDING = (
    r"([а-яА-Я]{3})(?i:иями|ями|ами|иях|ях|ах|иям|ием|ией|ого|его|ому|ему|ыми|ими|ей|ой|ий|ый|ая|яя|ое|ее|ие|ые"
    r"|ым|им|ых|их|ую|юю|ом|ем|ам|ям|ов|ев|ия|ию|ии|ы|и|а|я|о|е|у|ю|ь|й) "
)
# Stems whose last letters look like an ending: "систему" would lose more than "системы".
_LIKE_ENDING = r"(?i)(систем|схем|проблем)(?:а|ы|е|у|ой|ами|ах|ам)? "
# Names with meaningful punctuation become words before punctuation is removed. Both alphabets have a letter C.
_SIGNS = (
    (r"(?i)(^|[^\p{L}\p{N}])[cс]\+\+", "$1 cplusplus "),
    (r"(?i)(^|[^\p{L}\p{N}])[cс]#", "$1 csharp "),
    (r"(?i)(^|[^\p{L}\p{N}])([fj])#", "$1 ${2}sharp "),
    (r"(?i)(asp|vb|ado|ml)\.net", "${1}dotnet "),
    (r"(?i)(^|[^\p{L}\p{N}])\.net", "$1 dotnet"),
)
# Ends a clause or an item of a list: no phrase crosses it ("Jira, Confluence" is no product of Jira).
_BREAK = "‖"
# Letters that look alike in both alphabets, Latin and Cyrillic.
_LOOKALIKES = tuple(zip("aceopxykmtbhABCEHKMOPTXY", "асеорхукмтвнАВСЕНКМОРТХУ", strict=True))
_MIXED = r"[a-zA-Z]{2}[а-яА-Я]|[а-яА-Я][a-zA-Z]{2}|[а-яА-Я]{2}[a-zA-Z]|[a-zA-Z][а-яА-Я]{2}"
_TEXT = pl.col("text")
_MIN_ROWS_PER_PLAN = 500
_ROWS_AT_ONCE = 20_000  # bounds the memory of `find`: a few copies of this many texts


def normal_form(texts: pl.Expr) -> pl.Expr:
    """Words of a text in their own case: punctuation gone, ё as е, Russian endings cut, two spaces between words.

    A phrase is searched with a space at both ends; two spaces keep neighbouring phrases from sharing one.
    """
    words = texts.fill_null("")
    for pattern, replacement in _SIGNS:
        words = words.str.replace_all(pattern, replacement)
    words = (
        words.str.replace_all(_LENGTH_CHANGING_CLASS, "_")
        .str.replace_many(["ё", "Ё", _BREAK], ["е", "Е", " "])
        .str.replace_all(r"\s*(?:[,;|•!?\n]+|\.\s)\s*", _BREAK)
        .str.replace_all(rf"[^\p{{L}}\p{{N}}{_BREAK}]+", "  ")
        .str.replace_all(_BREAK, f"  {_BREAK}  ", literal=True)
    )
    return pl.format("  {}  ", words).str.replace_all(_LIKE_ENDING, "${1}ы ").str.replace_all(_RUSSIAN_ENDING, "$1 ")


def lookup_key(names: pl.Expr) -> pl.Expr:
    """Key that is equal for two spellings of one name: the lower-case normal form without outer spaces."""
    return normal_form(names.str.to_lowercase()).str.strip_chars(f" {_BREAK}")


def require_unique_keys(spellings: pl.DataFrame, *, of: str, path: Path) -> None:
    """Raises VocabularyError if a `key` of `spellings` belongs to two values of the column `of`; they are named."""
    clashes = spellings.group_by("key").agg(pl.col(of).unique().sort(), pl.col("phrase").first())
    clashes = clashes.filter(pl.col(of).list.len() > 1).sort("key")
    if clashes.height:
        shown = "; ".join(f"{row['phrase']!r}: {row[of]}" for row in clashes.head(20).iter_rows(named=True))
        raise VocabularyError(f"{path}: {clashes.height} spellings that point to more than one {of}: {shown}")


def one_alphabet(texts: pl.Series) -> pl.Series:
    """Texts in which words of mixed alphabets are written in one: "Doсker" with a Cyrillic letter becomes Docker."""
    is_mixed = texts.str.contains(_MIXED).fill_null(value=False)
    if not is_mixed.any():
        return texts
    mixed = pl.col("text")
    for latin, cyrillic in _LOOKALIKES:
        mixed = mixed.str.replace_all(rf"([a-zA-Z]{{2}}){cyrillic}|{cyrillic}([a-zA-Z]{{2}})", f"${{1}}{latin}${{2}}")
        mixed = mixed.str.replace_all(rf"([а-яА-Я]{{2}}){latin}|{latin}([а-яА-Я]{{2}})", f"${{1}}{cyrillic}${{2}}")
    repaired = texts.filter(is_mixed).to_frame("text").select(mixed)["text"]
    return texts.clone().scatter(is_mixed.arg_true(), repaired)  # scatter writes into its own series


@dataclass(frozen=True)
class PhraseMatcher:
    """Finds phrases in texts: whole words only, the leftmost first, then the longest.

    `phrases` has columns pattern (lower-case normal form, spaces at both ends), spelling (normal form in the only
    case that counts; null if any case does) and meaning.
    """

    phrases: pl.DataFrame

    @classmethod
    def of(cls, meanings: Mapping[str, str], *, exact_case: Sequence[str] = ()) -> "PhraseMatcher":
        """Matcher of phrase → meaning, where the phrases in `exact_case` count only as spelt."""
        frame = pl.DataFrame(
            {"phrase": list(meanings), "meaning": list(meanings.values())},
            schema={"phrase": pl.String, "meaning": pl.String},
        ).with_columns(spelling=pl.format(" {} ", normal_form(pl.col("phrase")).str.strip_chars()))
        phrases = (
            frame.with_columns(
                pattern=pl.col("spelling").str.to_lowercase(),
                spelling=pl.when(pl.col("phrase").is_in(list(exact_case))).then("spelling"),
            )
            .filter(pl.col("pattern").str.len_bytes() > 2)
            .unique("pattern", keep="first", maintain_order=True)
            .sort(pl.col("pattern").str.len_bytes(), "pattern", descending=[True, False])
            .select("pattern", "spelling", "meaning")
        )
        return cls(phrases)

    def matches(self, texts: pl.Series, *, rewritten: pl.Expr = _TEXT) -> pl.DataFrame:
        """One row per match: row (index into `texts`), offset, length (bytes in the normal form), meaning.

        `rewritten` is the text to search, made of the column `text`.
        """
        found = [
            pl.DataFrame(schema={"row": pl.UInt32, "offset": pl.UInt32, "length": pl.UInt32, "meaning": pl.String})
        ]
        for start in range(0, len(texts), _ROWS_AT_ONCE):
            batch = one_alphabet(texts.slice(start, _ROWS_AT_ONCE).cast(pl.String)).to_frame("text")
            # String functions use one thread per plan, hence one plan per thread.
            n_rows = max(-(-batch.height // pl.thread_pool_size()), _MIN_ROWS_PER_PLAN)
            plans = [
                self._plan(batch.slice(first, n_rows).lazy(), rewritten, first_row=start + first)
                for first in range(0, batch.height, n_rows)
            ]
            found.extend(pl.collect_all(plans))
        return pl.concat(found)

    def _plan(self, texts: pl.LazyFrame, rewritten: pl.Expr, *, first_row: int) -> pl.LazyFrame:
        patterns = self.phrases["pattern"].to_list()
        lower = pl.col("text").str.to_lowercase()
        at_place = pl.col("text").cast(pl.Binary).bin.slice("offset", pl.col("pattern").str.len_bytes())
        return (
            texts.select(text=normal_form(rewritten))
            .with_columns(lower=lower)
            # Two searches give the phrases and their offsets, in the same order.
            .with_columns(
                pl.col("lower").str.extract_many(patterns, leftmost=True).alias("pattern"),
                pl.col("lower").str.find_many(patterns, leftmost=True).alias("offset"),
            )
            .with_row_index("row", offset=first_row)
            .filter(pl.col("pattern").list.len() > 0)
            .select("row", "text", "pattern", "offset")
            .explode("pattern", "offset")
            .join(self.phrases.lazy(), on="pattern", how="left", maintain_order="left")
            .filter(pl.col("spelling").is_null() | (at_place == pl.col("spelling").cast(pl.Binary)))
            .select("row", "offset", pl.col("pattern").str.len_bytes().alias("length"), "meaning")
        )
