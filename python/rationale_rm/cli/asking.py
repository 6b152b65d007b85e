"""One run that asks a model about many records: output, progress, the failure ceiling, and what it came to."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rationale_rm import SCHEMA_VERSION, __version__
from rationale_rm.cli import output
from rationale_rm.cli.options import Asking
from rationale_rm.data import BadLine
from rationale_rm.data.journal import Journal, JournalError, succeeded
from rationale_rm.judge import Cache, CacheError, Caller, Client, Price, Question, Usage, find_price, loop
from rationale_rm.judge.cache import default_path
from rationale_rm.judge.plan import Plan, UnaskedClient, plan
from rationale_rm.judge.spec import Spec, model_of, open_client, parse_spec

SETTLED: Final = 50
"""Answers before the failure ceiling may stop a run early."""


class TooManyFailuresError(Exception):
    """More answers failed than the run may bear."""


class Run:
    """The output file of a run, and its counts so far."""

    def __init__(
        self,
        path: str,
        made_by: Mapping[str, Any],
        asking: Asking,
        wanted: Mapping[str, str],
        caller: Caller | None = None,
    ):
        """`wanted`: the ids of the records to come, each with the digest of what is asked."""
        self.asking = asking
        self.wanted = wanted
        self.usage: Usage | None = None if caller is None else caller.usage
        self.price: Price | None = None if caller is None else read_price(caller.client.model, asking)
        try:
            self.journal = Journal(path, resume=asking.resume, made_by=made_by, is_done=_answers(wanted))
        except JournalError as error:
            output.fail(str(error))
        if self.journal.repaired and not asking.quiet:
            output.note(f"{path}: {self.journal.repaired}")
        self.done = frozenset(self.journal.done & wanted.keys())
        """Records that are there already."""
        self.n_wanted = len(wanted) - len(self.done)
        self.n_ended = 0
        self.n_partial = 0
        """Records whose answer lacks something that was asked for; scored as they are, and asked for again."""
        self.causes: Counter[str] = Counter()
        self.last_error = ""
        self.began = time.monotonic()
        self.progress = output.Progress(asking.quiet)

    @property
    def n_failed(self) -> int:
        """Records of this run that ended without an answer."""
        return sum(self.causes.values())

    def keep(self, record: Mapping[str, Any], error: str | None) -> None:
        """Writes one record; `error` says why it holds no answer. Raises `TooManyFailuresError` and `JournalError`."""
        self.journal.append({**record, "asked": self.wanted[record["id"]]})
        self.n_ended += 1
        self.n_partial += error is None and "error_message" in record
        if error is not None:
            self.causes[error.partition(":")[0]] += 1
            self.last_error = error
        self.progress.update(self._line())
        ceiling = self.asking.max_failure_rate
        if error is not None and self.n_ended >= SETTLED and self.n_failed > ceiling * self.n_ended:
            raise TooManyFailuresError

    def carry_out(
        self,
        work: Coroutine[Any, Any, None],
        what: str,
        bad: Sequence[BadLine],
        n_lines: int,
        *,
        figures: Callable[[], Mapping[str, Any]] = dict,
        lines: Callable[[], Iterable[str]] = list,
    ) -> None:
        """Runs `work`, which keeps its records here, closes the output, prints and writes what the run came to, and
        leaves with 1 if it failed.

        `bad` are the lines of the input, of `n_lines`, that could not be read; `figures` and `lines` are the
        subcommand's own, for the summary and to be printed.
        """
        stopped = None
        try:
            with self.journal:
                loop.run(work)
        except TooManyFailuresError:
            pass
        except (JournalError, ImportError) as error:
            stopped = str(error)
        except BaseException:  # above all Ctrl-C
            self.progress.done()
            output.note(f"{output.count(self.n_ended - self.n_failed, 'answer')} of this run came; {self._again}")
            raise
        self.progress.done()
        output.report_bad_lines(bad, n_lines, self.asking.quiet)
        if self.asking.summary is not None:
            output.write_json(self.asking.summary, {**self._document(what, bad, n_lines), **figures()})
        if not self.asking.quiet:
            for line in (*self._report(), *lines()):
                output.note(line)
        too_many = self.n_failed > self.asking.max_failure_rate * self.n_ended
        if stopped is not None or too_many:
            why = stopped or (
                f"{self.n_failed} of {output.count(self.n_ended, 'request')} failed, more than --max-failure-rate "
                f"{self.asking.max_failure_rate:g}; the last: {self.last_error}"
            )
            output.fail(f"{why} ({self._again})")

    @property
    def _again(self) -> str:
        return f"{self.journal.path} keeps what was answered; the same command asks for the rest"

    def _line(self) -> str:
        seconds = max(time.monotonic() - self.began, 1e-9)
        rate = self.n_ended / seconds
        left = (self.n_wanted - self.n_ended) / rate
        parts = [f"{self.n_ended:,} of {self.n_wanted:,}", f"{rate:,.1f}/s", f"{_clock(left)} left"]
        if self.n_failed:
            parts.append(f"{self.n_failed:,} failed")
        if self.usage is not None:
            usage = self.usage
            parts.append(f"{_thousands(usage.prompt_tokens)} + {_thousands(usage.completion_tokens)} tokens")
            if usage.cache_hits:
                parts.append(f"{usage.cache_hits:,} cached")
            if usage.retries:
                parts.append(f"{usage.retries:,} retries")
            cost = usage.cost(self.price)
            if cost is not None:
                parts.append(f"${cost:,.2f}")
        return ", ".join(parts)

    def _report(self) -> Iterable[str]:
        seconds = time.monotonic() - self.began
        before = f", {len(self.done):,} were there" if self.done else ""
        answered = output.count(self.n_ended - self.n_failed, "answer")
        yield f"{self.journal.path}: {answered} in {_clock(seconds)}{before}"
        if self.n_failed:
            listed = ", ".join(f"{cause} {count}" for cause, count in self.causes.most_common())
            yield f"without an answer: {self.n_failed} ({listed}); the same command asks for them again"
        if self.n_partial:
            yield (
                f"with a part of their samples: {self.n_partial}, scored by those; the same command asks for the others"
            )
        usage = self.usage
        if usage is None:
            return
        cached = f" ({usage.cached_tokens:,} of them cached there)" if usage.cached_tokens else ""
        cost = usage.cost(self.price)
        spent = "" if cost is None or self.price is None else f", ${cost:,.4f} at prices of {self.price.as_of}"
        yield (
            f"{output.count(usage.calls, 'call')}, {usage.retries:,} of them retries; {usage.cache_hits:,} answers "
            f"from the cache, {usage.shared:,} shared; tokens in {usage.prompt_tokens:,}{cached}, out "
            f"{usage.completion_tokens:,}{spent}"
        )
        if usage.constraints_missed:
            asked = usage.constraints_missed + usage.constraints_held
            yield f"constrained output did not hold in {usage.constraints_missed:,} of {asked:,} answers"

    def _document(self, what: str, bad: Sequence[BadLine], n_lines: int) -> dict[str, Any]:
        usage = self.usage
        return {
            "schema_version": SCHEMA_VERSION,
            "command": what,
            "version": __version__,
            "made_by": self.journal.made_by,
            "output": self.journal.path,
            "seconds": round(time.monotonic() - self.began, 3),
            "answers": {
                "this_run": self.n_ended,
                "failed": self.n_failed,
                "partial": self.n_partial,
                "in_output": len(self.journal.done),
                "causes": dict(self.causes),
            },
            "usage": None if usage is None else {**usage.to_dict(), "cost_usd": usage.cost(self.price)},
            "input": {"n_lines": n_lines, "n_bad_lines": len(bad), "bad_lines": [asdict(line) for line in bad]},
        }


def read_spec(text: str, *, judge: bool = False) -> Spec:
    """`parse_spec`; leaves the program with what was expected."""
    try:
        return parse_spec(text, judge=judge)
    except ValueError as error:
        output.fail(f"{'--judge' if judge else '--model'} {error}", output.USAGE)


def open_caller(spec: Spec, asking: Asking) -> Caller:
    """The caller for a model; in a dry run one that can only be planned with."""
    try:
        if asking.dry_run:
            client: Client = UnaskedClient(f"{spec.kind}:{spec.name}", model_of(spec))
        else:
            client = open_client(spec, key_variable=asking.key_variable)
        return Caller(client, cache=_cache(asking), limits=asking.limits)
    except CacheError as error:
        output.fail(f"{error} (--cache FILE, or --no-cache)")
    except (ImportError, ValueError, OSError) as error:
        output.fail(str(error))


def _cache(asking: Asking) -> Cache | None:
    if asking.no_cache:
        if asking.cache is not None:
            output.fail("--cache and --no-cache exclude each other", output.USAGE)
        return None
    path = asking.cache or default_path()
    if asking.dry_run and not os.path.exists(path):
        return None
    return Cache(path)


def digest(*content: Any) -> str:
    """What is asked, in short: a record answers it only while it stays the same. `content` is plain JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _answers(wanted: Mapping[str, str]) -> Callable[[Mapping[str, Any]], bool]:
    """Whether a record of the output is whole and answers what is asked now."""

    def is_done(record: Mapping[str, Any]) -> bool:
        asked = wanted.get(record["id"])
        return succeeded(record) and "error_message" not in record and asked in (None, record.get("asked"))

    return is_done


