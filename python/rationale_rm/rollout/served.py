"""What a vLLM server serves, asked by the official client of its protocol."""

from __future__ import annotations

from typing import Any, Final

from rationale_rm.engine import EngineError
from rationale_rm.extras import needs

DEV_MODE: Final = "start it with VLLM_SERVER_DEV_MODE=1 and the arguments of rationale_rm.engine.gloo.SERVER_ARGUMENTS"


def open_client(base_url: str, seconds: float) -> Any:
    """A client that asks once; what does not come within `seconds` has failed."""
    return _library().OpenAI(base_url=base_url, api_key="none", timeout=seconds, max_retries=0)


def errors() -> type[Exception]:
    """What the client raises."""
    error: type[Exception] = _library().OpenAIError
    return error


def served_model(client: Any, base_url: str, name: str | None, *, at_least: int | None = None) -> tuple[str, int]:
    """The model `name` on the server, None for the only one there, and its limit of tokens.

    Raises `EngineError` where the server does not answer, serves another model, or several, or where its limit is below
    `at_least`.
    """
    try:
        models = {model.id: getattr(model, "max_model_len", None) for model in client.models.list().data}
    except errors() as error:
        raise EngineError(f"the vLLM server {base_url} does not answer: {error}") from error
    except (AttributeError, TypeError, ValueError) as error:  # what the client makes of a page that is no such answer
        raise EngineError(f"{base_url} does not speak OpenAI's protocol: it is no vLLM server") from error
    found = name if name is not None or len(models) != 1 else next(iter(models))
    if found is None or found not in models:
        wanted = f"not {name}" if name is not None else "not one alone: name it (rollout.server.model)"
        raise EngineError(f"the server {base_url} serves {', '.join(models) or 'no model'}, {wanted}")
    limit = models[found]
    if limit is None:
        raise EngineError(f"the server {base_url} does not say how long a text may be: it is no vLLM server")
    if at_least is not None and at_least > limit:
        raise EngineError(
            f"the server {base_url} takes {limit:,} tokens, prompt and answer together, and {at_least:,} are needed: "
            f"start it with --max-model-len {at_least}"
        )
    return found, int(limit)


def weight_routes(client: Any, base_url: str) -> Any:
    """The client for the routes of a server that stand beside its API."""
    return client.with_options(
        base_url=base_url.rstrip("/").removesuffix("/v1"),
        default_headers={"Connection": "close"},  # after an error of its own vLLM does not answer on the same one
    )


def check_takes_weights(client: Any, base_url: str) -> None:
    """Raises `EngineError` where the server has no routes for weights."""
    try:
        weight_routes(client, base_url).get("/get_world_size", cast_to=object)
    except errors() as error:
        raise EngineError(f"the server {base_url} takes no weights ({error}): {DEV_MODE}") from error


def _library() -> Any:
    with needs("judge", "openai"):
        import openai
    return openai
