"""The OpenAPI document, made of the types that decode requests and encode answers."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from rationale_rm._core import __version__
from rationale_rm.server import schema
from rationale_rm.server.settings import ServerSettings

_REFERENCE: Final = "#/components/schemas/{name}"
_BATCHES: Final[tuple[tuple[str, str, str, type, type], ...]] = (
    (
        "/v1/rewards",
        "rewards",
        "Rewards and advantages of a GenRM's answers",
        schema.RewardsRequest,
        schema.RewardsAnswer,
    ),
    ("/v1/score", "score", "Verdict, outcome, RC, precision, F1 and AP", schema.ScoreRequest, schema.ScoreAnswer),
    ("/v1/match", "match", "Judged cells and one-to-one matches", schema.MatchRequest, schema.MatchAnswer),
    ("/get_reward", "get_reward", "OpenRLHF's remote reward protocol", schema.RemoteRequest, schema.RemoteAnswer),
)
_REASON: Final = "Response B breaks rule 2."
_ANSWER: Final = (
    f"<RESULT_START>\nList of reasons:\n1. {_REASON}\nFinal assessment result:\n\\boxed{{A>B}}\n<RESULT_END>"
)
_JUDGED: Final = "<RESULT_START>\n- R1@S1: 0.75\n<RESULT_END>"
_EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "rewards": {"texts": [_ANSWER], "references": [[_REASON]], "labels": [1]},
    "score": {"texts": [_ANSWER], "references": [[_REASON]], "labels": [1], "judge_answers": [[_JUDGED]]},
    "match": {"references": [[_REASON]], "reasons": [["B breaks the second rule."]]},
    "get_reward": {
        "query": [f"Which response is better?{_ANSWER}"],
        "prompts": ["Which response is better?"],
        "labels": ['{"references": ["Response B breaks rule 2."], "label": 1}'],
    },
}
_REFUSALS: Final = {
    "400": "No JSON, or a body that was cut.",
    "401": "No token, or another one.",
    "403": "Without a token: a Host header that names another machine.",
    "408": "The body did not come in time.",
    "413": "Too many bytes, rows or cells.",
    "415": "Another content type than application/json, or a content encoding.",
    "422": "JSON that is not of this form, columns of different lengths, or a text or list that is too long.",
    "429": "Too much is under way; Retry-After says when to come back.",
    "503": "The server is shutting down, or the judge failed for too many answers.",
    "504": "No answer within the time limit.",
}


def document(settings: ServerSettings) -> dict[str, Any]:
    """OpenAPI 3.1, with the limits of this server in words: they are its options, not part of the form."""
    _, components = msgspec.json.schema_components(schema.TYPES, ref_template=_REFERENCE)
    paths: dict[str, Any] = {
        path: {"post": _batch(name, text, asked, answer)} for path, name, text, asked, answer in _BATCHES
    }
    paths["/healthz"] = {"get": _get("healthz", "Whether the server takes requests", "application/json", "Health")}
    paths["/healthz"]["get"] |= {"security": []}
    paths["/healthz"]["get"]["responses"]["403"] = _refusal(_REFUSALS["403"])
    paths["/healthz"]["get"]["responses"]["503"] = {
        "description": "The server is shutting down.",
        "content": {"application/json": {"schema": _ref("Health")}},
    }
    for path, name, kind, text in (
        ("/metrics", "metrics", "text/plain", "Prometheus metrics"),
        ("/openapi.json", "openapi", "application/json", "This document"),
    ):
        paths[path] = {"get": _get(name, text, kind)}
        for status in ("401", "403"):
            paths[path]["get"]["responses"][status] = _refusal(_REFUSALS[status])
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "rationale-rm reward server",
            "version": __version__,
            "description": (
                f"At most {settings.max_body} bytes and {settings.max_rows} rows a request, {settings.max_text} "
                f"characters a text and {settings.max_items} entries a list within a row. The columns of a request "
                "are of one length."
            ),
        },
        "paths": paths,
        "components": {"schemas": components},
    }
    if settings.token is not None:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _batch(name: str, summary: str, asked: type, answer: type) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(asked.__name__), "example": _EXAMPLES[name]}},
        },
        "responses": {
            "200": {
                "description": "The columns.",
                "content": {"application/json": {"schema": _ref(answer.__name__)}},
            },
            **{status: _refusal(text) for status, text in _REFUSALS.items()},
        },
    }


def _get(name: str, summary: str, kind: str, of: str | None = None) -> dict[str, Any]:
    schema_of = {"type": "string"} if kind == "text/plain" else {"type": "object"} if of is None else _ref(of)
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "It.", "content": {kind: {"schema": schema_of}}}},
    }


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref("ProblemAnswer")}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=name)}
