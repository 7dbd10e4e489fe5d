from dataclasses import replace

import polars as pl
import pytest

from models.evaluation.splits import Split
from models.fitting.als import AlsSettings
from models.fitting.tuning import TuningError, tune_als
from tests.models.training_world import trade_matrix, trades

START = AlsSettings(factors=2, iterations=10, n_threads=1, regularization=90.0, alpha=0.1)


def trade_split() -> Split:
    held_out = [("u0", "j2"), ("u3", "j1"), ("u4", "j5"), ("u7", "j3")]
    truth = pl.DataFrame(held_out, schema=["user_id", "job_id"], orient="row").with_columns(gain=pl.lit(1.0))
    matrix = trade_matrix(held_out)
    return Split(lambda _half_life: matrix, truth, trades(held_out).select("user_id", "job_id"), half_lives=())


def test_tuning_finds_better_settings_than_bad_ones_and_tries_those_in_use_first() -> None:
    tried: list[AlsSettings] = []
    tuned = tune_als(
        trade_split(),
        start=START,
        n_trials=12,
        seed=1,
        max_factors=32,
        on_trial=lambda _number, settings, _ndcg: tried.append(settings),
    )
    assert tried[0] == START
    assert len(tried) == len(tuned.trials) == 12
    assert tuned.best_ndcg > tuned.start_ndcg
    assert tuned.best_ndcg == pytest.approx(1.0)
    assert {settings.factors for settings in tried} <= {2, 16, 32}
    assert tuned.settings in tried
    assert replace(tuned.settings, factors=2, regularization=90.0, alpha=0.1, popularity_power=0.75) == START


def test_the_same_seed_gives_the_same_trials() -> None:
    one, two = (tune_als(trade_split(), start=START, n_trials=12, seed=5, max_factors=16) for _ in range(2))
    assert one.trials.equals(two.trials)
    assert one.settings == two.settings


def test_settings_that_nothing_beats_stay() -> None:
    good = AlsSettings(factors=2, iterations=15, regularization=0.01, alpha=10.0, n_threads=1)
    tuned = tune_als(trade_split(), start=good, n_trials=6, seed=1, max_factors=16)
    assert tuned.start_ndcg == pytest.approx(1.0)
    assert tuned.settings == good


def test_nothing_held_out_is_an_error() -> None:
    with pytest.raises(TuningError, match="no interaction is held out"):
        tune_als(
            replace(trade_split(), truth=trade_split().truth.clear()), start=START, n_trials=3, seed=1, max_factors=16
        )
