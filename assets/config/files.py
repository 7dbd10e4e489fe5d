"""Where the configuration files and vocabularies lie, and what they hold as one digest. Nothing is parsed here."""

import hashlib
import os
from pathlib import Path

_DATA = Path(__file__).resolve().parents[2] / "data"
SHIPPED_FOLDER = _DATA / "config"
SHIPPED_VOCABULARY = _DATA / "vocabulary"
SHIPPED_PROMPTS = _DATA / "prompts"
CONFIG_FILES = (
    "sources.yaml", "ranking.yaml", "pipeline.yaml", "llm.yaml", "applications.yaml", "follow_ups.yaml",
)  # fmt: skip


def config_file(folder: Path | None, name: str) -> Path:
    """The path of `name` in `folder` if it is there, whatever it is, else of the shipped file."""
    if folder is not None and os.path.lexists(folder / name):
        return folder / name
    return SHIPPED_FOLDER / name


def settings_digest(folder: Path | None, vocabulary: Path = SHIPPED_VOCABULARY) -> str:
    """A digest of the bytes of every configuration and vocabulary file. Raises OSError."""
    digest = hashlib.blake2b(digest_size=16)
    words = sorted(path for path in vocabulary.rglob("*") if path.is_file())
    for path in (*(config_file(folder, name) for name in CONFIG_FILES), *words):
        digest.update(path.name.encode() + b"\0" + hashlib.blake2b(path.read_bytes()).digest())
    return digest.hexdigest()
