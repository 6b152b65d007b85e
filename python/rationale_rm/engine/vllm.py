"""vLLM in this process."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rationale_rm.engine.chat import ChatTokenizer, check
from rationale_rm.engine.types import EngineError, Generation, Message, Sampling
from rationale_rm.engine.vllm_launched import Launched
from rationale_rm.engine.vllm_reload import forget_half_loaded, pack_experts, quiet_about_rotary
from rationale_rm.extras import needs

# What vLLM needs in this process, unless the user has set it: the model in this process and not in a worker, so
# that `apply_model` reaches it, and a log that leaves the terminal to the caller.
_ENVIRONMENT = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_LOGGING_LEVEL": "WARNING"}
_CPU_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1"}  # GiB; the default takes most of the memory


class VllmEngine:
    """A chat model in vLLM, with constrained output, a prefix cache and true sampler log-probabilities.

    `path` is a folder or a name that transformers knows. `max_model_len` bounds prompt and answer together, in
    tokens (default: what the model was trained for). On a machine without an accelerator `dtype` is float32 and
    nothing is compiled unless `enforce_eager` is False; elsewhere vLLM decides. `options` go to ``vllm.LLM``.

    Where torch.distributed has several processes, each has a worker of its own on its own device, and all of them make
    their engines together. With ``tensor_parallel_size`` above 1 so many neighbours share a model: they call `generate`
    and `load_weights` together, each with prompts of its own, or with none.

    The first call compiles for some seconds. The same seed gives the same tokens as long as rounding, which depends
    on what shares the batch, tips no draw. Sets ``VLLM_*`` variables of this process that are not set yet.
    """

    constrains = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_model_len: int | None = None,
        dtype: str | None = None,
        enforce_eager: bool | None = None,
        seed: int = 0,
        template_options: Mapping[str, Any] | None = None,
        **options: Any,
    ):
        with needs("vllm", "torch", "vllm"):
            import torch

            on_cpu = not torch.accelerator.is_available()
            for name, value in {**_ENVIRONMENT, **(_CPU_ENVIRONMENT if on_cpu else {})}.items():
                os.environ.setdefault(name, value)
            import vllm
        self._vllm = vllm
        tensor_parallel = options.get("tensor_parallel_size", 1)
        self._launched = Launched(tensor_parallel)
        # What workers in processes of vLLM's own are asked is pickled, which weights on their way cannot be.
        self._replaceable = tensor_parallel == 1 or self._launched.are_there
        self._lock = threading.Lock()
        self._fault: str | None = None
        if on_cpu:
            # vLLM 0.32 takes back the draw of a prompt that is split over steps, which generators of the CPU cannot:
            # one seeded request would end the engine.
            options.setdefault("enable_chunked_prefill", False)
        self._llm: Any = vllm.LLM(
            os.fspath(path),
            max_model_len=max_model_len,
            dtype=dtype or ("float32" if on_cpu else "auto"),
            enforce_eager=on_cpu if enforce_eager is None else enforce_eager,
            seed=seed,
            # After temperature, top_p and the mask of the constraint: what the token was drawn from.
            logprobs_mode="processed_logprobs",
            **{**self._launched.options, **options},
        )
        try:
            self.chat: ChatTokenizer = ChatTokenizer(
                self._llm.get_tokenizer(), os.fspath(path), self._llm.model_config.max_model_len, template_options
            )
        except EngineError:
            self.close()
            raise

    @property
    def max_model_len(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self.chat.limit

    def generate(
        self, prompts: Sequence[Sequence[Message]], sampling: Sequence[Sampling], *, logprobs: bool = False
    ) -> list[Generation]:
        """One answer for each prompt, in their order (see `Engine.generate`).

        All prompts go to vLLM at once, which batches them; give it as many as there are.
        """
        check(prompts, sampling)
        encoded = [self.chat.encode(messages) for messages in prompts]
        rows = [row for row, one in enumerate(encoded) if isinstance(one, list)]
        ids = [one for one in encoded if isinstance(one, list)]
        answers = dict(
            zip(rows, self.generate_ids(ids, [sampling[row] for row in rows], logprobs=logprobs), strict=True)
        )
        return [one if isinstance(one, Generation) else answers[row] for row, one in enumerate(encoded)]

    def generate_ids(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sequence[Sampling],
        *,
        logprobs: bool = False,
        on_answer: Callable[[int, Generation], None] | None = None,
    ) -> list[Generation]:
        """As `generate`, of prompts that `chat` has made tokens of.

        `on_answer(index, generation)` is called as soon as an answer is there, and must not call this engine; what it
        raises ends the call, and the other answers are given up (and processes that share the model wait in vain).
        """
        check(prompts, sampling)
        with self._lock:
            llm = self._opened()
            own = [(list(ids), how, logprobs) for ids, how in zip(prompts, sampling, strict=True)]
            rows, first = self._launched.together(own)
            params = [self._params(*row) for row in rows]
            try:
                queued = llm.enqueue([{"prompt_token_ids": ids} for ids, _, _ in rows], params, use_tqdm=False)
            except Exception as error:  # of several kinds, by backend; vLLM has taken back what it had queued
                raise EngineError(f"vLLM refuses the sampling: {error}") from error
            # vLLM adds a suffix to the id of a request, which its outputs do not have.
            place = {request.rpartition("-")[0]: row - first for row, request in enumerate(queued)}
            answers: dict[int, Generation] = {}
            try:
                while llm.llm_engine.has_unfinished_requests():
                    for output in llm.llm_engine.step():
                        index = place[output.request_id]
                        if not output.finished or not 0 <= index < len(own):
                            continue
                        answers[index] = self._generation(output)
                        if on_answer is not None:
                            on_answer(index, answers[index])
            except BaseException:
                llm.llm_engine.abort_request(queued, internal=True)
                raise
            return [answers[index] for index in range(len(own))]

    def apply_model(self, function: Callable[[Any], Any]) -> list[Any]:
        """Runs `function` on vLLM's torch module; one result for each worker.

        The prefix cache is emptied after it, for what it holds the weights of before have computed. vLLM packs some
        weights for its kernels: use `load_weights` to replace them.
        """
        with self._lock:
            llm = self._opened()
            results: list[Any] = llm.apply_model(function)
            llm.reset_prefix_cache()
            return results

    def load_weights(self, weights: Iterable[tuple[str, Any]]) -> None:
        """Replaces weights in place; names and shapes are those of the model's checkpoint, all of them.

        Weights that are tied are given under each of their names. Empties the prefix cache. After a failure nothing
        can be generated until a replacement has succeeded.
        """
        if not self._replaceable:
            raise EngineError(
                "weights can be replaced in workers of the trainer's own processes alone: with tensor_parallel_size "
                "above 1 start so many processes by accelerate launch"
            )
        with self._lock:
            llm = self._opened(whole=False)
            llm.apply_model(forget_half_loaded)
            self._fault = "it was broken off"
            try:
                with quiet_about_rotary():
                    llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(weights)})
                llm.apply_model(pack_experts)
            except Exception as error:
                self._fault = f"{type(error).__name__}: {error}"
                raise EngineError(f"vLLM cannot load the weights: {error}") from error
            self._fault = None
            llm.reset_prefix_cache()

    def sleep(self) -> None:
        """Moves the weights to main memory and gives the cache's memory back, until `wake`.

        Needs an accelerator, and the option ``enable_sleep_mode=True``.
        """
        with self._lock:
            self._opened().sleep(level=1)

    def wake(self) -> None:
        """Takes the memory again; the weights are those that `sleep` put away."""
        with self._lock:
            self._opened().wake_up()

    def close(self) -> None:
        """Gives the memory of model and cache back. Closing twice is fine."""
        with self._lock:
            llm, self._llm = self._llm, None
            if llm is None:
                return
            with self._launched.ending():
                llm.llm_engine.engine_core.shutdown()
                del llm
            gc.collect()

    def __enter__(self) -> VllmEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self, *, whole: bool = True) -> Any:
        if self._llm is None:
            raise EngineError("the engine is closed")
        if whole and self._fault is not None:
            raise EngineError(f"the last replacement of the weights failed: {self._fault}")
        return self._llm

    def _params(self, ids: list[int], sampling: Sampling, logprobs: bool) -> Any:
        constraint = None
        if sampling.regex is not None:
            from vllm.sampling_params import StructuredOutputsParams

            constraint = StructuredOutputsParams(regex=sampling.regex)
        return self._vllm.SamplingParams(
            max_tokens=self.chat.room(ids, sampling),
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=0,
            seed=sampling.seed,
            logprobs=0 if logprobs else None,
            detokenize=False,  # `ChatTokenizer.decode` does it once, at the end
            structured_outputs=constraint,
        )

    def _generation(self, output: Any) -> Generation:
        answer = output.outputs[0]
        token_ids = tuple(answer.token_ids)
        steps = answer.logprobs or ()
        return Generation(
            text=self.chat.decode(token_ids),
            finish_reason=answer.finish_reason,
            error="vLLM gave up" if answer.finish_reason in ("error", "abort") else None,
            prompt_tokens=len(output.prompt_token_ids),
            completion_tokens=len(token_ids),
            cached_tokens=output.num_cached_tokens or 0,
            token_ids=token_ids,
            logprobs=tuple(step[token].logprob for step, token in zip(steps, token_ids, strict=bool(steps))),
        )
