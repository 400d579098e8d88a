"""From the records of the runs to the numbers of the tables."""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from mmavs.evaluation.listening.bootstrap import Estimate
from mmavs.evaluation.listening.comparison import (
    draw_clips,
    measure,
    summarise,
)
from mmavs.evaluation.listening.records import load_records
from steps.benchmark import (
    BASELINE,
    CONTROL,
    EQUAL_TIME,
    NEGATIVES,
    SETS,
    marker,
    plain_name,
)
from steps.benchmark_runs import BenchmarkRun
from steps.environment import describe_environment
from steps.runner import StepError, StepRunner


def summarise_all(
    args: argparse.Namespace,
    runs: Sequence[BenchmarkRun],
    failures: Mapping[BenchmarkRun, StepError],
    runner: StepRunner,
) -> dict:
    """All that the tables and the figure show."""
    markers = {
        subset: json.loads(marker(Path(args.data), subset).read_text())
        for subset in args.sets
    }
    versions = {content.get('benchmark') for content in markers.values()}
    seconds = runner.seconds()
    names = {step.name for run in runs for step in run.keys}
    names |= {'data', 'audio', *(f'references_{s}' for s in args.sets)}
    return dict(
        benchmark=versions.pop() if len(versions) == 1 else None,
        seeds=args.seeds,
        jobs=args.jobs,
        cfg_options=args.cfg_options,
        minutes=round(sum(seconds.get(n, 0) for n in names) / 60, 1),
        **describe_environment(),
        sets={
            subset: dict(
                clips=markers[subset]['num_clips'],
                references=read_references(Path(args.work_dir), subset),
                **compare_models(
                    args,
                    subset,
                    [run for run in runs if run.subset == subset],
                    failures,
                    runner,
                ),
            )
            for subset in args.sets
        },
    )


def read_references(work: Path, subset: str) -> dict:
    """Scores of what the generator knows, by name."""
    path = work / f'references_{subset}.json'
    return json.loads(path.read_text())['references']


def compare_models(
    args: argparse.Namespace,
    subset: str,
    runs: Sequence[BenchmarkRun],
    failures: Mapping[BenchmarkRun, StepError],
    runner: StepRunner,
) -> dict:
    """What the models of a set scored, and the differences between them."""
    root = Path(args.data) / SETS[subset]
    pairs = json.loads((root / 'sound_pairs.json').read_text())
    twins = {k: v['twin'] for k, v in pairs.items() if 'twin' in v}
    weights = None
    measured: dict[str, dict[int, dict]] = {}
    models = {}
    seconds = runner.seconds()
    for name in dict.fromkeys(run.variant for run in runs):
        mine = [run for run in runs if run.variant == name]
        done = [run for run in mine if not run.remaining(runner)]
        measured[name] = {}
        for run in done:
            records = load_records(run.listen.output.parent / 'clips.npz')
            if weights is None:
                ids = [clip.video_id for clip in records['matched']]
                weights = draw_clips(ids, twins)
            measured[name][run.seed] = measure(records, weights)
        found = summarise(measured[name]) if done else {}
        spent = [
            sum(seconds[step.name] for step in run.own_steps) for run in done
        ]
        models[name] = dict(
            config=mine[0].train.command[1],
            iters=mine[0].iters,
            seeds=[run.seed for run in done],
            failed=[run.seed for run in mine if run in failures],
            open=[
                run.seed
                for run in mine
                if run not in done and run not in failures
            ],
            minutes=statistics.mean(spent) / 60 if spent else None,
            measures=_plain(found),
            by_seed={
                key: [float(m[key][0]) for m in measured[name].values()]
                for key in _plain(found)
            },
        )
    differences = []
    for name, reference in difference_pairs(list(models)):
        common = set(measured[name]) & set(measured[reference])
        if common:
            found = summarise(measured[name], measured[reference])
            differences.append(
                dict(
                    model=name,
                    reference=reference,
                    seeds=sorted(common),
                    measures=_plain(found),
                    mIoU_by_seed=[
                        float(
                            measured[name][seed]['mIoU'][0]
                            - measured[reference][seed]['mIoU'][0]
                        )
                        for seed in sorted(common)
                    ],
                )
            )
    return dict(models=models, differences=differences)


def _plain(found: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    """For JSON, which has no NaN: what nothing counts for is left out."""
    return {k: asdict(v) for k, v in found.items() if math.isfinite(v.value)}


def difference_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Which models are compared with which.

    With the baseline that was trained alike, with the baseline that had as
    much time, and a second training with what it goes on from; one with
    negatives also with its control.

    Args:
        names: of the models.
    """
    pairs = []
    for name in names:
        plain = plain_name(name)
        suffix = name[len(plain) :]
        if plain != BASELINE and not name.startswith(EQUAL_TIME):
            pairs.append((name, BASELINE + suffix))
            pairs.append((name, EQUAL_TIME + name))
    for name in names:
        plain = plain_name(name)
        if plain != name:
            pairs.append((name, plain))
        if name.endswith(NEGATIVES):
            pairs.append((name, plain + CONTROL))
    return [pair for pair in pairs if set(pair) <= set(names)]
