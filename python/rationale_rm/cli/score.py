"""``rationale-rm score``: outcome accuracy and Rationale Consistency of judge models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Annotated, Any, Final, Literal

import typer

from rationale_rm import SCHEMA_VERSION, __version__
from rationale_rm.cli import output, render
from rationale_rm.cli.score_data import (
    Engine,
    EngineOption,
    PartsOption,
    ScoreData,
    WorkersOption,
    figures_of,
    judged_of,
    models_of,
)
from rationale_rm.cli.score_samples import write_samples
from rationale_rm.data import LabelScale
from rationale_rm.metrics import (
    LEXICAL_NOTE,
    METRICS,
    NO_LABELS,
    ORDERS,
    Comparison,
    Figure,
    Mode,
    ModelScores,
    Scorer,
    Settings,
    compare,
)

EPILOG: Final = """\
Examples:

\b
  rationale-rm score metajudge-*.jsonl
      recorded MetaJudge answers; two models are also compared on the same pairs
  rationale-rm score pairs.jsonl.zst helpsteer3.parquet --model my-model --json scores.json
      labels from a second file, joined by id or by context and responses
  rationale-rm score pairs.jsonl --judge lexical
      no judge at hand: match by shared words, a rough stand-in
  zcat results.jsonl.gz | rationale-rm score - --mode reference
      the figures that the authors' released script would give
  rationale-rm score matches/ --engine ray --parts scored/ --samples scored.parquet
      a folder of many files, scored by the workers of a Ray cluster
