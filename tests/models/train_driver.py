"""Runs trainings in processes of their own that start at once: torch and transformers are loaded here, and each
training is a fork, which can be killed as any process can.

Reads lines of JSON: {"recipe": {...}, "resume": bool, "log": PATH}. Answers each with the process id, and with its
exit status once it has ended.
"""

import json
import os
import sys
import traceback

import torch
import transformers
import transformers.models.qwen3.modeling_qwen3  # noqa: F401
from rationale_rm.train import loop
from rationale_rm.train.recipe import Recipe


def child(order: dict) -> int:
    log = os.open(order["log"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        exec(order.get("first", ""), {})
        loop.train(Recipe.model_validate(order["recipe"]), resume=order["resume"])
    except BaseException as error:
        traceback.print_exc()
        return 1 if getattr(error, "started", False) else 2
    return 0


def main() -> None:
    torch.set_num_threads(1)  # threads of OpenMP do not survive a fork
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(child(order))
        print(json.dumps(pid), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


if __name__ == "__main__":
    main()
