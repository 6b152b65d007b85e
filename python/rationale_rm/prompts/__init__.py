"""The prompts of rationale-rm as versioned templates: GenRM, MetaJudge, decomposition, reason taxonomy.

Each prompt is three Jinja templates: rules (the system message), what a group of calls shares, and what is of one
call, in this order, so that a server's prefix cache serves the group. Inserted text has its markup neutralised and
stands behind marker lines whose codes nobody can guess (docs/prompts.md).

The wording is our own; the tasks are those of Wang et al., arXiv 2602.04649, Fig. 13, App. A and App. C.
"""

from rationale_rm.prompts.build import Annotator, Prompt, decomposition, genrm, genrm_brief, metajudge, taxonomy
from rationale_rm.prompts.marks import new_key
from rationale_rm.prompts.markup import neutralise
from rationale_rm.prompts.regexes import genrm_regex, metajudge_regex, taxonomy_regex
from rationale_rm.prompts.render import template_id

__all__ = [
    "Annotator",
    "Prompt",
    "decomposition",
    "genrm",
    "genrm_brief",
    "genrm_regex",
    "metajudge",
    "metajudge_regex",
    "neutralise",
    "new_key",
    "taxonomy",
    "taxonomy_regex",
    "template_id",
]
