"""The reward server (``rationale-rm serve``): rewards, scores and matches over HTTP, batches of JSON in and out.

A request passes `guard` (who may ask, and how much at once), `body` (its bytes, within time), `codec` (bytes → one of
the types of `schema`), `scoring` or `openrlhf` (what is asked for), and `codec` again. `app` puts these together,
`run` keeps the process: its listener, its limits on connections (`connections`) and its drain. docs/server.md describes
what goes over the wire.
"""

from rationale_rm.server.settings import MIB, ServerSettings, is_loopback, read_token

__all__ = ["MIB", "ServerSettings", "is_loopback", "read_token"]
