import dagster as dg
import polars as pl

from assets.insight.experiments import users_are_split_as_configured
from features.schemas.insight import EXPERIMENTS


def check(*rows):
    table = EXPERIMENTS.conform(pl.DataFrame(rows)) if rows else EXPERIMENTS.empty()
    result = users_are_split_as_configured(table.lazy())
    assert isinstance(result, dg.AssetCheckResult)
    return result


def arm(name, n_users, p_value):
    row = {"experiment": "e", "metric": "ctr", "arm": name, "share": 0.5, "n_users": n_users}
    return {**row, "sample_ratio_p_value": p_value}


def test_a_lopsided_split_warns_and_names_the_users_of_each_arm():
    result = check(arm("a", 900, 1e-9), arm("b", 500, 1e-9))
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert "a: 900 of 50%, b: 500 of 50%" in (result.description or "")


def test_an_even_split_and_no_experiment_pass():
    assert check(arm("a", 500, 0.002), arm("b", 560, 0.002)).passed
    assert check().passed
