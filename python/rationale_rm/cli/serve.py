"""``rationale-rm serve``: rewards, scores and matches over HTTP."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any, Final

import typer

from rationale_rm.cli import output
from rationale_rm.extras import needs
from rationale_rm.rewards import VARIABLE, RewardSettings

MOST_MIB: Final = 2**20
EPILOG: Final = """\
Examples:

\b
  rationale-rm serve
      the lexical judge on http://127.0.0.1:8080, for this machine alone
  rationale-rm serve --judge openai:Qwen/Qwen3-235B@http://127.0.0.1:8000/v1 --set mode=sum --set weight=0.3
      a MetaJudge on a vLLM server; settings are those of a recipe's section reward (docs/recipes.md)
  RATIONALE_RM_TOKEN=… rationale-rm serve --host 0.0.0.0 --reward reward.json
      for other machines: clients show the token as a bearer
  curl -s http://127.0.0.1:8080/v1/match -H 'Content-Type: application/json' \\
      -d '{"references": [["Response B breaks rule 2."]], "reasons": [["B breaks the second rule."]]}'
      which reasons are the human ones

POST /v1/rewards, /v1/score, /v1/match, and /get_reward for OpenRLHF's --reward.remote_url; GET /openapi.json says
what they take, /healthz whether the server takes requests, /metrics what it does. SIGTERM: what was accepted is
answered, new requests are told 503. docs/server.md has the details.
"""


def serve(
    judge: Annotated[
        str | None,
        typer.Option(
            help="openai:NAME@URL (several URLs with commas), openai:NAME, vllm:PATH, hf:PATH, lexical or "
            "embedding[:MODEL]. Default: the reward settings', lexical without any."
        ),
    ] = None,
    reward: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Settings of the reward: a JSON or YAML file, or a JSON object. Default: $RATIONALE_RM_REWARD.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting of the reward; may be repeated."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one beyond this machine needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one, which the log names.")] = 8080,
    token_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Environment variable that holds the clients' token. Default: RATIONALE_RM_TOKEN."
        ),
    ] = None,
    token_file: Annotated[str | None, typer.Option(metavar="FILE", help="File that holds it instead.")] = None,
    max_body: Annotated[float, typer.Option(min=0.001, help="MiB of one request.")] = 32.0,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of one request.")] = 4096,
    max_cells: Annotated[
        int, typer.Option(min=1, help="Human reasons times model reasons of one request, over its judged rows.")
    ] = 262_144,
    max_text: Annotated[int, typer.Option(min=1, help="Characters of one text.")] = 1_000_000,
    max_pending: Annotated[
        int,
        typer.Option(min=1, help="Requests accepted and not answered yet; more are told 429."),
    ] = 1024,
    max_rows_pending: Annotated[int, typer.Option(min=1, help="Rows of these requests.")] = 16_384,
    max_cells_pending: Annotated[int, typer.Option(min=1, help="Cells that the judge may be at.")] = 1_048_576,
    max_connections: Annotated[int, typer.Option(min=1, help="Open connections, health checks included.")] = 2048,
    request_timeout: Annotated[float, typer.Option(min=0.001, help="Seconds for the answer to a request.")] = 600.0,
    body_timeout: Annotated[float, typer.Option(min=0.001, help="Seconds for the body of a request to come.")] = 30.0,
    header_timeout: Annotated[float, typer.Option(min=0.001, help="Seconds for its head.")] = 10.0,
    grace: Annotated[
        float,
        typer.Option(min=0.001, help="Seconds after SIGTERM, SIGINT or SIGHUP for what was accepted."),
    ] = 60.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Leave requests out of the log.")] = False,
) -> None:
    """Serve rewards for a GenRM's answers over HTTP.

    Batches of JSON in and out: columns with one entry a row, null where something is not known, and the cause in
    `errors`. Logs are lines of JSON on standard error; they hold no texts and no keys.
    """
    with needs("serve", "starlette", "uvicorn", "httptools", "msgspec", "prometheus_client"):
        from rationale_rm.server import MIB, ServerSettings, read_token
        from rationale_rm.server.run import serve as run
    if token_env is not None and token_file is not None:
        output.fail("--token-env and --token-file exclude each other", output.USAGE)
    try:
        reward_settings = _reward_settings(reward, settings or [], judge)
        server_settings = ServerSettings(
            host=host,
            port=port,
            token=read_token(variable=token_env, path=token_file),
            max_body=_bytes(max_body, MIB),
            max_rows=max_rows,
            max_cells=max_cells,
            max_text=max_text,
            max_requests_pending=max_pending,
            max_rows_pending=max_rows_pending,
            max_cells_pending=max_cells_pending,
            max_connections=max_connections,
            request_timeout=request_timeout,
            body_timeout=body_timeout,
            header_timeout=header_timeout,
            grace=grace,
        )
    except ValueError as error:
        output.fail(str(error), output.USAGE)
    try:
        code = run(server_settings, reward_settings, quiet=quiet)
    except (ImportError, ValueError, OSError) as error:
        output.fail(str(error))
    raise typer.Exit(code)


def _bytes(mib: float, unit: int) -> int:
    """Of ``--max-body``, which may be a fraction, and no number at all."""
    if not 0 < mib <= MOST_MIB:
        raise ValueError(f"--max-body is {mib:g}: expected MiB, at most {MOST_MIB:,}")
    return int(mib * unit)


def _reward_settings(source: str | None, changes: list[str], judge: str | None) -> RewardSettings:
    """The settings of a file or the environment, changed by ``--set`` and ``--judge``."""
    if source is None:
        base = RewardSettings.from_environment() if VARIABLE in os.environ else RewardSettings()
    else:
        try:
            base = RewardSettings.from_text(source)
        except (ValueError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"--reward {source[:80]}: {reason}") from None
    values = base.to_mapping()
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise ValueError(f"--set {change}: expected NAME=VALUE")
        values[name] = _value(text)
    if judge is not None:
        values["judge"] = judge
    return RewardSettings.from_mapping(values)


def _value(text: str) -> Any:
    """A JSON value, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
