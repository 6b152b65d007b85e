"""Where data lie: local files and folders, and files of data sets on the model hub."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from rationale_rm._core import RationaleError
from rationale_rm.extras import needs

PREFIX: Final = "hub:"
FORM: Final = "hub:OWNER/NAME/FILE, such as hub:Qwen/RationaleRM/data/helpsteer3_human_checklist.jsonl"
REMEDY: Final = "name a local copy, or fetch it where there is a network into the cache that HF_HOME names"
ANSWERS_WITHIN: Final = 10.0
"""Seconds that the hub has to answer at all."""
_FORM: Final = re.compile(r"hub:([\w.-]+/[\w.-]+?)(?:@([\w./-]+?))?/([^/@][^@]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a data set on the hub, at a revision where one is named (``hub:OWNER/NAME@REVISION/FILE``)."""

    repository: str
    revision: str | None
    path: str


def hub_file(source: str) -> HubFile | None:
    """Reads ``hub:OWNER/NAME/FILE``; None for a local path. Raises `RationaleError` for what begins like one."""
    if not source.startswith(PREFIX):
        return None
    match = _FORM.fullmatch(source)
    if match is None:
        raise RationaleError(f"{source} names no file of a data set: expected {FORM}")
    return HubFile(match[1], match[2], match[3])


def cached(file: HubFile) -> str | None:
    """The copy of a hub file on this machine; None where there is none. Raises `MissingExtraError`."""
    found = _hub().try_to_load_from_cache(file.repository, file.path, revision=file.revision, repo_type="dataset")
    return found if isinstance(found, str) else None


@cache
def _answers(repository: str) -> bool:
    try:
        _hub().HfApi().dataset_info(repository, timeout=ANSWERS_WITHIN)
    except _hub().errors.HfHubHTTPError:
        return True
    except Exception:  # HTTP libraries, which change with the version, have exceptions of their own
        return False
    return True


def reachable(file: HubFile) -> bool:
    """Whether the hub answers at all; asked once a data set. Raises `MissingExtraError`."""
    return _answers(file.repository)


def local_files(sources: Iterable[str]) -> list[str]:
    """The sources as local paths, fetching what lies on the hub and is not here yet.

    Raises `OSError` that names the file and what to do where the hub cannot be reached or does not have it,
    `RationaleError` for a source that cannot be read as one, and `MissingExtraError`.
    """
    return [_fetched(source) for source in sources]


def check(sources: Sequence[str]) -> None:
    """Raises what `local_files` would, for what shows without fetching anything: the form, and missing local files."""
    for source in sources:
        if hub_file(source) is None and not os.path.exists(source):
            raise FileNotFoundError(f"no such file or folder: {source}")


def _fetched(source: str) -> str:
    file = hub_file(source)
    if file is None:
        if not os.path.exists(source):
            raise FileNotFoundError(f"no such file or folder: {source}")
        return source
    here = cached(file)
    if here is not None:
        return here
    hub = _hub()
    try:
        # It asks once; the download would try for half a minute.
        hub.HfApi().dataset_info(file.repository, revision=file.revision, timeout=ANSWERS_WITHIN)
        path: str = hub.hf_hub_download(
            file.repository, file.path, revision=file.revision, repo_type="dataset", etag_timeout=ANSWERS_WITHIN
        )
    except hub.errors.RepositoryNotFoundError:
        raise FileNotFoundError(f"{source}: the hub has no such data set, or shows it after a login alone") from None
    except (hub.errors.RemoteEntryNotFoundError, hub.errors.RevisionNotFoundError):
        raise FileNotFoundError(f"{source}: the data set has no such file or revision") from None
    except Exception as error:  # HTTP libraries, which change with the version, have exceptions of their own
        raise OSError(f"{source} is not on this machine and the hub cannot be reached: {REMEDY}") from error
    return path


def _hub() -> Any:
    with needs("train", "huggingface_hub"):
        import huggingface_hub
        import huggingface_hub.errors
    return huggingface_hub
