"""The file of the learned recipe's history: models/learning/recipes.json, of models.learning.registry."""

from collections.abc import Callable
from pathlib import Path

from assets.lake import write_bytes
from assets.resources import Workspace
from models.learning.registry import Registry, RegistryError, from_text, to_text

_LOCK = "recipes"


def registry_path(models: Path) -> Path:
    """The file in the folder of all models."""
    return models / "learning" / "recipes.json"


def load_registry(models: Path) -> Registry:
    """The history, empty before the first fit. Raises RegistryError that names a damaged file."""
    path = registry_path(models)
    try:
        return from_text(path.read_text(encoding="utf-8")) if path.is_file() else Registry()
    except (RegistryError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path}: {error}; restore it from a backup, or remove it to begin anew") from error


def update_registry(workspace: Workspace, change: Callable[[Registry], Registry]) -> Registry:
    """Replaces the history by `change` of it, atomically and under a lock; returns the new one."""
    with workspace.lake.lock(_LOCK):
        before = load_registry(workspace.models)
        after = change(before)
        if after != before:
            write_bytes(registry_path(workspace.models), to_text(after).encode())
    return after
