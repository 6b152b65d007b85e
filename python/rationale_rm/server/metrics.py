"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rationale_rm._core import __version__
from rationale_rm.judge import Judge, MetaJudge
from rationale_rm.server.guard import Gate
from rationale_rm.server.judge import ServedJudge

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_ROWS = (1, 4, 16, 64, 256, 1024, 4096)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self, gate: Gate, judge: Judge, served: ServedJudge):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        if isinstance(judge, MetaJudge):
            self.registry.register(_Judge(judge))
        self.registry.register(_Now(gate, served))
        self.requests = Counter(
            "rationale_rm_requests", "Requests, by endpoint and status.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "rationale_rm_request_seconds",
            "From the head of a request to the end of its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.rows = Counter("rationale_rm_rows", "Rows that were answered.", ["path"], registry=self.registry)
        self.unknown = Counter(
            "rationale_rm_rows_with_error", "Answered rows of which something is not known.", ["path"],
            registry=self.registry,
        )  # fmt: skip
        self.batch = Histogram(
            "rationale_rm_batch_rows", "Rows of a request.", ["path"], buckets=_ROWS, registry=self.registry
        )
        self.cut = Counter(
            "rationale_rm_connections_cut", "Connections that a limit ended, by limit.", ["why"], registry=self.registry
        )

    def exposition(self) -> bytes:
        """The text that is scraped."""
        return generate_latest(self.registry)


class _Now(Collector):
    """What is under way at the moment of the scrape."""

    def __init__(self, gate: Gate, served: ServedJudge):
        self._gate = gate
        self._served = served

    def collect(self) -> Iterator[Metric]:
        gate = self._gate
        for name, text, value in (
            ("requests_pending", "Requests accepted and not answered yet.", gate.requests),
            ("rows_pending", "Rows of these requests.", gate.rows),
            ("bytes_pending", "Bytes of these requests.", gate.bytes),
            ("cells_pending", "Cells that the judge is at, also for requests given up.", self._served.cells),
            ("draining", "Whether the server is shutting down.", int(gate.draining)),
        ):
            yield GaugeMetricFamily(f"rationale_rm_{name}", text, value)
        info = GaugeMetricFamily("rationale_rm_build_info", "The version that runs.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info


class _Judge(Collector):
    """What the judge was asked, by the package's own counts."""

    def __init__(self, judge: MetaJudge):
        self._judge = judge

    def collect(self) -> Iterator[Metric]:
        usage = self._judge.caller.usage
        for name, text, value in (
            ("questions", "Questions to the judge that have ended, answered or not.", usage.questions),
            ("calls", "Requests to the judge, with retries.", usage.calls),
            ("failed", "Questions that ended without a readable answer.", usage.failed),
            ("cache_hits", "Questions answered from the cache.", usage.cache_hits),
            ("prompt_tokens", "Tokens of prompts.", usage.prompt_tokens),
            ("completion_tokens", "Tokens of answers.", usage.completion_tokens),
        ):
            yield CounterMetricFamily(f"rationale_rm_judge_{name}", text, value)
