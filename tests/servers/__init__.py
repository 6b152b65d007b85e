"""Servers for tests and benches, each a process of its own on a free port of 127.0.0.1.

Importable as ``servers`` from the tests and as ``tests.servers`` from the root of the repository.
"""

from .process import ScriptedServer
from .script import FAULTS, Script, fault_of
from .transcripts import read_prompt

__all__ = ["FAULTS", "Script", "ScriptedServer", "fault_of", "read_prompt"]
