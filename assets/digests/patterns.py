"""Templates as patterns that whole columns are written into: a template runs once, not once a digest.

A template writes `{{ field.title }}` where a column goes. The comments `<!--{job-->` and `<!--}job-->` enclose a block:
a pattern of its own, in whose place its parent has a field of that name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import css_inline
import polars as pl
import yaml
from markupsafe import Markup

_FOLDER = Path(__file__).resolve().parent
_FIELD = re.compile("\ue000(\\w+)\ue001")
_BLOCK = re.compile(r"[ \t]*<!--\{(\w+)-->\n?(.*?)[ \t]*<!--\}\1-->\n?", re.DOTALL)
# Private-use characters delimit fields; control characters are not allowed in HTML and of no use in a text.
_FORBIDDEN = "[\ue000\ue001\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\ufdd0-\ufdef\ufffe\uffff]"
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}


class _Fields:
    """`field.title` in a template is the place of the column `title`."""

    def __getattr__(self, name: str) -> Markup:
        return Markup(f"\ue000{name}\ue001")  # noqa: S704 - a name in a template of ours


@dataclass(frozen=True)
class Pattern:
    """Texts with the names of fields between them, and the patterns of the blocks inside."""

    texts: tuple[str, ...]
    fields: tuple[str, ...]
    blocks: Mapping[str, "Pattern"] = field(default_factory=dict)

    @classmethod
    def of(cls, source: str) -> "Pattern":
        """The pattern of a template's output."""
        blocks: dict[str, Pattern] = {}

        def as_field(found: re.Match[str]) -> str:
            blocks[found[1]] = cls.of(found[2])
            return f"\ue000{found[1]}\ue001"

        texts = _FIELD.split(_BLOCK.sub(as_field, source))
        return cls(tuple(texts[::2]), tuple(texts[1::2]), blocks)

    def block(self, *names: str) -> "Pattern":
        """The pattern of a block, inside of the blocks named before it."""
        found = self
        for name in names:
            found = found.blocks[name]
        return found

    def filled(self, **columns: pl.Expr | str) -> pl.Expr:
        """The pattern with columns in its fields: those given, else those of the fields' names. Null is empty."""
        parts: list[pl.Expr] = []
        for text, name in zip(self.texts, [*self.fields, ""], strict=True):
            parts += [pl.lit(text)] if text else []
            given = columns.get(name, name)
            parts += [(pl.col(given) if isinstance(given, str) else given).fill_null("")] if name else []
        return pl.concat_str(parts)


def plain(text: pl.Expr, *, longest: int) -> pl.Expr:
    """A text of others as one line of at most `longest` characters, null if nothing is left."""
    line = text.str.replace_all(_FORBIDDEN, " ").str.replace_all(r"\s+", " ").str.strip_chars()
    cut = line.str.head(longest - 1).str.strip_chars_end() + "…"
    return pl.when(line.str.len_chars() > longest).then(cut).when(line != "").then(line)


def escaped(text: pl.Expr) -> pl.Expr:
    """A text as HTML, also within an attribute."""
    return text.str.replace_many(_ESCAPED)


@cache
def pattern(template: str, language: str) -> Pattern:
    """The pattern of a template in a language; the styles of an HTML template are moved into its elements."""
    import jinja2  # takes a twentieth of a second, and most runs make no digests

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = texts()[language]
    made = environment.get_template(template).render(words=words, language=language, field=_Fields())
    if template.endswith(".html.j2"):
        inliner = css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)
        made = inliner.inline(made)
        # Rules that can't be moved come first in the head, but the charset must be there.
        made = re.sub(r"(<head>)(<style>.*?</style>)(.*?)(</head>)", r"\1\3\2\4", made, count=1, flags=re.DOTALL)
    return Pattern.of(made)


@cache
def texts() -> Mapping[str, Mapping[str, Any]]:
    """The digest's own words by language."""
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((_FOLDER / "texts.yaml").read_text(encoding="utf-8"))
    return loaded