def done_before(path: str, made_by: Mapping[str, Any], asking: Asking, wanted: Mapping[str, str]) -> frozenset[str]:
    """Those of `wanted` that an output file holds answers of; for a dry run, which leaves the file as it is."""
    is_done = _answers(wanted)
    try:
        with Journal(path, resume=asking.resume, made_by=made_by, is_done=is_done, read_only=True) as journal:
            return frozenset(journal.done & wanted.keys())
    except JournalError as error:
        output.fail(str(error))


def read_price(model: str, asking: Asking) -> Price | None:
    """The price of a model, in the user's table or the package's."""
    try:
        return find_price(model, asking.prices)
    except OSError as error:
        output.fail(f"cannot read {asking.prices}: {error.strerror}", output.USAGE)
    except ValueError as error:
        output.fail(f"--prices {error}", output.USAGE)


def show_plan(questions: Iterable[Question], caller: Caller, asking: Asking, n_done: int, notes: Sequence[str]) -> None:
    """Prints what a run would ask and cost."""
    found = plan(questions, caller.client.model, caller.cache)
    price = read_price(caller.client.model, asking)
    lines = [
        f"model: {caller.client.model}",
        f"answers there already: {n_done:,}",
        f"answers to come: {found.questions:,}, of them {found.cached:,} from the cache or equal to others",
        f"calls, retries apart: {found.calls:,}",
        f"tokens in, estimated from characters: {found.prompt_tokens:,}",
        f"tokens out at the most: {found.max_completion_tokens:,}",
        f"cost: {_cost(found, price)}",
        *notes,
    ]
    output.emit("\n".join(map(output.safe, lines)) + "\n")


def _cost(found: Plan, price: Price | None) -> str:
    bounds = found.cost(price)
    if bounds is None or price is None:
        return "unknown, the model is in no price table (--prices FILE)"
    return f"${bounds[0]:,.4f} for the prompts, ${bounds[1]:,.4f} at the most (prices of {price.as_of})"


def _thousands(number: int) -> str:
    return (
        f"{number:,}"
        if number < 10_000
        else f"{number / 1000:,.0f}k"
        if number < 1_000_000
        else f"{number / 1e6:,.1f}M"
    )


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
