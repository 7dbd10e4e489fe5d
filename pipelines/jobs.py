"""The jobs: which assets each cadence materialises."""

from collections.abc import Mapping
from functools import reduce
from operator import or_

import dagster as dg

from assets.digests.assets import SEND_TAG
from assets.learning.assets import REFIT_TAG
from assets.publishing.past_days import DAYS, instant_of
from assets.resources import AS_OF_TAG, BACKFILL_JOB, DIGESTS_JOB, SCOPE_TAG
from assets.training.tuning import TUNE_TAG

_INGEST_EVENTS = dg.AssetSelection.assets(
    "bronze/events",
    "bronze/user_records",
    "bronze/erasures",
    "bronze/resumes",
    "bronze/application_log",
    "bronze/unsubscribes",
    "bronze/bounces",
)
_INGEST_JOBS = dg.AssetSelection.assets(
    "bronze/feed_postings", "bronze/hh_postings", "bronze/file_postings", "bronze/sightings"
)
_INGEST_LOGS = dg.AssetSelection.assets("bronze/quarantine", "bronze/ingest_runs")
_PUBLISH = dg.AssetSelection.assets("publishing/generation")
_ACTIVITY = dg.AssetSelection.assets(
    "catalog/users",
    "catalog/daily_interactions",
    "catalog/interactions",
    "catalog/application_events",
    "catalog/interviews",
    "catalog/offers",
    "catalog/applications",
    "catalog/follow_ups",
    "features/job_features",
    "features/trending",
    "features/user_profiles",
    "features/preferences",
    "ranking/feeds",
    "ranking/fallback_feeds",
    "ranking/matches",
    "insight/metrics",
)
_REST = _INGEST_LOGS | _PUBLISH
# Impressions are looked up in generations that are kept for some runs only. Rates over 28 days wait for the daily run:
# to count them reads all events of that time, and an hour more or less does not show in them.
_EXPOSURES = dg.AssetSelection.assets("insight/exposures", "insight/experiments")
_CHANGED_JOBS = dg.AssetSelection.assets(
    "catalog/job_versions",
    "catalog/jobs",
    "features/skill_weights",
    "features/companies",
    "features/nearby",
    "training/text_embeddings",
    "training/job_vectors",
    "training/user_vectors",
    "training/similar_jobs",
)

_PAST_DAYS = dg.AssetSelection.assets("publishing/past_days")

daily = dg.define_asset_job(
    "daily",
    dg.AssetSelection.all() - _PAST_DAYS,
    description="Everything: ingest, features, models, all feeds, digests, insight, a full generation.",
    tags={SCOPE_TAG: "all"},
)
hourly = dg.define_asset_job(
    "hourly",
    _INGEST_JOBS | _INGEST_EVENTS | _ACTIVITY | _CHANGED_JOBS | _EXPOSURES | _REST,
    description="New and changed jobs and events, their feeds, a generation; models stay as of the day.",
    tags={SCOPE_TAG: "touched"},
)
frequent = dg.define_asset_job(
    "frequent",
    _INGEST_EVENTS | _ACTIVITY | _REST,
    description="New events, trending, the feeds of users who acted, a generation.",
    tags={SCOPE_TAG: "acted"},
)
# The job `digests` runs in these steps, one after the other. The last one takes no turn: it has a lock of its own, so
# that sending at a bounded rate keeps no other run waiting.
DIGEST_STEPS: Mapping[str, dg.AssetSelection] = {
    "ingest": _INGEST_JOBS | _INGEST_EVENTS | _INGEST_LOGS,
    "score": _ACTIVITY | _CHANGED_JOBS,
    "build": dg.AssetSelection.assets("digests/digests") | _PUBLISH,
    "send": dg.AssetSelection.assets("digests/digest_outbox"),
}
digests = dg.define_asset_job(
    DIGESTS_JOB,
    reduce(or_, DIGEST_STEPS.values()),
    description="New jobs and events, the feeds that they touch, digests of them, and their e-mails.",
    tags={SCOPE_TAG: "touched", SEND_TAG: "due"},
)

weekly = dg.define_asset_job(
    "weekly",
    dg.AssetSelection.assets(
        *("training/tuning", "training/als", "training/collaborative", "training/user_neighbours"),
        "learning/learned_recipe",
    ),
    description="Collaborative model and learned recipe chosen anew on held-out interactions, for the next daily run.",
    tags={SCOPE_TAG: "all", TUNE_TAG: "always", REFIT_TAG: "always"},
)

daily_backfill = dg.define_asset_job(
    BACKFILL_JOB,
    dg.AssetSelection.all(),
    config=dg.PartitionedConfig(
        partitions_def=DAYS,
        run_config_for_partition_key_fn=lambda _day: {},
        tags_for_partition_key_fn=lambda day: {AS_OF_TAG: instant_of(day).isoformat()},
    ),
    description="`daily` for past days, one after another: each computes for 02:00 UTC of its day. What is older than "
    "the served generation is stored, not served. Afterwards a daily run brings the tables back to now.",
    tags={SCOPE_TAG: "all"},
)

# Of these any instant can be computed.
JOBS = [daily, hourly, frequent, digests, weekly]
BACKFILLS = [daily_backfill]
# These add to the tables that the last daily run made.
AFTER_DAILY = frozenset({"hourly", "frequent", DIGESTS_JOB})
ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
