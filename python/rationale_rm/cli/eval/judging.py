"""The second half of ``rationale-rm eval rationale``: a judge matches the answers' reasons with the human ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NoReturn

from rationale_rm.cli import asking, options, output
from rationale_rm.cli.eval import folder, running
from rationale_rm.cli.match import items_to_match, match_all, wanted_matches
from rationale_rm.data import LabelScale, Loaded, read_pairs
from rationale_rm.evals import rationale
from rationale_rm.evals.files import fingerprint
from rationale_rm.evals.runs import ANSWERS_FILE, MATCHES_FILE
from rationale_rm.judge import MetaJudge
from rationale_rm.judge.spec import model_of
from rationale_rm.types import Pair
from rationale_rm.world import OracleJudge

ORACLE: Final = "oracle"
"""The exact judge of the synthetic world."""


def refuse_oracle() -> NoReturn:
    """Leaves the program: elsewhere the exact judge would find nothing, and say so with certainty."""
    output.fail("--judge oracle knows the synthetic world alone: --data world:SPLIT:N[:SEED]", output.USAGE)


def read(files: Sequence[str], label_scale: LabelScale | None, *, whole: bool = False) -> Loaded:
    """`read_pairs` of pairs with human reasons; leaves the program where there are none, and if `whole` where a line
    cannot be read.
    """
    try:
        loaded = read_pairs(files, label_scale=label_scale)
    except running.FAULTS as error:
        running.refuse(error)
    if whole and loaded.bad:
        output.fail(f"{loaded.bad[0]}; without some of its pairs the data would be another benchmark")
    output.report_bad_lines(loaded.bad, loaded.n_lines)
    if not loaded.pairs:
        why = f"; {loaded.bad[0]}" if loaded.bad else ""
        output.fail(
            f"no pair with human reasons in {', '.join(files)}: expected records with human-checklist, as the authors' "
            f"data and what critique and match write hold{why}"
        )
    return loaded


def judged(
    loaded: Loaded,
    pairs: Sequence[Pair] | None,
    called: str | None,
    judge: str,
    out: str,
    top_k: int | None,
    seed: int,
    how: options.Asking,
    sources: Sequence[str],
    label_scale: LabelScale | None,
) -> Loaded:
    """Has the answers judged, going on from what the run's folder holds; the records with what the judge said."""
    known = None if pairs is None else {pair.id for pair in pairs}
    if known is not None:
        loaded = replace(loaded, pairs=tuple(pair for pair in loaded.pairs if pair.source_id in known))
    if any(answer.judge is not None for pair in loaded.pairs for answer in pair.models.values()):
        output.fail(
            "--judge: the recorded answers were judged already; leave it out, or give the answers alone", output.USAGE
        )
    items = items_to_match(loaded, None if called is None else [called], top_k, None)
    folder.make(out)
    path = os.path.join(out, MATCHES_FILE)
    made_by: dict[str, Any] = {"command": f"eval {rationale.NAME}", "top_k": top_k}
    if sources != [os.path.join(out, ANSWERS_FILE)]:  # the judge's answers in a folder are about one set of answers
        made_by["recorded"] = [one["sha256"] for one in fingerprint(sources)]
    wanted = wanted_matches(items)
    if judge == ORACLE:
        match_all(OracleJudge(), items, asking.Run(path, {**made_by, "judge": ORACLE}, how, wanted), loaded)
    else:
        spec = asking.read_spec(judge, judge=True)
        made_by["judge"] = f"{spec.kind}:{model_of(spec)}"
        if spec.is_local_judge:
            from rationale_rm.judge.local import open_local

            try:
                local = open_local(spec.kind, spec.name)
            except (ImportError, ValueError, OSError) as error:
                running.refuse(error)
            match_all(local, items, asking.Run(path, made_by, how, wanted), loaded)
        else:
            caller = asking.open_caller(spec, how)
            metajudge = MetaJudge(caller, seed=seed)
            match_all(metajudge, items, asking.Run(path, made_by | metajudge.settings(), how, wanted, caller), loaded)
    return _with_judge(read([*sources, path], label_scale), read(sources, label_scale))


def _with_judge(judged: Loaded, plain: Loaded) -> Loaded:
    """The judged records; of failed answers, which no judge sees, the plain ones."""
    held = {pair.id for pair in judged.pairs}
    return replace(judged, pairs=(*judged.pairs, *(pair for pair in plain.pairs if pair.id not in held)))
