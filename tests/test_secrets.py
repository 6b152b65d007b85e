"""Keys and passwords never appear in logs, caches, errors or result files, whatever servers echo and users mistype."""

import base64
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from judging import COMMAND, KEY, RecordingServer, completion, environment, pairs_file
from rationale_rm.cli.main import app
from servers import ScriptedServer
from typer.testing import CliRunner

PASSWORD = "s3cr3t-p4ssw0rd-0123"
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
FORBIDDEN = {
    "key": KEY,
    "password": PASSWORD,
    "basic": BASIC.rstrip("="),
    "basic of any offset": base64.b64encode(f"xx{PASSWORD}".encode()).decode()[4:-4],
    "escaped": PASSWORD.replace("-", "%2D"),
}
EVERYTHING = """
import logging, sys, warnings
logging.basicConfig(level=0, stream=sys.stderr)
for name in ("openai", "httpx", "httpx2", "httpcore", "aiohttp", "aiohttp.client", "asyncio", "rationale_rm"):
    logging.getLogger(name).setLevel(1)
warnings.simplefilter("always")
import asyncio
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def env_of(folder, **changes):
    settings = {"OPENAI_API_KEY": KEY, "OPENAI_LOG": "debug", "PYTHONASYNCIODEBUG": "1", "XDG_CACHE_HOME": str(folder)}
    return environment(**(settings | changes))


def program(folder, *arguments, logs=True, **changes):
    """The program with every log of every library switched on, ended by itself; its exit code and outputs."""
    code = EVERYTHING + "from rationale_rm.cli.main import main\nmain()"
    command = [sys.executable, "-c", code] if logs else COMMAND
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        cwd=folder,
        env=env_of(folder, **changes),
        timeout=240,
    )
    return done.returncode, done.stdout, done.stderr


def clean(folder, *outputs):
    """No file that was made, as bytes, and no output holds a secret. How many files there were."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    held = {str(path): path.read_bytes() for path in files}
    held |= {f"output {number}": text for number, text in enumerate(outputs)}
    for place, content in held.items():
        for name, secret in FORBIDDEN.items():
            assert secret.encode() not in content, f"the {name} stands in {place}"
    return len(files)


def with_credentials(url):
    return url.replace("http://", f"http://me:{PASSWORD}@")


@pytest.mark.parametrize("name", ["match", "critique"])
@pytest.mark.parametrize("credentials", [False, True])
def test_a_server_that_echoes_everything(folder, name, credentials):
    pairs = pairs_file(folder / "pairs.jsonl", 60)
    option = "--judge" if name == "match" else "--model"
    faults = {"echo_error": 0.3, "echo_answer": 0.4, "html": 0.1}
    with ScriptedServer(faults=faults, seed=3) as server:
        url = with_credentials(server.url) if credentials else server.url
        code, out, err = program(
            *(folder, name, pairs, folder / "out.jsonl", option, f"openai:m@{url}", "--cache", folder / "c.sqlite"),
            *("--json", folder / "summary.json", "--attempts", "2", "--max-failure-rate", "1"),
        )
        stats = server.stats()
    assert code == 0, err.decode()
    assert stats["by_fault"]["echo_error"] > 5 < stats["by_fault"]["echo_answer"]
    assert b"DEBUG" in err  # the logs were on
    assert clean(folder, out, err) >= 4
    kept = (folder / "out.jsonl").read_bytes()
    assert b"[key removed]" in kept  # what was echoed came so far, and no further
    assert server.url.encode() in kept


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_refusals_that_echo(folder, status):
    pairs = pairs_file(folder / "pairs.jsonl", 8)

    def answer(number, body):
        sent = server.headers[number]["authorization"]
        return status, {"x-echo": sent}, {"error": {"message": f"Incorrect API key provided: {sent}", "header": sent}}

    with RecordingServer(answer) as server:
        for url in (server.url, with_credentials(server.url)):
            command = (folder, "match", pairs, folder / "out.jsonl", "--judge", f"openai:m@{url}", "--attempts", "1")
            code, out, err = program(*command)
            assert code == 1
            clean(folder, out, err)
            assert f"answered {status}".encode() in err


def test_bodies_that_echo(folder):
    pairs = pairs_file(folder / "pairs.jsonl", 12)

    def answer(number, body):
        sent = server.headers[number]["authorization"]
        return [
            completion(model=sent),
            completion(None, choices=[{"message": {"content": None, "refusal": sent}, "finish_reason": sent}]),
            (200, {}, f"<html>{sent}".encode()),
            {"error": sent},
            completion(f"R1 {sent}", finish=sent),
            (200, {"content-type": "text/plain"}, sent.encode() * 200),
        ][number % 6]

    with RecordingServer(answer) as server:
        for number, url in enumerate((server.url, with_credentials(server.url))):
            code, out, err = program(
                *(
                    folder,
                    "match",
                    pairs,
                    folder / f"out{number}.jsonl",
                    "--judge",
                    f"openai:m@{url}",
                    "--attempts",
                    "3",
                ),
                *("--max-failure-rate", "1", "--concurrency", "3"),
            )
            clean(folder, out, err)
            assert code == 0, err.decode()[-300:]


