"""Reads a folder of landing files into a lake of its own, by the functions of ingest and without the network."""

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path

from assets.config.sources import Sources
from assets.ingest.events.ingest import ingest_events
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.hh.client import hh_client
from assets.ingest.hh.ingest import ingest_hh
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.ingest.jobs.ingest import ingest_job_files
from assets.ingest.people.ingest import ingest_erasures, ingest_users
from assets.ingest.people.resumes import ResumeVocabulary, ingest_resumes
from assets.lake import Lake
from assets.resources import Workspace


def ingest_landing(
    workspace: Workspace, landing: Path, *, as_of: dt.datetime, on_step: Callable[[str], None] | None = None
) -> Lake:
    """The lake of `workspace` with all that lies in `landing`; enabled feeds and HH are not asked."""
    lake, sources = workspace.lake, _offline(workspace.config.sources)
    vocabulary = partial(ResumeVocabulary.load, workspace.vocabulary)
    client = HttpClient(sources.http, HostPacer(sources.http.requests_per_host_per_second))
    steps: dict[str, Callable[[], object]] = {
        "erasures": lambda: ingest_erasures(lake, landing, as_of=as_of),
        "jobs": lambda: ingest_job_files(lake, landing, as_of=as_of),
        "feeds": lambda: ingest_feeds(lake, landing, sources, client, as_of=as_of),
        "HeadHunter": lambda: ingest_hh(lake, landing, hh_client(sources, token=None), as_of=as_of),
        "interactions": lambda: ingest_events(lake, landing, as_of=as_of, rules=sources.interactions.rules),
        "users": lambda: ingest_users(lake, landing, as_of=as_of),
        "resumes": lambda: ingest_resumes(lake, landing, vocabulary=vocabulary, as_of=as_of),
    }
    for name, step in steps.items():
        if on_step is not None:
            on_step(name)
        step()
    return lake


def _offline(sources: Sources) -> Sources:
    """The sources with all that would be fetched switched off."""
    feeds = [feed.model_copy(update={"enabled": False}) for feed in sources.feeds]
    return sources.model_copy(update={"feeds": feeds, "hh": sources.hh.model_copy(update={"enabled": False})})
