"""Text that was refused, without what tells how to reach a person. What a profile keeps is not decided here."""

import polars as pl

_FIELDS = "full_?name|first_?name|last_?name|e-?mail|phone"
_QUOTED = rf"""(?i)(["'](?:{_FIELDS})["']\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^,}}\s]+)"""
_ADDRESS = r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)*|\+\d[\d ().-]{8,18}\d"


def contacts_struck_out(text: pl.Expr) -> pl.Expr:
    """`text` with e-mail addresses, phone numbers with a plus, and the values of keys such as `email`, `phone` and
    `full_name` in JSON, cut off or not, replaced by `***`."""
    return text.str.replace_all(_QUOTED, '${1}"***"').str.replace_all(_ADDRESS, "***")
