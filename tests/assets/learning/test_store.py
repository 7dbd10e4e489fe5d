import os
from dataclasses import replace
from pathlib import Path

import pytest

from assets.config.loading import load_config
from assets.learning.store import load_registry, registry_path, update_registry
from assets.ranking.inputs import ranking_settings
from assets.resources import Workspace
from models.learning.registry import Registry, RegistryError
from tests.models.learning.test_registry import FIT


def test_a_crash_while_writing_keeps_the_last_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(data_dir=str(tmp_path))
    before = update_registry(workspace, lambda registry: registry.add(FIT))

    def crash(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="no space"):
        update_registry(workspace, lambda registry: registry.rollback(at="later"))
    assert load_registry(workspace.models) == before
    assert [path.name for path in registry_path(workspace.models).parent.iterdir()] == ["recipes.json"]


def test_a_damaged_history_is_named(tmp_path: Path) -> None:
    registry_path(tmp_path).parent.mkdir(parents=True)
    registry_path(tmp_path).write_text("{")
    with pytest.raises(RegistryError, match=r"recipes\.json: can't be read.*remove it to begin anew"):
        load_registry(tmp_path)
    assert load_registry(tmp_path / "elsewhere") == Registry()


def test_auto_is_the_learned_recipe_once_there_is_one() -> None:
    config = load_config()
    assert ranking_settings(config).default_recipe == "marketplace"
    settings = ranking_settings(config, learned=FIT.recipe())
    assert settings.default_recipe == "learned" and settings.recipes["learned"] == FIT.recipe()


def test_an_arm_of_the_learned_recipe_gets_the_default_until_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "ranking.yaml").write_text(
        "default_recipe: match\n"
        "recipes: {match: {weights: {skills: 1}}}\n"
        "experiment: {name: x, salt: s, arms: [{name: a, share: 0.5, recipe: match}, "
        "{name: b, share: 0.5, recipe: learned}]}\n"
    )
    config = load_config(tmp_path)
    assert [arm.recipe for arm in ranking_settings(config).arms] == ["match", "match"]
    settings = ranking_settings(config, learned=replace(FIT.recipe()))
    assert [arm.recipe for arm in settings.arms] == ["match", "learned"] and settings.default_recipe == "match"
