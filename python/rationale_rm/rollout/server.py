"""Rollouts from a vLLM server with workers of its own, given the trainer's weights over the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from rationale_rm.engine import EngineError, Message, Sampling
from rationale_rm.engine.chat import ChatTokenizer
from rationale_rm.rollout.served import DEV_MODE, errors, open_client, served_model, weight_routes
from rationale_rm.rollout.transfer import WeightSender
from rationale_rm.rollout.types import Completion, GroupsOfRows, OnGroup, row_seed, sampling_of
from rationale_rm.rollout.weights import checkpoint_weights, to_the_end


class VllmServerRollouts:
    """Samples from the vLLM server at `base_url` (``http://HOST:PORT/v1``), whose weights `sync` replaces.

    The server runs the model `name` (None: the only one that it serves) with ``engine.gloo.SERVER_ARGUMENTS`` and
    ``VLLM_SERVER_DEV_MODE=1``; `tokenizer` is that model's, `template_options` go to its chat template. `max_model_len`
    bounds prompt and answer together (default: the server's own limit). `address` is an address of this machine that
    the server's workers can reach. Up to `concurrency` groups are under way at a time, and what does not come within
    `seconds` has failed. Connects at once and raises `EngineError` where that fails.

    Of several processes that sample from one server all but one are made with ``sends=False``: these take their part in
    gathering the weights, and send none.
    """

    def __init__(
        self,
        base_url: str,
        name: str | None,
        tokenizer: Any,
        *,
        address: str = "127.0.0.1",
        concurrency: int = 64,
        seconds: float = 600.0,
        max_model_len: int | None = None,
        template_options: Mapping[str, Any] | None = None,
        sends: bool = True,
    ):
        self._concurrency = concurrency
        self._client: Any = open_client(base_url, seconds)
        self._routes = weight_routes(self._client, base_url)
        self._address, self._seconds = address, seconds
        self._sends = sends
        self._closed = False
        self._fault: str | None = None
        self._sender: WeightSender | None = None
        try:
            self._name, limit = served_model(self._client, base_url, name, at_least=max_model_len)
            self._chat = ChatTokenizer(tokenizer, self._name, max_model_len or limit, template_options)
            if sends:
                self._sender = WeightSender(self._control, address, seconds)
                if self._sender.greeting["logprobs_mode"] != "processed_logprobs":
                    raise EngineError(
                        "the server's log-probabilities are not the sampler's: --logprobs-mode processed_logprobs"
                    )
        except BaseException:
            self.close()
            raise

    def sample(
        self,
        prompts: Sequence[Sequence[Message]],
        n: int,
        *,
        max_tokens: int,
        temperature: float,
        seeds: Sequence[int],
        on_group: OnGroup | None = None,
    ) -> list[list[Completion]]:
        """See `Rollouts.sample`. A group is one request; one that fails is a group with an error."""
        how = sampling_of(prompts, n, seeds, max_tokens, temperature)
        self._opened()
        if self._fault is not None:
            raise EngineError(f"the server's weights are not the trainer's, for the last sync failed: {self._fault}")
        groups = GroupsOfRows(len(prompts), n, on_group)
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="rollouts") as pool:
            asked = {}
            for index, ids in groups.encode(prompts, self._chat).items():
                asked[pool.submit(self._ask, ids, n, how, row_seed(seeds[index], 0))] = (index, ids)
            try:
                for done in as_completed(asked):
                    index, ids = asked[done]
                    try:
                        choices = done.result()
                    except errors() as error:
                        groups.failed(index, f"{type(error).__name__}: {error}")
                    else:
                        self._take(groups, index, ids, choices, n, how)
            except BaseException:
                for future in asked:
                    future.cancel()
                raise
        return groups.complete()

    def sync(self, model: Any) -> None:
        """Sends the present weights of `model` to the server, and lets it forget what the old ones have computed.

        `model` may be wrapped as `checkpoint_weights` allows; where that gathers weights, every process must call this,
        and none may sample before the one that sends is done. Requests that are under way end first. After a failure
        nothing can be sampled until a `sync` has succeeded.
        """
        self._opened()
        with to_the_end(checkpoint_weights(model)) as weights:
            if self._sends:
                self._send(weights)

    def _send(self, weights: Iterator[tuple[str, Any]]) -> None:
        self._fault = "it was broken off"
        try:
            if self._sender is None:
                self._sender = WeightSender(self._control, self._address, self._seconds)
            self._control("pause?mode=wait")
            try:
                self._sender.send(weights)
                self._control("reset_prefix_cache")
            finally:
                self._control("resume")
        except BaseException as error:
            self._fault = str(error)
            self._let_go()  # what the workers wait for is not known: they are met anew
            raise
        self._fault = None

    def close(self) -> None:
        """Lets go of the server, which goes on. Closing twice is fine."""
        self._closed = True
        self._let_go()
        self._client.close()

    def _opened(self) -> None:
        if self._closed:
            raise EngineError("the rollouts are closed")

    def _let_go(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    def _control(self, route: str, body: dict[str, Any] | None = None) -> None:
        try:
            self._routes.post(f"/{route}", cast_to=object, body=body)
        except errors() as error:
            hint = f": {DEV_MODE}"
            missing = getattr(error, "status_code", None) == 404 or route.startswith("init_")
            raise EngineError(f"the server refuses {route.split('?')[0]} ({error}){hint if missing else ''}") from error

    def _different(self, n: int, how: Sampling) -> int:
        """Answers to ask for: at temperature 0 one, for the likeliest tokens are the same each time."""
        return n if how.temperature > 0 else 1

    def _ask(self, ids: list[int], n: int, how: Sampling, seed: int) -> list[Any]:
        """The choices of one group. vLLM draws choice i with ``seed + i``."""
        answer = self._client.completions.create(
            model=self._name,
            prompt=ids,
            n=self._different(n, how),
            max_tokens=self._chat.room(ids, how),
            temperature=how.temperature,
            top_p=1.0,
            seed=seed // 2,  # room for the i that is added
            logprobs=0,
            extra_body={"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "return_token_ids": True},
        )
        return sorted(answer.choices, key=lambda choice: choice.index)

    def _take(
        self, groups: GroupsOfRows, index: int, ids: list[int], choices: list[Any], n: int, how: Sampling
    ) -> None:
        wanted = self._different(n, how)
        if len(choices) != wanted:
            groups.failed(index, f"the server gave {len(choices)} answers instead of {wanted}")
            return
        for sample in range(n):
            groups.add(self._completion(index, sample, ids, choices[sample % wanted]))

    def _completion(self, prompt: int, sample: int, ids: list[int], choice: Any) -> Completion:
        token_ids = tuple(choice.token_ids)
        return Completion(
            prompt=prompt,
            sample=sample,
            prompt_ids=tuple(ids),
            token_ids=token_ids,
            logprobs=tuple(choice.logprobs.token_logprobs),
            text=self._chat.decode(token_ids),
            truncated=choice.finish_reason == "length",
            error=None if choice.finish_reason in ("stop", "length") else f"vLLM gave up: {choice.finish_reason}",
        )
