"""What this machine is, and what a recipe needs that it lacks. Nothing is loaded or fetched."""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rationale_rm._core import RationaleError
from rationale_rm.data import hub as data_hub
from rationale_rm.extras import MissingExtraError
from rationale_rm.judge import hub
from rationale_rm.judge.address import below, read_address
from rationale_rm.judge.spec import Spec, parse_spec
from rationale_rm.judge.wire import same_model
from rationale_rm.train import sources
from rationale_rm.train.recipe.checks import parallel_fault

if TYPE_CHECKING:
    from rationale_rm.train.recipe import Recipe

ANSWERS_WITHIN: Final = 5.0
"""Seconds that a judge's server has to list its models."""
LARGE: Final = 200_000_000
"""Parameters that a CPU trains in days rather than hours."""
LARGEST_ANSWER: Final = 1_000_000
_TRACKERS: Final = {"comet_ml": "comet_ml", "tensorboard": "tensorboard", "wandb": "wandb"}


@dataclass(frozen=True, slots=True)
class Machine:
    """Devices and memory."""

    accelerators: int
    accelerator: str
    """Its name; empty without one, or where torch, which could tell, is not installed."""
    device_memory: float | None
    """Bytes of one accelerator."""
    memory: float | None
    """Bytes of RAM."""
    processors: int


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a run needs and this machine lacks."""

    what: str
    remedy: str


def this_machine() -> Machine:
    """Looks at this machine; torch is asked for accelerators where it is installed."""
    count, name, size = 0, "", None
    if find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            count = torch.cuda.device_count()
            properties = torch.cuda.get_device_properties(0)
            name, size = properties.name, float(properties.total_memory)
    return Machine(count, name, size, _ram(), _processors())


def missing(recipe: Recipe, machine: Machine, parameters: int | None, *, resume: bool = False) -> list[Missing]:
    """What is missing, each with what to do. `parameters`: of the model, None where they are not known.

    Asks the judge's servers for their models, and the hub for what is not in its cache: seconds at the most.
    """
    found: list[Missing] = []
    for need in (
        _libraries(recipe),
        _devices(recipe, machine, parameters),
        _model(recipe),
        _data(recipe),
        _judges(recipe),
        _sampler(recipe),
        _output(recipe, resume),
    ):
        found += [one for one in need if one not in found]
    return found


def _libraries(recipe: Recipe) -> Iterator[Missing]:
    wanted = {"torch": "train", "transformers": "train", "accelerate": "train", "safetensors": "train"}
    wanted["jinja2"] = "train"
    if any(path.startswith(data_hub.PREFIX) for path in sources.all_sources(recipe)):
        wanted["huggingface_hub"] = "train"
    if recipe.model.lora is not None:
        wanted["peft"] = "train"
    if recipe.devices.sharding == "zero3":
        wanted["deepspeed"] = "deepspeed"
    if recipe.output.samples_every is not None:
        wanted["pyarrow"] = "train"
    if any(path.endswith(".zst") for path in sources.all_sources(recipe)):
        wanted["zstandard"] = "io"
    specs = [spec for spec in map(_spec, _judge_texts(recipe)) if spec is not None]
    if recipe.rollout.engine == "vllm" or any(spec.kind == "vllm" for spec in specs):
        wanted["vllm"] = "vllm"
    if recipe.rollout.engine == "vllm_server":
        wanted["openai"] = "judge"
    if any(spec.kind == "openai" for spec in specs):
        wanted |= {"openai": "judge", "aiohttp": "judge", "tenacity": "judge", "aiolimiter": "judge"}
    if any(spec.kind == "embedding" for spec in specs):
        wanted["sentence_transformers"] = "embed"
    for name, extra in wanted.items():
        if name == "vllm" and sys.version_info < (3, 11) and find_spec(name) is None:
            yield Missing("vllm", "needs Python 3.11 or later")
        elif find_spec(name) is None:
            yield Missing(name, f'pip install "rationale-rm[{extra}]"')
    alone = [_TRACKERS.get(name, name) for name in recipe.output.trackers]
    if recipe.model.attention == "flash_attention_2":
        alone.append("flash_attn")
    for name in alone:
        if find_spec(name) is None:
            yield Missing(name, f"pip install {name.replace('_', '-')}")


def _devices(recipe: Recipe, machine: Machine, parameters: int | None) -> Iterator[Missing]:
    wanted = recipe.devices.processes
    large = (parameters or 0) > LARGE
    if machine.accelerators >= wanted or not (large or recipe.devices.sharding != "none"):
        return
    there = f"{machine.accelerators} here" if machine.accelerators else "none here"
    device = "an accelerator" if wanted == 1 else f"{wanted} accelerators"
    yield Missing(f"{device} ({there})", "for a plan for others: --set devices.processes=N --set devices.memory=GIB")


def _model(recipe: Recipe) -> Iterator[Missing]:
    path = recipe.model.path
    if path is None:
        return
    folder = Path(path).expanduser()
    if not folder.is_dir():
        if fault := _hub_model(path):
            yield fault
        return
    if not (folder / "config.json").is_file():
        yield Missing(f"config.json in {path}", "name a folder that transformers wrote, or a model on the hub")
    if not any(folder.glob("*.safetensors")):
        yield Missing(f"weights in {path}", "copy the model's *.safetensors there")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json")):
        yield Missing(f"a tokenizer in {path}", "copy the model's tokenizer there")
    elif not _has_chat_template(folder):
        yield Missing(f"a chat template in {path}", "take an instruction-tuned model, or add chat_template.jinja")


def _hub_model(name: str) -> Missing | None:
    """What is wrong with a model on the hub; None where it can be had."""
    try:
        hub.check(name)
    except OSError as error:
        known = str(error).removeprefix(f"{name} is no folder here and ")
        return Missing(f"the model {name}", known)
    if find_spec("huggingface_hub") is None:
        return Missing(f"the model {name}", "cannot be looked for without huggingface_hub")
    return None


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and bool(settings.get("chat_template"))


def _data(recipe: Recipe) -> Iterator[Missing]:
    for source in sources.all_sources(recipe):
        try:
            file = data_hub.hub_file(source)
            if file is None:
                data_hub.check([source])
            elif data_hub.cached(file) is None and not data_hub.reachable(file):
                yield Missing(source, f"not in the cache, and the hub cannot be reached: {data_hub.REMEDY}")
        except MissingExtraError:
            yield Missing(source, "cannot be looked for without huggingface_hub")
        except FileNotFoundError:
            yield Missing(f"the file {source}", "paths are relative to the folder that the command runs in")
        except RationaleError as error:
            yield Missing(source, str(error))


def _judge_texts(recipe: Recipe) -> list[str]:
    return list(dict.fromkeys((recipe.reward.judge, recipe.evaluation_judge)))


def _spec(text: str) -> Spec | None:
    try:
        return parse_spec(text, judge=True)
    except ValueError:  # the oracle
        return None


def _judges(recipe: Recipe) -> Iterator[Missing]:
    for text in _judge_texts(recipe):
        spec = _spec(text)
        if spec is None or spec.kind == "lexical":
            continue
        if spec.kind != "openai":
            if (fault := _hub_model(spec.name)) is not None:
                yield Missing(f"the judge's model {spec.name}", fault.remedy)
            continue
        variable = recipe.reward.key_env
        key = os.environ.get(variable, "")
        if not key and (not spec.urls or variable != "OPENAI_API_KEY"):
            yield Missing(f"the key of the judge {spec.name}", f"set the environment variable {variable}")
        for url in spec.urls:
            if fault := _server("the judge's server", spec.name, url, key):
                yield fault


def _sampler(recipe: Recipe) -> Iterator[Missing]:
    fault = parallel_fault(recipe, recipe.devices.processes)
    if fault is not None:
        yield Missing(
            f"processes to sample in: {fault}",
            "a multiple of it in devices.processes and accelerate launch, or set it to 1",
        )
    how = recipe.rollout.server
    if recipe.rollout.engine == "vllm_server" and how.url is not None:
        missing = _server("the sampler's server", how.model, how.url, "", exact=True)
        if missing is not None:
            yield missing


def _server(whose: str, model: str | None, url: str, key: str, *, exact: bool = False) -> Missing | None:
    """Asks a server for its models; None where it has this one (`exact`: under this very name), or is asked for
    whatever it has.
    """
    address = read_address(url)
    what = f"{whose} {address.shown}"
    request = urllib.request.Request(below(address.url, "/models"), headers={"Accept": "application/json"})
    authorization = address.authorization or (f"Bearer {key}" if key else None)
    if authorization is not None:
        request.add_unredirected_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN) as answer:
            listed = json.loads(answer.read(LARGEST_ANSWER))
        names = [str(one["id"]) for one in listed["data"]]
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return Missing(what, f"it refuses the key ({error.code})")
        return None if error.code in (404, 405, 501) else Missing(what, f"it answers {error.code} {error.reason}")
    except (OSError, urllib.error.URLError) as error:
        return Missing(what, f"it does not answer ({getattr(error, 'reason', None) or error}): start it")
    except (ValueError, LookupError, TypeError):
        return Missing(what, "it does not speak OpenAI's protocol")
    if model is None:
        several = f"it serves {', '.join(names[:3]) or 'none'}: name one"
        return None if len(names) == 1 else Missing(f"one model on {address.shown}", several)
    if model in names or (not exact and any(same_model(model, name) for name in names)):
        return None
    return Missing(f"{model} on {address.shown}", f"it serves {', '.join(names[:3]) or 'no model'}")


def _output(recipe: Recipe, resume: bool) -> Iterator[Missing]:
    folder = Path(recipe.folder)
    if not resume and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        yield Missing(f"an empty output folder: {recipe.folder} holds something", "--resume, or another --output")


def free_disk(folder: str) -> float | None:
    """Bytes free where a folder is, or would be made."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    try:
        return float(shutil.disk_usage(place).free)
    except OSError:
        return None


def _ram() -> float | None:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):  # Windows has no sysconf
        return None


def _processors() -> int:
    affinity: Iterable[int] = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return len(list(affinity))
