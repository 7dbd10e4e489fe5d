"""Where the programs of the service find generations: a folder, or a store that is mirrored to one."""

import argparse
import os
from pathlib import Path
from typing import NamedTuple

from serving.contract.cache import cache_folder, folder_of
from serving.contract.object_store import ObjectStore, StoreUrlError, is_store_url
from serving.service.mirror import Mirror

DATA_VARIABLE = "JOBFEED_DATA"
_PUBLISHED = "published"
_MIRROR = "served"


class Source(NamedTuple):
    """`published`: the folder to read. `mirror` fills it from a store; None for a folder of this machine's own."""

    published: Path
    mirror: Mirror | None
    described: str


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where the data is."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--published", type=Path, help="the folder of generations")
    data = f"the data folder, or a store as s3://bucket/prefix; default {DATA_VARIABLE}"
    group.add_argument("--data", default=os.environ.get(DATA_VARIABLE), help=data)


def source_of(options: argparse.Namespace) -> Source:
    """What the options name. Raises StoreUrlError and StoreExtraError."""
    if options.published is not None:
        return Source(options.published, None, str(options.published))
    named = str(options.data or "data")
    if "://" in named and not is_store_url(named):
        raise StoreUrlError(f"{named!r} is no folder, and no store such as s3://bucket/prefix")
    if not is_store_url(named):
        published = Path(named) / _PUBLISHED
        return Source(published, None, str(published))
    store = ObjectStore(named)
    folder = folder_of(store.url, cache_folder()) / _MIRROR
    return Source(folder, Mirror(store, folder), f"{store.url}/{_PUBLISHED}, mirrored to {folder}")
