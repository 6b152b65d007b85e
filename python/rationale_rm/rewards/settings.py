"""A reward described in plain values, as trainers' configurations and worker processes need it."""

from __future__ import annotations

import difflib
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args, get_origin, get_type_hints

from rationale_rm._core import RationaleError
from rationale_rm.extras import needs
from rationale_rm.judge import Cache, CacheError, Caller, Judge, Limits, MetaJudge
from rationale_rm.judge.openai_client import DEFAULT_KEY_VARIABLE
from rationale_rm.judge.spec import open_client, parse_spec
from rationale_rm.rewards.reward import (
    AUDIT,
    MAX_FAILURE_RATE,
    Advantage,
    RationaleReward,
    RationaleTerm,
    RewardMode,
)

VARIABLE: Final = "RATIONALE_RM_REWARD"
ORACLE: Final = "oracle"
"""The synthetic world's judge."""

_shared: dict[tuple[int, RewardSettings], RationaleReward] = {}
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RewardSettings:
    """What `RationaleReward` and its judge are made of. Frozen and hashable; it pickles, where an open judge does not.

    The names are those of a recipe's section ``reward`` (docs/recipes.md says what each does), and of the arguments
    of `RationaleReward`, `MetaJudge` and `Limits`. No secret needs to stand here: `key_env` names the variable that
    holds it, and user and password in an address are not shown.
    """

    judge: str = "lexical"
    """``openai:NAME@URL``, ``vllm:PATH``, ``hf:PATH``, ``lexical``, ``embedding[:MODEL]`` or ``oracle``."""
    mode: RewardMode = "product"
    rationale: RationaleTerm = "ap"
    weight: float = 0.5
    threshold: float = 0.0
    top_k: int | None = None
    exact: bool = False
    format: Literal["auto", "block", "boxed", "bracket", "json", "prose"] = "auto"
    policy: Literal["last", "unanimous"] = "last"
    format_penalty: float = 0.0
    max_length: int | None = None
    length_buffer: int = 0
    advantage: Advantage = "group_std"
    gate: bool = True
    audit: float = AUDIT
    seed: int = 0
    max_failure_rate: float = MAX_FAILURE_RATE
    judge_samples: int = 1
    judge_temperature: float | None = None
    judge_max_tokens: int = 2048
    constrain: bool = True
    reasoning_chars: int | None = None
    concurrency: int = 64
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 300.0
    attempts: int = 6
    time_budget: float | None = None
    """Seconds for all judge calls of one batch: what is not answered by then is NaN. None: no limit."""
    cache: str | None = None
    """File that keeps the judge's answers, shared by processes. None: they are not kept."""
    key_env: str = DEFAULT_KEY_VARIABLE

    def __post_init__(self) -> None:
        """Raises `RationaleError` for a value of another type, and for one that a judge or a reward would refuse."""
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name))
        try:
            if self.judge != ORACLE:
                parse_spec(self.judge, judge=True)
            self.limits()
        except ValueError as error:
            raise RationaleError(str(error)) from None
        self.reward(cast(Judge, None))  # which looks at the values, and not at the judge

    def __repr__(self) -> str:
        shown = {**self.to_mapping(), "judge": re.sub(r"//[^/@]*@", "//…@", self.judge)}
        return f"RewardSettings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> RewardSettings:
        """Settings by name. Raises `RationaleError` for a name that there is not, and for a bad value."""
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise RationaleError(f"no setting of the reward is called {str(name)[:60]!r}: {hint}")
        return cls(**{str(name): value for name, value in settings.items()})

    @classmethod
    def from_environment(cls, variable: str = VARIABLE) -> RewardSettings:
        """Settings in an environment variable: a JSON object, or the path of a JSON or YAML file with one.

        Raises `RationaleError` that names the variable for what cannot be read, and where it is not set: a worker
        process that did not inherit it would otherwise train on word overlap, and nobody would notice.
        """
        text = os.environ.get(variable, "").strip()
        if not text:
            raise RationaleError(
                f"${variable} is not set in this process: it holds the settings of the reward, such as "
                '{"judge": "openai:NAME@http://HOST:8000/v1"}, or the path of a JSON or YAML file with them'
            )
        try:
            return cls.from_text(text)
        except (RationaleError, OSError, ValueError) as error:
            raise RationaleError(f"${variable}: {error}") from error

    @classmethod
    def from_text(cls, text: str) -> RewardSettings:
        """Settings in a JSON object, or in the JSON or YAML file that a text names. Raises `RationaleError`, `OSError`
        and `ValueError`.
        """
        return cls.from_mapping(_object(text))

    def to_mapping(self) -> dict[str, Any]:
        """The settings that differ from the defaults."""
        usual = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def limits(self) -> Limits:
        """How hard the judge may be asked."""
        return Limits(
            concurrency=self.concurrency,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            timeout=self.timeout,
            attempts=self.attempts,
            batch_budget=self.time_budget,
        )

    def reward(self, judge: Judge) -> RationaleReward:
        """The reward with a judge that is there already."""
        return RationaleReward(
            judge,
            mode=self.mode,
            rationale=self.rationale,
            weight=self.weight,
            threshold=self.threshold,
            top_k=self.top_k,
            exact=self.exact,
            format=self.format,
            policy=self.policy,
            format_penalty=self.format_penalty,
            max_length=self.max_length,
            length_buffer=self.length_buffer,
            advantage=self.advantage,
            gate=self.gate,
            audit=self.audit,
            seed=self.seed,
            max_failure_rate=self.max_failure_rate,
        )

    def open(self) -> RationaleReward:
        """The reward with a judge of its own. Raises what `open_judge` raises."""
        return self.reward(open_judge(self))

    def shared(self) -> RationaleReward:
        """The reward that all users of equal settings in this process share; made at the first call."""
        with _lock:
            key = (os.getpid(), self)
            if key not in _shared:
                _shared[key] = self.open()
            return _shared[key]


