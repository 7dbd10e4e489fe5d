"""What a landing folder holds by mistake besides jobs and users: cut bodies, items without titles, wrong lines."""

from math import ceil
from pathlib import Path

from pipelines.simulation.writing import folder

_MOST = 50
_FEED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>Simboard: remote jobs</title>'
    "<link>https://simboard.example/jobs.rss</link><description>Simboard</description>{}</channel></rss>\n"
)
_ITEM = '<item><description>An item that lost its title</description><guid isPermaLink="false">simlost{}</guid></item>'


def write_malformed(out: Path, *, n_jobs: int, n_users: int, share: float) -> int:
    """Adds about `share` of the jobs and users as entries of no use, at least one of each kind unless `share` is 0 and
    at most 50; returns how many.
    """
    if share == 0:
        return 0
    n_lost, n_lines = (min(_MOST, ceil(n * share / 2)) for n in (n_jobs, n_users))
    for n in range(n_lost):
        (folder(out / "hh" / "vacancies") / f"cut-{n:03}.json").write_text('{"id":"1199', encoding="utf-8")
    items = "".join(_ITEM.format(n) for n in range(n_lost))
    (folder(out / "feeds" / "simboard") / "lost.xml").write_text(_FEED.format(items), encoding="utf-8", newline="\n")
    advertisements = "".join(f'{{"source_id":"ad-lost-{n}","company":"Nobody"}}\n' for n in range(n_lost))
    (folder(out / "jobs") / "lost.jsonl").write_text(advertisements, encoding="utf-8", newline="\n")
    people = "".join(f'{{"full_name":"Somebody {n}","updated_at":"2020-01-01T00:00:00Z"}}\n' for n in range(n_lines))
    (folder(out / "users") / "users-lost.jsonl").write_text(people, encoding="utf-8", newline="\n")
    return 3 * n_lost + n_lines
