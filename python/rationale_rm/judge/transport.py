"""The official client's aiohttp transport, less what every call would compute anew.

A seventh of the time of a call goes into merging a URL, headers and cookies that are the same for all calls
(``python -m benches.run --only judge_client_throughput``). The official client lets that be changed by ``http_client``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

KEEPALIVE_SECONDS: Final = 2.0
"""For which an idle connection is used again. Servers on uvicorn, vLLM's too, close theirs after 5 s, and a request
that crosses with the close is lost."""

MOST_CONNECTIONS: Final = 1 << 16
"""Out of reach: `Limits.concurrency` is the bound. (None would be aiohttp's own default, 100.)"""


def http_client() -> Any:
    """A new HTTP client for ``openai.AsyncOpenAI``, for one event loop."""
    import httpx2

    limits = httpx2.Limits(max_connections=MOST_CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS)
    return _class()(limits=limits)


@lru_cache(maxsize=1)
def _class() -> type[Any]:
    """A subclass of ``openai.DefaultAioHttpClient``; made here, since openai is loaded where it is used."""
    import httpx2
    import openai

    parsed = lru_cache(maxsize=64)(httpx2.URL)

    class HttpClient(openai.DefaultAioHttpClient):
        """Builds the plain requests of chat completions directly, and leaves all others to its parent."""

        def build_request(self, method: str, url: Any, **parts: Any) -> httpx2.Request:
            headers, content, timeout = (parts.pop(name, None) for name in ("headers", "content", "timeout"))
            if not isinstance(url, str) or timeout is None or self.cookies or any(parts.values()):
                parts.update(headers=headers, content=content, timeout=timeout)
                return super().build_request(method, url, **parts)
            return httpx2.Request(
                method,
                parsed(url),
                headers=[*headers, ("Accept-Encoding", "gzip, deflate")],
                content=content,
                extensions={"timeout": httpx2.Timeout(timeout).as_dict()},
            )

    return HttpClient
