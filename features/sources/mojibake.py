"""Text whose UTF-8 was read as windows-1252 once too often, put right. Which sources write so is known elsewhere."""

import re

# What UTF-8 looks like after being read as windows-1252: two or more of these in a row.
_MOJIBAKE = re.compile("[\u0080-\u00ffŒœŠšŽžŸƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]{2,}")


def repaired(value: str | None) -> str | None:
    """`value` with every run that is UTF-8 read wrongly put right, and all else as it is."""
    return _MOJIBAKE.sub(_repair, value) if value else value


def _repair(match: re.Match[str]) -> str:
    try:
        return b"".join(_windows_1252(character) for character in match[0]).decode("utf-8")
    except ValueError:
        return match[0]


def _windows_1252(character: str) -> bytes:
    # the five bytes that windows-1252 leaves undefined pass through as they are
    return bytes([ord(character)]) if ord(character) < 0x100 else character.encode("windows-1252")
