"""What readers see in place of the skills, roles, tags and places that reasons name."""

from collections.abc import Iterable

from serving.contract.tables import REFERENCE_KINDS

_SEPARATOR = ", "


class Names:
    """Names as people write them; `rows` are those of the published table `display_names`."""

    def __init__(self, rows: Iterable[tuple[str, str, str, str]] = ()) -> None:
        self._texts = {(kind, language, name): text for kind, name, language, text in rows}

    def of(self, kind: str, name: str, language: str) -> str:
        """The name in the language; the name itself without one."""
        return self._texts.get((kind, language, name), name)

    def of_kind(self, kind: str, language: str) -> dict[str, str]:
        """All names of a kind in the language, by the name that tables have."""
        texts = self._texts.items()
        return {
            name: text for (of_kind, of_language, name), text in texts if (of_kind, of_language) == (kind, language)
        }

    def reference(self, code: str, ref: str | None, language: str) -> str | None:
        """The reference of a reason of this code, with every name in it as people write it."""
        kind = REFERENCE_KINDS.get(code)
        if kind is None or ref is None:
            return ref
        return _SEPARATOR.join(self.of(kind, name, language) for name in ref.split(_SEPARATOR))
