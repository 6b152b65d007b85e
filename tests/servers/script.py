"""What a scripted server does beside answering: how fast it is and what goes wrong, reproducibly."""

from collections.abc import Mapping
from dataclasses import dataclass

from .transcripts import draw

FAULTS = (
    "rate_limit",  # 429, Retry-After in seconds
    "rate_limit_date",  # 429, Retry-After as a date of HTTP
    "error_500",
    "error_503",
    "slow",  # beyond the client's timeout
    "cut_before",  # the connection ends before a byte of the answer
    "reset",  # likewise, by a reset
    "cut_middle",  # the connection ends within the body
    "truncated_json",  # half of the JSON, and a Content-Length that agrees
    "empty_choices",
    "null_content",
    "wrong_model",
    "garbage",  # text without an answer
    "malformed_block",  # the block lacks its first line of content
    "cut_answer",  # cut by length: finish_reason is length
    "html",  # a page of some proxy, with status 200
    "echo_error",  # 500, and the body repeats the Authorization header
    "echo_answer",  # the answer's text repeats the Authorization header
)


@dataclass(frozen=True, kw_only=True)
class Script:
    """Settings of a scripted server."""

    seed: int = 0
    faults: float | Mapping[str, float] = 0.0
    """Share of requests that fail: in all, every kind alike, or kind by kind."""
    mode: str = "answer"
    """``answer``, or ``null``: `null_text` at once and unread, for measuring clients; no faults then."""
    null_text: str = "<RESULT_START>\n- R1@S0: 0\n<RESULT_END>"
    latency: float = 0.0
    """Seconds before every answer."""
    latency_spread: float = 0.0
    """Up to so many seconds more, by question."""
    slow: float = 60.0
    """Seconds of the fault `slow`."""
    retry_after: float = 0.05
    """Seconds that `rate_limit` asks for; `rate_limit_date` means the next full second."""
    hopeless: float = 0.0
    """Share of questions that get garbage whenever they are asked."""
    permanent: int | None = None
    """401 or 404 for every request."""
    reject_constraints: bool = False
    """400 for requests that ask for constrained output; else such parameters are not looked at."""
    model: str | None = None
    """The only model that is there; others are 404. None: the server has every model."""

    def __post_init__(self):
        """Raises `ValueError` for a fault that does not exist and shares outside [0, 1]."""
        unknown = set(self.shares) - set(FAULTS)
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        if self.mode not in ("answer", "null") or self.permanent not in (None, 401, 404):
            raise ValueError(f"no such mode: {self.mode}, permanent {self.permanent}")
        for share in (*self.shares.values(), sum(self.shares.values()), self.hopeless):
            if not 0 <= share <= 1 + 1e-9:
                raise ValueError(f"a share must be from 0 to 1, not {share}")

    @property
    def shares(self):
        """Fault → share of the requests."""
        if isinstance(self.faults, Mapping):
            return dict(self.faults)
        return {name: self.faults / len(FAULTS) for name in FAULTS} if self.faults else {}


def fault_of(script, digest, count):
    """What goes wrong when a question is asked for the `count`-th time (from 0); None where nothing does."""
    if script.hopeless and draw("hopeless", script.seed, digest) < script.hopeless:
        return "hopeless"
    left = draw("fault", script.seed, digest, count)
    for name, share in script.shares.items():
        left -= share
        if left < 0:
            return name
    return None
