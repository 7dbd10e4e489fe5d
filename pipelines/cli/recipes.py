"""`jobfeed recipes`: lists the recipes and the fits of the learned one, shows, promotes and rolls back a fit."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipelines.cli.terminal import (
    AsJson,
    changed_workspace,
    checked_config,
    command_group,
    fail,
    out,
    print_json,
    print_table,
    workspace,
)

if TYPE_CHECKING:
    from models.learning.registry import Figure, Fit, Registry
    from models.ranking.settings import Recipe, Settings

app = command_group("Recipes: list, show, promote and roll back the learned one.")

_NEXT = "the next `jobfeed run daily` ranks by it"


@app.command("list")
def list_recipes(as_json: AsJson = False) -> None:
    """List the configured recipes and the fits of the learned one, the newest first; those in use are marked."""
    from assets.learning.store import load_registry
    from assets.ranking.inputs import ranking_settings

    found, config = workspace(), checked_config()
    registry = load_registry(found.models)
    settings = ranking_settings(config, learned=registry.active_recipe)
    if as_json:
        print_json(out, {"recipes": _listed_recipes(settings), "fits": _listed_fits(registry)})
        return
    recipes = Table("recipe", "weights", "in use")
    for name, recipe in sorted(settings.recipes.items()):
        recipes.add_row(name, _weights(recipe), "default" if name == settings.default_recipe else "")
    print_table(out, recipes)
    if not registry.fits:
        out.print("no fit of the learned recipe yet")
        return
    fits = Table("fit", "data", "NDCG@20", "compared with", "its NDCG@20", "difference", "decision", "in use")
    fits.columns[0].no_wrap = True
    for fit in reversed(registry.fits):
        marks = [mark for mark, name in (("promoted", registry.active), ("served", registry.served)) if name == fit.fit]
        data = f"{fit.data.n_positives:,} outcomes of {fit.data.n_users:,} users"
        figures = (_figure(fit.ndcg), fit.incumbent, _figure(fit.incumbent_ndcg), _figure(fit.gain, sign="+"))
        fits.add_row(fit.fit, data, *figures, "promoted" if fit.is_promoted else "not promoted", ", ".join(marks))
    print_table(out, fits)


@app.command()
def show(
    fit: Annotated[str | None, typer.Argument(help="Default: the promoted fit, or else the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a fit: its weights, the data, the comparison and the decision."""
    from assets.learning.store import load_registry

    registry = load_registry(workspace().models)
    if fit is None and not registry.fits:
        fail("there is no fit of the learned recipe yet; a daily run makes one when there are enough outcomes")
    found = registry.find(fit or registry.active or registry.fits[-1].fit)
    if as_json:
        print_json(out, asdict(found))
        return
    out.print(f"[bold]{found.fit}[/] as of {found.as_of}: {found.decision}")
    _print_fit(found)


@app.command()
def promote(fit: Annotated[str, typer.Argument(help="A fit of `jobfeed recipes list`.")]) -> None:
    """Rank by a fit from the next daily run on."""
    from assets.learning.store import update_registry

    with changed_workspace("recipes promote") as found:
        update_registry(found, lambda registry: registry.promote(fit, at=_now()))
    out.print(f"{fit} is promoted; {_NEXT}")


@app.command()
def rollback() -> None:
    """Go back to what ranked before the last promotion."""
    from assets.learning.store import update_registry

    with changed_workspace("recipes rollback") as found:
        after = update_registry(found, lambda registry: registry.rollback(at=_now()))
    name = after.active or f"the recipe {checked_config().ranking.configured_recipe}"
    out.print(f"back to {name}; {_NEXT}")


def _listed_recipes(settings: "Settings") -> list[dict[str, Any]]:
    return [
        {"recipe": name, "weights": _rounded(recipe.normalised()), "is_default": name == settings.default_recipe}
        for name, recipe in sorted(settings.recipes.items())
    ]


def _listed_fits(registry: "Registry") -> list[dict[str, Any]]:
    """The fits, the newest first."""
    return [
        {
            "fit": fit.fit, "as_of": fit.as_of, "weights": _rounded(fit.weights), "ndcg": asdict(fit.ndcg),
            "incumbent": fit.incumbent, "incumbent_ndcg": asdict(fit.incumbent_ndcg), "gain": asdict(fit.gain),
            "is_promoted": fit.fit == registry.active, "is_served": fit.fit == registry.served,
            "decision": fit.decision,
        }
        for fit in reversed(registry.fits)
    ]  # fmt: skip


def _rounded(weights: Mapping[str, float]) -> dict[str, float]:
    return {name: round(weight, 6) for name, weight in weights.items()}


def _print_fit(fit: "Fit") -> None:
    table = Table("component", "weight", "foretells alone")
    for name, weight in sorted(fit.weights.items(), key=lambda item: (-item[1], item[0])):
        area = fit.separation.get(name)
        table.add_row(name, f"{weight:.4f}", f"{area.mean:.1%}" if area is not None else "")
    print_table(out, table)
    level = fit.level
    out.print(
        f"value of an unknown component {fit.neutral:g}, diversity {fit.diversity:g}, score = {level.base:g} + "
        f"{level.scale:g} × the weighted sum"
    )
    data = fit.data
    out.print(
        f"{data.split}, cut {data.cut}: {data.n_positives:,} outcomes among {data.n_examples:,} candidates of "
        f"{data.n_users:,} users"
    )
    out.print(f"attention falls with rank^-{fit.attention.power:.2f} ({fit.attention.origin})")
    out.print(
        f"NDCG@20 {_figure(fit.ndcg)}; {fit.incumbent} {_figure(fit.incumbent_ndcg)}; "
        f"difference {_figure(fit.gain, sign='+')}"
    )


def _weights(recipe: "Recipe") -> str:
    shares = sorted(recipe.normalised().items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {weight:.2f}" for name, weight in shares)


def _figure(figure: "Figure", *, sign: str = "") -> str:
    return f"{figure.mean:{sign}.4f} ({figure.lower:{sign}.4f} to {figure.upper:{sign}.4f})"


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
