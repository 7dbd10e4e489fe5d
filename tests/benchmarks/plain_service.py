"""The plain alternative to the service: FastAPI over the published DuckDB file. For benchmarks only.

`JOBFEED_DATABASE=… uvicorn tests.benchmarks.plain_service:app`; needs fastapi and uvicorn.
"""

import os
import threading
from typing import Any

import duckdb
from fastapi import FastAPI

_QUERY = """
with
items as (
    select unnest(items) as item from feeds where user_id = $user_id
)
select item.rank, item.job_id, item.score, item.confidence, item.seen, item.explored, item.reasons,
    {title: title, company: company, city: city, country: country, work_format: work_format, salary_min: salary_min,
    salary_max: salary_max, salary_currency: salary_currency, salary_period: salary_period,
    skills: skills, url: url} as job
from items join jobs on jobs.job_id = item.job_id
where status = 'open'
order by item.rank limit $n
"""

app = FastAPI()
_connection = duckdb.connect(os.environ["JOBFEED_DATABASE"], read_only=True)
_connection.execute("set parquet_metadata_cache = true")
_local = threading.local()


@app.get("/v1/users/{user_id}/feed")
def feed(user_id: str, limit: int = 20) -> dict[str, Any]:
    """A user's feed with job cards; even without the texts of the reasons."""
    if not hasattr(_local, "cursor"):
        _local.cursor = _connection.cursor()
    found = _local.cursor.execute(_QUERY, {"user_id": user_id, "n": limit})
    names = [column[0] for column in found.description]
    return {"user_id": user_id, "items": [dict(zip(names, row, strict=True)) for row in found.fetchall()]}
