"""Switches of the served generation under load, full and delta by turns: checks what two workers answer meanwhile.

`python -m tests.benchmarks.bench_switches 100`; the suite does the same with a few. Fails at the first wrong answer.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from assets.publishing import generations
from serving.contract.keys import KEYSPACES
from tests.serving.test_live import check_switches, run_switches


def main() -> int:
    n_switches = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory(prefix="jobfeed-switches-") as folder:
        published = Path(folder)
        seen, names, delays = run_switches(published, n_switches)
        check_switches(seen, names)
        kept = generations.list_generations(published)
        n_layered = sum(max(len(each.lookup[stack]) for stack in KEYSPACES) > 1 for each in kept)
    print(f"{len(names) - 1} switches, {sum(each.n_answers for each in seen):,} answers, none failed, mixed or stale")
    print(
        f"followed by both workers within {statistics.median(delays):.2f} s at the median, {max(delays):.2f} s at most"
    )
    print(f"of the {len(kept)} generations kept at the end {n_layered} hold changes only")
    return 0


if __name__ == "__main__":
    sys.exit(main())
