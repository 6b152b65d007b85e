"""Engines of vLLM that come and go: opened in a worker thread, closed, opened again, memory given back."""

import subprocess
import sys

SCRIPT = """
import gc, os, sys, threading
from pathlib import Path
from rationale_rm.engine import EngineError, Sampling, VllmEngine

prompt = [{"role": "user", "content": "Which response is better?"}]


def resident():
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def answer():
    with VllmEngine(sys.argv[1], max_model_len=512) as engine:
        texts.append(engine.generate([prompt], [Sampling(max_tokens=16)])[0].text)
    try:
        engine.generate([prompt], [Sampling(max_tokens=16)])
    except EngineError as error:
        assert "closed" in str(error)
    else:
        raise AssertionError("a closed engine answered")


texts = []
sizes = []
for _ in range(3):
    thread = threading.Thread(target=answer)
    thread.start()
    thread.join()
    sizes.append(resident())
print(len(texts), len(set(texts)), *sizes)
"""


def test_engines_can_be_opened_one_after_another_in_threads(tiny_model_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tiny_model_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    opened, different, *sizes = map(float, done.stdout.split()[-5:])
    assert (opened, different) == (3, 1)
    # A cache takes 1 GiB (VLLM_CPU_KVCACHE_SPACE): one that stayed would show.
    assert sizes[2] - sizes[0] < 300, sizes


CLIENT = """
import sys
from rationale_rm.engine import Sampling
from rationale_rm.judge import CallError, loop
from rationale_rm.judge.spec import Spec, open_client

prompt = [{"role": "user", "content": "Which response is better?"}]


def text(client):
    return loop.run(client.complete(prompt, Sampling(max_tokens=16), timeout=200)).text


texts = set()
for _ in range(2):
    client = open_client(Spec("vllm", sys.argv[1]))
    texts.add(text(client))
    loop.run(client.close())
    loop.run(client.close())
    try:
        text(client)
    except CallError as error:
        print(error.cause)
print(len(texts))
"""


def test_a_client_that_is_closed_makes_room_for_another(tiny_model_path):
    done = subprocess.run([sys.executable, "-c", CLIENT, str(tiny_model_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()  # vLLM prints there too
    assert (lines.count("engine"), lines[-1]) == (2, "1")
