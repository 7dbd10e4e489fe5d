from typing import Any

from pipelines.benchmarks.ranking import SIZES, TARGETS, report


def _measured() -> dict[str, dict[str, Any]]:
    def step(seconds: float, **more: Any) -> dict[str, Any]:
        return {"seconds": seconds, "cpu_seconds": 2 * seconds, "peak_gib": seconds / 10, "load": 1.0, **more}

    return {
        "prepare": step(50.0, seconds_by_part={"training/text_embeddings": 17.0}),
        "train": step(20.0, seconds_by_part={"training/als": 12.0}),
        "rank": step(40.0, seconds_by_part={"retrieval": 30.0, "writing": 10.0}, n_users=100_000, n_bytes=2**30),
        "check": step(4.0, n_users=100_000, n_problems={}),
        "compare": step(
            5.0,
            gflops=90.0,
            n_jobs=45_000,
            truncated_svd_seconds=24.0,
            search={"implicit": 0.0004, "ours": 0.0001},
            loop_seconds_per_user=0.004,
            sql_seconds_per_user=0.04,
            json_seconds_per_user=0.0002,
            json_bytes_per_user=36_000.0,
        ),
    }


def test_the_report_adds_training_and_ranking_and_compares_with_the_aim() -> None:
    text = "\n".join(report("M", _measured(), n_threads=2))
    assert "| **training to writing** | **60.0** | | **4.00** |" in text
    assert f"the aim is {TARGETS['M'][0]:.0f} s" in text
    assert "| training/als | 12.0 | 0.120 | |" in text
    # 4 ms a user against 40 s for 100,000 users.
    assert "| ranking | a loop over users, every job scored | 400.0 | all of ranking | 40.0 | 10.0 |" in text
    assert "| training | randomised SVD, scikit-learn | 24.0 | ALS | 12.0 | 2.0 |" in text
    assert "| search | `recommend` of implicit, ALS | 40.0 | clusters | 10.0 | 4.0 |" in text
    assert "36.0 kB a user, the files here 10.7 kB" in text
    assert "90 GFLOP/s" in text and "17 s" in text


def test_the_sizes_grow_from_small_to_large() -> None:
    assert [SIZES[name].n_users for name in ("S", "M", "L")] == [20_000, 100_000, 1_000_000]
    assert (SIZES["L"].n_jobs, SIZES["L"].n_events) == (200_000, 100_000_000)
