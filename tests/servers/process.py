"""Starts a scripted server as a process, and ends it."""

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import asdict
from pathlib import Path

from .script import Script


class ScriptedServer:
    """A running scripted server: ``with ScriptedServer(faults=0.3, seed=1) as server: server.url``.

    Settings are those of `Script`. The process ends with the block, and with this process however that ends.
    """

    def __init__(self, *, port=0, **settings):
        self.script = Script(**settings)
        self.port = port
        self.url = None
        """Base URL of the API, such as ``http://127.0.0.1:40001/v1``."""
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Returns when the server takes requests."""
        folder = Path(__file__).parents[1]
        command = [sys.executable, "-m", "servers.scripted", "--with-parent", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--script", json.dumps(asdict(self.script))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
        )
        ready = self.process.stdout.readline()
        if not ready:
            self.stop()
            raise RuntimeError("the scripted server did not start; standard error says why")
        self.url = json.loads(ready)["url"]
        return self

    def stop(self):
        """Ends the process; may be called again."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    @property
    def pid(self):
        """The number of the server's process."""
        return self.process.pid

    def stats(self):
        """What was asked since the start or the last reset, see `scripted.Stats.to_dict`."""
        return self._call("/stats")

    def reset(self):
        """Forgets what was asked, so that every question's faults begin anew."""
        return self._call("/reset", {})

    def configure(self, **changes):
        """Changes settings from the next request on."""
        return self._call("/configure", changes)

    def _call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # 127.0.0.1 needs no proxy
        with opener.open(urllib.request.Request(self.url.removesuffix("/v1") + path, data), timeout=30) as answer:
            return json.loads(answer.read())
