"""Models named by a folder or by their name on the model hub: what is wrong with a name, said at once.

The hub's own libraries answer a folder that is missing with rules for names, and try for a minute to reach a hub
that cannot be reached.
"""

from __future__ import annotations

import os
import re
from typing import Final

ANSWERS_WITHIN: Final = 10.0
"""Seconds that the hub has to answer at all."""
REMEDY: Final = "name a local folder, or load it where there is a network and set HF_HUB_OFFLINE=1 here"
_HUB_NAME: Final = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(:[\w.-]+)?", re.ASCII)
"""vLLM takes a quantisation after a colon."""
_PATH: Final = ("/", "./", "../", "~", os.sep)


def check_folder(name: str) -> None:
    """Raises `FileNotFoundError` for a name that can only be a folder and is none."""
    if os.path.exists(name) or "://" in name:
        return
    if name.startswith(_PATH) or name in (".", "..") or _HUB_NAME.fullmatch(name) is None:
        raise FileNotFoundError(f"no such folder: {name}")


def can_be_loaded(name: str) -> bool:
    """Whether a folder is there, or the hub answers. Without huggingface_hub, whose libraries come with it, True."""
    if os.path.exists(name) or "://" in name:
        return True
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        return True
    try:
        HfApi().model_info(name.partition(":")[0], timeout=ANSWERS_WITHIN)
    except (HfHubHTTPError, ValueError):  # it says no, or the name is none: the library will say why
        return True
    except Exception:  # HTTP libraries, which change with the version, have exceptions of their own
        return False
    return True


def cached_folder(name: str) -> str:
    """Where the cache keeps the files of a hub's model. Raises `OSError` where it does not."""
    from huggingface_hub import snapshot_download

    return str(snapshot_download(name, local_files_only=True))


def unreachable(name: str) -> OSError:
    """What to say of a name that is neither a folder nor in the cache, while the hub cannot be reached."""
    return OSError(f"{name} is no folder here and not in the cache, and the model hub cannot be reached: {REMEDY}")


def check(name: str) -> None:
    """Raises `OSError` for a folder that is missing, and for a hub's model that is not in the cache while the hub
    cannot be reached.
    """
    check_folder(name)
    if not can_be_loaded(name) and not _cached(name):
        raise unreachable(name)


def _cached(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name.partition(":")[0], "config.json"), str)
