"""Compiled code is kept on disk by the time of its own file: what else goes into it must not change unnoticed."""

import hashlib
from pathlib import Path
from types import ModuleType

import pytest

from assets.publishing.lookup import packing
from serving.contract import feed_codec, tables, text_tables
from serving.feed_join import compiled as join
from serving.feed_join import native


def compiled_from(module: ModuleType, *sources: ModuleType) -> str:
    """A hash of the contract's constants that the module imports, and of the modules whose code is compiled into it."""
    constants = {
        name: value
        for name, value in (vars(tables) | vars(text_tables) | vars(feed_codec)).items()
        if name.isupper() and name in vars(module)
    }
    told = repr([(name, getattr(value, "format", value)) for name, value in sorted(constants.items())])
    texts = [Path(str(source.__file__)).read_text(encoding="utf-8") for source in sources]
    return hashlib.sha256("\n".join([told, *texts]).encode()).hexdigest()[:12]


@pytest.mark.parametrize(("module", "sources"), [(join, [native]), (packing, [])])
def test_what_is_compiled_in_does_not_change_unless_the_file_does(
    module: ModuleType, sources: list[ModuleType]
) -> None:
    expected = compiled_from(module, *sources)
    assert expected == module.COMPILED_FROM, f"set COMPILED_FROM = {expected!r} in {module.__name__}"