def open_judge(settings: RewardSettings) -> Judge:
    """The judge that settings name.

    Raises `MissingExtraError`, and `RationaleError` or `OSError` for a judge that cannot be had.
    """
    if settings.judge == ORACLE:
        from rationale_rm.world import OracleJudge

        return OracleJudge()
    spec = parse_spec(settings.judge, judge=True)
    if spec.is_local_judge:
        from rationale_rm.judge.local import open_local

        return open_local(spec.kind, spec.name)
    try:
        caller = Caller(
            open_client(spec, key_variable=settings.key_env),
            cache=None if settings.cache is None else Cache(settings.cache),
            limits=settings.limits(),
        )
        return MetaJudge(
            caller,
            samples=settings.judge_samples,
            temperature=settings.judge_temperature,
            seed=settings.seed,
            max_tokens=settings.judge_max_tokens,
            constrain=settings.constrain,
            reasoning_chars=settings.reasoning_chars,
        )
    except (CacheError, ValueError) as error:
        raise RationaleError(str(error)) from error


def _object(text: str) -> Mapping[str, Any]:
    """The JSON object that a text is, or that the file it names holds."""
    if text.startswith("{"):
        found = json.loads(text)
    elif text.endswith((".yaml", ".yml")):
        with needs("train", "yaml"):
            import yaml
        try:
            found = yaml.safe_load(Path(text).read_text("utf-8"))
        except yaml.YAMLError as error:
            raise RationaleError(f"{text}: {error}") from None
    else:
        found = json.loads(Path(text).read_text("utf-8"))
    if not isinstance(found, Mapping):
        raise RationaleError(f"expected an object of settings, not {type(found).__name__}")
    return found


def _check_type(name: str, value: Any) -> None:
    kinds = _kinds()[name]
    if type(value) in kinds or (float in kinds and type(value) is int):
        return
    wanted = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
    raise RationaleError(f"{name} must be {wanted}, not {type(value).__name__} {value!r:.60}")


@cache
def _kinds() -> dict[str, tuple[type, ...]]:
    """Setting → the types that it may have."""
    return {name: _types_of(hint) for name, hint in get_type_hints(RewardSettings).items()}


def _types_of(hint: Any) -> tuple[type, ...]:
    if get_origin(hint) is Literal:
        return (str,)
    return tuple(get_args(hint)) or (hint,)
