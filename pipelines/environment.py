"""Reads from the environment which folders and configuration the commands and the definitions use."""

import os
from pathlib import Path

from assets.resources import Workspace


def workspace_from_environment() -> Workspace:
    """The workspace that JOBFEED_DATA (default `./data`) and JOBFEED_CONFIG (default: the shipped files) name."""
    data = Path(os.environ.get("JOBFEED_DATA") or "data").resolve()
    config = os.environ.get("JOBFEED_CONFIG") or ""
    return Workspace(data_dir=str(data), config_dir=str(Path(config).resolve()) if config else "")
