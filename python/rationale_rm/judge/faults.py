"""Why a call gave no answer, and whether asking again may help."""

from __future__ import annotations

from typing import Final, NamedTuple

RATE_LIMITED: Final = "rate_limited"
"""429: the server asks to wait."""
SERVER_ERROR: Final = "server_error"
"""5xx."""
TIMEOUT: Final = "timeout"
"""No answer within the time of one attempt."""
CONNECTION: Final = "connection"
"""The connection was refused or cut."""
BAD_BODY: Final = "bad_body"
"""The body is no chat completion: cut JSON, an HTML page, another shape."""
EMPTY_ANSWER: Final = "empty_answer"
"""A chat completion without a choice or without text."""
WRONG_MODEL: Final = "wrong_model"
"""The server says that another model answered."""
MALFORMED: Final = "malformed"
"""The text came and cannot be read."""
REFUSED: Final = "refused"
"""4xx: the request itself is at fault (key, model name, length); asking again cannot help."""
BUDGET: Final = "budget"
"""The time budget of the request or of the batch was spent."""
ENGINE: Final = "engine"
"""The engine in this process failed."""


class Tokens(NamedTuple):
    """What a call used up."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class Failed(NamedTuple):
    """A request to a server that failed, after which the call went on: to another server, or in another form."""

    cause: str
    used: Tokens


class CallError(Exception):
    """A call without a usable answer; `str()` is the cause and what the server said, without secrets."""

    def __init__(
        self,
        cause: str,
        message: str,
        *,
        retryable: bool = True,
        retry_after: float | None = None,
        status: int | None = None,
        used: Tokens = Tokens(),  # noqa: B008
    ):
        super().__init__(f"{cause}: {message}")
        self.cause = cause
        self.retryable = retryable
        self.retry_after = retry_after
        """Seconds that the server asks to wait."""
        self.status = status
        """The HTTP status, where there was one."""
        self.parameter: str | None = None
        """The parameter of the request that the server does not take, where it names one."""
        self.earlier: tuple[Failed, ...] = ()
        """Requests of this call before the last one."""
        self.used = used
        """What was spent all the same."""