"""

CSV_COLUMNS: Final = (
    "scope",
    "model",
    "domain",
    "metric",
    "value",
    "low",
    "high",
    "p_value",
    "n",
    "n_total",
    "coverage",
    "pessimistic",
    "mode",
    "judge",
    "note",
)
MAX_DOMAINS: Final = 12
"""With more, their table is printed on request only."""
MAX_MODELS: Final = 3
"""With more, one table compares each with the best one; JSON and CSV hold every two."""


def _number(value: float) -> float:
    if math.isnan(value):
        raise typer.BadParameter("nan is no number")
    return value


def score(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…",
            help="JSON Lines (plain, .gz, .zst), Parquet, folders of them, or - for standard input.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Judge model (GenRM) to score; may be repeated. Default: all in the data."),
    ] = None,
    judge: Annotated[
        Literal["none", "lexical"] | None,
        typer.Option(
            help="Where match scores come from when the data hold none: 'lexical' compares words here (a "
            "rough stand-in), 'none' reports outcome accuracy alone. Default: the recorded MetaJudge answers."
        ),
    ] = None,
    scorer: Annotated[Scorer, typer.Option(help="Similarity for --judge lexical.")] = "token_set",
    threshold: Annotated[
        float, typer.Option(min=0, max=1, callback=_number, help="AP counts a reason as a hit above this score.")
    ] = 0.0,
    top_k: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Reasons past this rank do not count; 0 keeps all.")
    ] = 5,
    mode: Annotated[
        Mode, typer.Option(help="'paper' follows the definitions, 'reference' the authors' released script.")
    ] = "paper",
    exact: Annotated[
        bool,
        typer.Option("--exact", help="A verdict is right only at the label's own level (A>>B is not A>B)."),
    ] = False,
    label_scale: Annotated[
        LabelScale | None,
        typer.Option(
            help="What a number in a label means: 'helpsteer3' -3 (response 1 much better) to 3, 'verdict' 2 "
            "(response 1 much better) to -2, 'index' 1 or 2 (the better response). Without it numbers are "
            "refused."
        ),
    ] = None,
    by_domain: Annotated[
        bool | None,
        typer.Option(
            "--by-domain/--no-by-domain",
            help="Print the table of domains. Default: for up to 12 of them; JSON and CSV hold it always.",
            show_default=False,
        ),
    ] = None,
    json_path: Annotated[
        str | None,
        typer.Option("--json", metavar="OUT", help="Write every figure as JSON; - for standard output."),
    ] = None,
    csv_path: Annotated[
        str | None, typer.Option("--csv", metavar="OUT", help="Write every figure as CSV, one a line.")
    ] = None,
    samples_path: Annotated[
        str | None,
        typer.Option(
            "--samples",
            metavar="OUT",
            help="Write one line a pair and model: CSV, or Parquet for OUT.parquet; - for standard output.",
        ),
    ] = None,
    engine: EngineOption = "process",
    workers: WorkersOption = None,
    parts: PartsOption = None,
    seed: Annotated[int, typer.Option(min=0, max=2**64 - 1, help="Seed of the bootstrap.")] = 0,
    n_resamples: Annotated[int, typer.Option(min=1, max=10_000_000, help="Bootstrap resamples.")] = 2000,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad line (exit code 1).")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print errors and the number of bad lines only.")
    ] = False,
) -> None:
    """Score judge models: is the verdict right, and are the reasons the human ones?

    Reads pairs with human reasons (public RationaleRM schema), the output of `critique` and `match`, and
    result files of the authors' MetaJudge script, in any mix; lines of one id are joined. Prints outcome
    accuracy (OA), Rationale Consistency (RC), precision, F1 and average precision (AP) with 95% bootstrap
    intervals, overall and per domain, and how many rows a judge answered; where both orders are in the data,
    also how far the verdicts depend on them. With up to three models every two are compared, with more each
    with the best one.
    """
    where = Engine(engine, workers, parts)
    targets = {"--json": json_path, "--csv": csv_path, "--samples": samples_path}
    files = output.inputs_and_targets(files, targets)
    where.check(files)
    settings = Settings(
        judge=judge or "recorded",
        mode=mode,
        scorer=scorer,
        threshold=threshold,
        top_k=top_k or None,
        exact=exact,
        seed=seed,
        n_resamples=n_resamples,
    )
    loaded = where.load(
        files,
        settings,
        strict=strict,
        quiet=quiet,
        label_scale=label_scale,
        model=model[0] if model is not None and len(model) == 1 else None,
    )
    output.report_bad_lines(loaded.bad, loaded.n_lines, quiet)
    names = models_of(loaded, model)
    names, notes = judged_of(loaded, names, judge, model is not None)
    progress = output.Progress(quiet)
    scores = []
    for name in names:
        progress.update(f"scoring {name}")
        scores.append(figures_of(loaded, name))
    comparisons = []
    for a, b in combinations(scores, 2):
        progress.update(f"comparing {a.model} with {b.model}")
        comparisons.append(compare(a, b))
    progress.done()
    notes += _notes(loaded, scores)

    if json_path is not None:
        output.write_json(json_path, _document(loaded, settings, scores, comparisons, notes))
    if csv_path is not None:
        output.write_csv(csv_path, CSV_COLUMNS, _rows(settings, scores, comparisons))
    if samples_path is not None:
        write_samples(samples_path, scores, lambda model: _judge_name(settings, [model]))
    if not quiet and "-" not in (json_path, csv_path, samples_path):
        output.emit(_tables(loaded, settings, scores, comparisons, notes, by_domain))


def _notes(loaded: ScoreData, scores: Sequence[ModelScores]) -> list[str]:
    settings = scores[0].settings
    notes = []
    if settings.judge == "lexical":
        notes.append(LEXICAL_NOTE)
    notes += _judge_notes(scores)
    if not loaded.n_labelled:
        notes.append(NO_LABELS)
    elif loaded.n_labelled < loaded.n_pairs:
        notes.append(f"Outcome accuracy is over the {loaded.n_labelled} of {loaded.n_pairs} pairs with a label.")
    if loaded.n_unused_labels:
        notes.append(f"Labels of pairs that are nowhere in the data: {loaded.n_unused_labels}.")
    if loaded.bad:
        notes.append(f"{output.left_out(loaded.bad, loaded.n_lines)} as bad.")
    for model in scores:
        failed = {name: count for name, count in model.judge.items() if name not in ("ok", "no_reasons", "left_out")}
        malformed = {name: count for name, count in model.genrm.items() if name not in ("ok", "unknown")}
        for what, counts in (
            ("no usable judge answer", failed if settings.judge != "none" else {}),
            ("malformed answers, counted as wrong", malformed),
            ("left out as the release does", model.left_out),
        ):
            if counts:
                listed = ", ".join(f"{name} {count}" for name, count in counts.items())
                notes.append(f"{model.model}: {what}: {listed}.")
        if model.judge.get("no_reasons"):
            notes.append(f"{model.model}: answers without reasons, scored 0: {model.judge['no_reasons']}.")
        if model.n_dropped:
            notes.append(f"{model.model}: scores past rank {_cut(settings)}, which do not count: {model.n_dropped}.")
        if model.n_unseen:
            listed = ", ".join(f"{count} cut to {length}" for length, count in model.n_unseen.items())
            notes.append(
                f"{model.model}: lists that were cut before they were judged (match --top-k) and are scored at that "
                f"length: {listed}."
            )
        if model.n_missing:
            what = "pairs" if model.n_expected == loaded.n_pairs else "pairs, orders and samples"
            notes.append(f"{model.model}: no answer in the data for {model.n_missing} of {model.n_expected} {what}.")
        if model.orders:
            notes.append(f"{model.model}: {_order_note(model)}.")
    return notes


def _judge_notes(scores: Sequence[ModelScores]) -> list[str]:
    """Who judged, where the records say so."""
    named = {model.model: [name or "unnamed" for name, _ in model.judges] for model in scores}
    notes = [f"{name}: {text}" for name, text in _stand_ins(scores).items()]
    notes += [
        f"{model} was scored by {len(names)} judges: {', '.join(names)}." for model, names in named.items() if names[1:]
    ]
    if len({tuple(names) for names in named.values() if names}) > 1:
        listed = "; ".join(f"{model} by {', '.join(names)}" for model, names in named.items() if names)
        notes.append(f"The models were scored by different judges, so their scores do not compare: {listed}.")
    return notes


def _stand_ins(scores: Sequence[ModelScores]) -> dict[str, str]:
    """Name of each judge that is no LLM → what to say of it."""
    return {name or "unnamed": text for model in scores for name, text in model.judges if text is not None}


def _order_note(model: ModelScores) -> str:
    consistency, bias = (model.orders[name] for name in ORDERS)
    if consistency.value is None or bias.value is None:
        return f"shown in both orders, but {consistency.unavailable}"

    def interval(figure: Figure, sign: str) -> str:
        if figure.low is None or figure.high is None:
            return ""
        return f" [{figure.low:{sign}.2f}, {figure.high:{sign}.2f}]"

    return (
        f"of {output.count(consistency.n_total, 'pair')} shown in both orders {consistency.n} have two verdicts: order "
        f"consistency {consistency.value:.3f}{interval(consistency, '')}, position bias "
        f"{bias.value:+.3f}{interval(bias, '+')} (1 always for the response shown first, -1 for the second)"
    )


def _cut(settings: Settings) -> int | None:
    return 5 if settings.mode == "reference" else settings.top_k


def _judge_name(settings: Settings, scores: Sequence[ModelScores]) -> str:
    if settings.judge == "lexical":
        return f"lexical ({settings.scorer}), a rough stand-in"
    if settings.judge == "none":
        return "none, so outcome accuracy alone"
    judges = dict.fromkeys(judge for model in scores for judge in model.judges)
    if all(name is None and text is None for name, text in judges):
        return "recorded MetaJudge answers"
    return ", ".join((name or "unnamed") + ("" if text is None else " (a stand-in)") for name, text in judges)


def _tables(
    loaded: ScoreData,
    settings: Settings,
    scores: Sequence[ModelScores],
    comparisons: Sequence[Comparison],
    notes: Sequence[str],
    by_domain: bool | None,
) -> str:
    counts = output.count(loaded.n_pairs, "pair")
    if loaded.n_pairs != loaded.n_records:
        counts += f" in {loaded.n_records} records"
    head = (
        f"{counts}, {output.count(len(scores), 'model')}, mode {settings.mode}, judge: {_judge_name(settings, scores)}"
    )
    parts: list[Any] = [render.plain(head)]
    parts += [render.plain(f"{name}: {text}") for name, text in _stand_ins(scores).items()]
    parts += ["", render.scores_table(scores)]
    n_domains = len({domain for model in scores for domain in model.domains})
    if n_domains > 1 and (n_domains <= MAX_DOMAINS if by_domain is None else by_domain):
        parts.append(render.domains_table(scores))
    elif n_domains > 1 and by_domain is None:
        parts += [render.plain(f"{n_domains} domains: see them with --by-domain, --json or --csv."), ""]
    if len(scores) > MAX_MODELS:
        parts.append(render.comparisons_table(scores, comparisons))
    else:
        parts += [render.comparison_table(comparison) for comparison in comparisons]
    parts += [
        render.plain(
            "OA outcome accuracy, RC Rationale Consistency, AP average precision; in brackets 95% bootstrap "
            "intervals. Means are over the rows that have an answer."
        ),
    ]
    above = {f"{name}: {text}" for name, text in _stand_ins(scores).items()}
    parts += [render.plain(f"- {text}") for text in notes if text not in above]
    return render.to_text(parts)


def _document(
    loaded: ScoreData,
    settings: Settings,
    scores: Sequence[ModelScores],
    comparisons: Sequence[Comparison],
    notes: Sequence[str],
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "score",
        "version": __version__,
        "settings": {
            **asdict(settings),
            "threshold": settings.threshold,
            "top_k": _cut(settings),
        },
        "input": {
            "files": list(loaded.files),
            "n_lines": loaded.n_lines,
            "n_pairs": loaded.n_pairs,
            "n_records": loaded.n_records,
            "n_labelled": loaded.n_labelled,
            "n_unused_labels": loaded.n_unused_labels,
            "n_bad_lines": len(loaded.bad),
            "bad_lines": [asdict(line) for line in loaded.bad],
        },
        "models": [model.to_dict() for model in scores],
        "comparisons": [comparison.to_dict() for comparison in comparisons],
        "notes": list(notes),
    }


def _rows(settings: Settings, scores: Sequence[ModelScores], comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    rows = []
    for model in scores:
        common = {"mode": settings.mode, "judge": _judge_name(settings, [model])}
        for domain, figures in ((None, model.overall), *model.by_domain.items()):
            for name in METRICS:
                figure = figures[name].to_dict()
                rows.append(
                    {
                        "scope": "overall" if domain is None else "domain",
                        "model": model.model,
                        "domain": domain,
                        "metric": name,
                        **figure,
                        "note": figure["unavailable"],
                        **common,
                    }
                )
    by_name = {model.model: model for model in scores}
    for comparison in comparisons:
        both = [by_name[comparison.a], by_name[comparison.b]]
        common = {"mode": settings.mode, "judge": _judge_name(settings, both)}
        for name in METRICS:
            difference = asdict(comparison.differences[name])
            rows.append(
                {
                    "scope": "difference",
                    "model": f"{comparison.a} minus {comparison.b}",
                    **difference,
                    "note": difference["unavailable"],
                    **common,
                }
            )
    return rows
