"""What a recipe will take: work, memory of each device, and what is missing on this machine; nothing is trained.

>>> from rationale_rm.train.plan import make_plan
>>> from rationale_rm.train.recipe import read_recipe
>>> plan = make_plan(read_recipe("qwen3-14b"), look=False)
>>> f"{plan.model.parameters / 1e9:.1f}B parameters, {plan.work.completions:,} answers a step"
'14.8B parameters, 2,048 answers a step'
"""

from rationale_rm.train.plan.architecture import Architecture, UnknownModelError, architecture
from rationale_rm.train.plan.machine import Machine, Missing
from rationale_rm.train.plan.make import Plan, make_plan
from rationale_rm.train.plan.memory import Memory, Part
from rationale_rm.train.plan.show import plan_lines
from rationale_rm.train.plan.work import Judging, Range, Work

__all__ = [
    "Architecture",
    "Judging",
    "Machine",
    "Memory",
    "Missing",
    "Part",
    "Plan",
    "Range",
    "UnknownModelError",
    "Work",
    "architecture",
    "make_plan",
    "plan_lines",
]
