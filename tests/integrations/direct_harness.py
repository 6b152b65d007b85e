"""A harness of verifiers 0.4 that asks the model once, in this process: its own ones start programs with uv."""

import httpx
import verifiers.v1 as vf
from verifiers.v1.dialects.chat import message_to_wire
from verifiers.v1.runtimes import ProgramResult

__all__ = ["DirectHarness"]


class DirectHarnessConfig(vf.HarnessConfig):
    pass


class DirectHarness(vf.Harness[DirectHarnessConfig]):
    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(self, ctx, trace, runtime, endpoint, secret, mcp_urls, data, tool_interception_url=None):
        messages = [message_to_wire(message) for message in data.prompt]
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {secret}"}, timeout=60) as client:
            body = {"model": ctx.model, "messages": messages}
            (await client.post(f"{endpoint}/chat/completions", json=body)).raise_for_status()
        return ProgramResult(0, "", "")