def test_nobody_listens(folder):
    pairs = pairs_file(folder / "pairs.jsonl", 3)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = with_credentials(f"http://127.0.0.1:{held.getsockname()[1]}/v1")
    code, out, err = program(
        folder, "match", pairs, folder / "o.jsonl", "--judge", f"openai:m@{url}", "--attempts", "2"
    )
    assert code == 1
    assert b"connection" in err
    clean(folder, out, err)


BAD = [
    f"openai:x@http://me:{PASSWORD}@",
    f"openai:x@http://me:{PASSWORD}@:80/v1",
    f"openai:x@http://me:{PASSWORD}@host:port/v1",
    f"openai:x@http://me:{PASSWORD}/@host:80/v1",
    f"openai:x@http://me:/{PASSWORD}@host:80/v1",
    f"openai:x@http://me:a#{PASSWORD}@host:80/v1",
    f"openai:x@http://me:a,{PASSWORD}@host:80/v1",
    f"openai:x@http://me:a@{PASSWORD}@[host/v1",
    f"openai:x@httpx://me:{PASSWORD}@host/v1",
    f"openai:x@me:{PASSWORD}@host/v1",
    f"openai:@http://me:{PASSWORD}@host/v1",
    f"opnai:x@http://me:{PASSWORD}@host/v1",
    f"http://me:{PASSWORD}@host/v1",
    f"https://host/v1?key={PASSWORD}",
    f"me:{PASSWORD}@host",
]


@pytest.mark.parametrize("spec", BAD)
def test_bad_usage(folder, spec):
    pairs = pairs_file(folder / "pairs.jsonl", 2)
    for more in ([], ["--dry-run"]):
        command = ["critique", str(pairs), str(folder / "out.jsonl"), "--model", spec, *more]
        done = CliRunner().invoke(app, command, env=env_of(folder))
        assert isinstance(done.exception, SystemExit) or more
        assert done.exit_code in ((0, 1, 2) if more else (1, 2))
        clean(folder, done.output.encode(), repr(done.exception).encode())


def test_a_dry_run_knows_no_secret(folder):
    pairs = pairs_file(folder / "pairs.jsonl", 4)
    spec = f"openai:m@http://me:{PASSWORD}@127.0.0.1:9/v1"
    code, out, err = program(folder, "match", pairs, folder / "out.jsonl", "--judge", spec, "--dry-run")
    assert code == 0
    clean(folder, out, err)
    assert sorted(path.name for path in folder.iterdir()) == ["pairs.jsonl"]


def test_a_key_that_no_header_carries(folder):
    pairs = pairs_file(folder / "pairs.jsonl", 2)
    spec = "openai:m@http://127.0.0.1:9/v1"
    code, out, err = program(folder, "match", pairs, folder / "o.jsonl", "--judge", spec, OPENAI_API_KEY=f"{KEY}\n")
    assert code == 1
    assert b"OPENAI_API_KEY" in err
    clean(folder, out, err)


def test_tracebacks_and_what_objects_show(folder):
    """The worst case: a fault of our own, with every local variable printed."""
    code = (
        EVERYTHING
        + """
import traceback
from rationale_rm.judge import Cache, Caller, MetaJudge, OpenAIClient
from judging import request
client = OpenAIClient("m", [sys.argv[1]])
caller = Caller(client, cache=Cache(sys.argv[2]))
judge = MetaJudge(caller)
def on_result(result):
    raise RuntimeError("a fault of the caller")
try:
    asyncio.run(judge.match([request()], on_result=on_result))
except RuntimeError:
    traceback.print_exc()
for thing in (client, caller, judge, judge.settings(), client.name, client.model, caller.usage, caller.usage.to_dict()):
    print(repr(thing), str(thing))
raise KeyError("uncaught")
"""
    )
    with ScriptedServer() as server:
        url = with_credentials(server.url)
        done = subprocess.run(
            [sys.executable, "-c", code, url, str(folder / "c.sqlite")],
            capture_output=True,
            env=env_of(
                folder, PYTHONPATH=os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
            ),
            timeout=120,
        )
    assert b"a fault of the caller" in done.stderr
    assert b"uncaught" in done.stderr
    clean(folder, done.stdout, done.stderr)


def test_the_wal_of_a_run_that_was_killed(folder):
    """What SQLite has not moved into the file yet is looked at too."""
    code = (
        EVERYTHING
        + """
import os
from rationale_rm.judge import Cache, Caller, Limits, MetaJudge, OpenAIClient
from judging import request
judge = MetaJudge(Caller(OpenAIClient("m", [sys.argv[1]]), cache=Cache(sys.argv[2]), limits=Limits(attempts=3)))
asyncio.run(judge.match([request(n) for n in range(30)]))
os._exit(9)
"""
    )
    with ScriptedServer(faults={"echo_answer": 0.5}, seed=2) as server:
        done = subprocess.run(
            [sys.executable, "-c", code, server.url, str(folder / "c.sqlite")],
            capture_output=True,
            env=env_of(
                folder, PYTHONPATH=os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
            ),
            timeout=120,
        )
    assert done.returncode == 9, done.stderr
    assert (folder / "c.sqlite-wal").stat().st_size > 0
    assert clean(folder, done.stdout, done.stderr) == 3


def test_the_search_would_find_a_secret(folder):
    (folder / "leak").write_bytes(b"\x00" + KEY.encode() + b"\xff")
    with pytest.raises(AssertionError, match="the key stands in"):
        clean(folder)
