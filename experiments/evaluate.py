"""Judges ways to anonymise faces: is the person gone, and does the data still work?

    python -m experiments.evaluate --method=a3gan --weights=DIR --data.lfw=FOLDER --data.celeba=FOLDER --report=report/
    python -m experiments.evaluate --method=identity,blur,pixelate,blackbox,a3gan --data.lfw=FOLDER --report=report/

Writes report.json (everything, case by case), report.md and report.html. What is not given is not run, and the report
says so. A run that was stopped goes on where it stood when the same command is given again. Recognisers see embeddings
of originals, which are personal data: they are kept in REPORT/unfinished until the report is there, no longer.

Needs: pip install "a3gan-jax[eval]"; the report names what else was missing.
"""

import concurrent.futures
import dataclasses
import datetime
import itertools
import multiprocessing
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from a3gan_jax.evals import report as reports
from a3gan_jax.evals import survey
from a3gan_jax.evals.attacks.restoration import Restoration, restore
from a3gan_jax.evals.attacks.seeds import averaged
from a3gan_jax.evals.data.open import DataSpec, open_photos
from a3gan_jax.evals.figures import Evidence, Task
from a3gan_jax.evals.observers import COMPARERS, OBSERVERS, load_comparer, load_observer, load_recognizers
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.report import DataNote, Failure, MethodNote, NotRun, RecogniserNote, Report
from a3gan_jax.evals.report_html import to_html
from a3gan_jax.evals.report_markdown import to_markdown
from a3gan_jax.evals.roc import curve
from a3gan_jax.evals.sights import Sights
from experiments.compilation import use_compilation_cache
from experiments.evaluate_options import parse
from experiments.evaluation_plan import DATA, HEADLINE, INVERSION, LEAKAGE, QUESTIONS, SEEDS, UTILITY, tasks
from experiments.evaluation_sheets import contact_sheets
from experiments.progress import duration

PACKAGES = ("a3gan-jax", "jax", "flax", "numpy", "onnxruntime", "dlib-bin")
LEARNED = 600  # photos that the attacker of an inversion trains on
GALLERY = 400  # photos that k-Same takes its faces from


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(__doc__, arguments)
    use_compilation_cache()
    try:
        evaluate(given)
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:  # what a user can do something about
        print(f"evaluate: error: {error}", file=sys.stderr)
        return 2
    return 0


def evaluate(given: Any) -> None:
    """Measures and reports."""
    given.report.mkdir(parents=True, exist_ok=True)
    cache = given.cache or str(given.report / "unfinished")
    recognizers = load_recognizers(given.recognizers)
    every = tasks(recognizers, given.trained_against)
    observers, comparers, not_run = _who_can_look()
    specs = {name: DataSpec(DATA[name][0], root, _limit(name, given.limit[name])) for name, root in given.data.items()}
    photos = {name: open_photos(spec) for name, spec in specs.items()}
    others = DataSpec("celeba_train", given.data["celeba"], GALLERY) if "celeba" in given.data else None

    def spec(data: str, method: str | None, seed: int = given.seed, asked: tuple[str, ...] = ()) -> survey.Spec:
        needs = {need for name in asked or DATA[data][1] for need in every[name].needs}
        return survey.Spec(
            specs[data],
            method,
            given.weights,
            seed,
            given.recognizers,
            tuple(name for name in observers if name in needs),
            tuple(name for name in comparers if name in needs),
            cache,
            others,
        )

    methods = [name for name in given.method if others or not name.startswith("ksame")]
    not_run += [NotRun("", name, "its faces come from --data.celeba") for name in given.method if name not in methods]
    notes = {
        name: MethodNote(survey.method_of(name, given.weights, given.seed, others).description) for name in methods
    }
    attacked = next((data for data in ("celeba", "lfw") if data in photos), None)

    wanted = {(data, method, given.seed): spec(data, method) for data in photos for method in (None, *methods)}
    restorations = {}
    if attacked:
        for method, seed in itertools.product(methods, range(1, given.seeds)):
            if method in given.averaged:
                wanted[attacked, method, given.seed + seed] = spec(attacked, method, given.seed + seed, (SEEDS,))
        if others:
            train = dataclasses.replace(others, limit=LEARNED)
            for method in [name for name in methods if name in given.inversion]:
                restorations[method] = Restoration(spec(attacked, method), train, given.inversion_steps)
    parts = [(key, part) for key, s in wanted.items() for part in survey.parts(s, len(photos[key[0]]))]
    # The restorations first: they take longest, and nothing may wait for one alone in the end.
    jobs = [(restore, attack) for attack in restorations.values()] + [(survey.survey, part) for _, part in parts]
    results = iter(_work(jobs, given.processes))
    restored = dict(zip(restorations, itertools.islice(results, len(restorations)), strict=True))
    seen: dict[Any, list] = {}
    for (key, _), result in zip(parts, results, strict=True):
        seen.setdefault(key, []).append(result)
    sights = {key: survey.joined(results) for key, results in seen.items()}

    evidence: dict[str, dict[str, dict[str, Evidence]]] = {name: {} for name in methods}
    for data, method in itertools.product(photos, methods):
        before, after = sights[data, None, given.seed][0], sights[data, method, given.seed][0]
        for name in DATA[data][1]:
            _measure(every[name], method, data, photos[data], before, after, evidence, not_run)
    if attacked:
        before = sights[attacked, None, given.seed][0]
        for method in methods:
            seeded = [sights[key][0] for key in sights if key[:2] == (attacked, method)]
            if len(seeded) > 1:
                after = averaged(seeded, given.recognizers)
                _measure(every[SEEDS], method, attacked, photos[attacked], before, after, evidence, not_run)
        for method, after in restored.items():
            _measure(every[INVERSION], method, attacked, photos[attacked], before, after, evidence, not_run)
    not_run += _left_out(given, attacked, others)

    report = Report(
        versions={name: metadata.version(name) for name in PACKAGES},
        date=datetime.date.today().isoformat(),
        command=shlex.join(["python", "-m", "experiments.evaluate", *_shown(sys.argv[1:])]),
        seed=given.seed,
        subset=", ".join(f"about {given.limit[name]} photos of {name}" for name in photos if given.limit[name]),
        methods=notes,
        data={name: DataNote(len(p), len(set(p.identity[p.identity >= 0])) or None) for name, p in photos.items()},
        recognisers={r.name: RecogniserNote(r.threshold, r.name in given.trained_against) for r in recognizers},
        tasks=evidence,
        not_run=not_run,
        failures=_failures(photos, methods, sights, evidence, every, given.seed),
    )
    sheets = ()
    if given.contact_sheets and attacked:
        sheets = contact_sheets(report, photos[attacked], attacked, spec, given.trained_against)
    write(report, list(every.values()), given.report, sheets)
    if not given.cache:
        shutil.rmtree(cache)
    print(f"the report is in {given.report}: report.md, report.html, report.json")


def write(report: Report, every: Sequence[Task], folder: Path, sheets: Sequence[tuple[str, bytes]] = ()) -> None:
    """Writes the three files; all figures are computed of what report.json holds."""
    text = reports.to_json(report)
    report = reports.from_json(text)
    figures = reports.recompute(report, every)
    columns = [column for column in HEADLINE if any(_has(figures, column))]
    page = to_html(
        report, figures, columns, QUESTIONS, leakage=LEAKAGE, utility=UTILITY, curves=_curves(report), sheets=sheets
    )
    for name, content in (
        ("report.json", text),
        ("report.md", to_markdown(report, figures, columns, QUESTIONS)),
        ("report.html", page),
    ):
        temporary = folder / f".{name}"
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(folder / name)


def _has(figures: reports.Figures, column: Any) -> Iterable[bool]:
    for of_method in figures.values():
        for of_data in of_method.values():
            yield any(figure.name == column.figure for figure in of_data.get(column.task, ()))


def _curves(report: Report) -> dict[str, dict[str, Any]]:
    """ROC curves of the probe attack: recogniser -> method -> rates."""
    curves: dict[str, dict[str, Any]] = {}
    for method, of_method in report.tasks.items():
        found = of_method.get("lfw", {}).get("verification")
        for name, scores in found["recognizers"].items() if found else ():
            pairs = list(zip(scores["probe"], found["same"], strict=True))
            genuine, impostor = ([score for score, same in pairs if same is kind] for kind in (True, False))
            curves.setdefault(name, {})[method] = curve(np.array(genuine), np.array(impostor))
    return curves


def _limit(name: str, limit: int | None) -> int | None:
    """Of photos; for LFW of pairs in each of its ten folds, which take two photos each."""
    return limit if limit is None or name != "lfw" else max(2, limit // 20 * 2)


def _who_can_look() -> tuple[list[str], list[str], list[NotRun]]:
    """Observers and comparers whose packages are installed, and why others are not there."""
    able: dict[str, list[str]] = {"observer": [], "comparer": []}
    missing = []
    for kind, names, load in (("observer", OBSERVERS, load_observer), ("comparer", COMPARERS, load_comparer)):
        for name in names:
            try:
                load(name)
                able[kind].append(name)
            except ModuleNotFoundError as error:
                missing.append(NotRun(f"what the {kind} {name} sees", "", str(error)))
    return able["observer"], able["comparer"], missing


def _run(job: tuple[Callable[[Any], Any], Any]) -> Any:
    work, argument = job
    return work(argument)


def _work(jobs: Sequence[tuple[Callable[[Any], Any], Any]], processes: int) -> list[Any]:
    """The results of all jobs (function, its argument) in their order; says on the screen how far it is."""
    began, results = time.monotonic(), []

    def told(iterator: Iterable[Any]) -> list[Any]:
        for done, result in enumerate(iterator, start=1):
            results.append(result)
            left = (time.monotonic() - began) / done * (len(jobs) - done)
            print(f"{done} of {len(jobs)} parts  {duration(left)} left", file=sys.stderr, flush=True)
        return results

    if processes == 1 or len(jobs) < 2:
        return told(map(_run, jobs))
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, context, use_compilation_cache) as pool:
        try:
            return told(pool.map(_run, jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _measure(
    task: Task,
    method: str,
    data: str,
    photos: LabelledPhotos,
    before: Sights,
    after: Sights,
    evidence: dict[str, dict[str, dict[str, Evidence]]],
    not_run: list[NotRun],
) -> None:
    try:
        evidence[method].setdefault(data, {})[task.name] = task.measure(photos, before, after)
    except ValueError as error:
        not_run.append(NotRun(f"{task.name} on {data}", method, str(error)))


def _left_out(given: Any, attacked: str | None, others: DataSpec | None) -> list[NotRun]:
    """What nobody asked for, or gave no data for."""
    missing = [
        NotRun(f"all tasks on {name}", "", f"--data.{name} was not given") for name in DATA if name not in given.data
    ]
    if not attacked:
        missing.append(NotRun(f"{SEEDS}, {INVERSION}", "", "they need --data.celeba or --data.lfw"))
    elif not given.inversion:
        missing.append(NotRun(INVERSION, "", "--inversion names no method"))
    elif not others:
        missing.append(NotRun(INVERSION, "", "its attacker learns from the training part of --data.celeba"))
    return missing


def _failures(
    photos: Mapping[str, LabelledPhotos],
    methods: Sequence[str],
    sights: Mapping[Any, tuple[Sights, list[tuple[int, str]]]],
    evidence: Mapping[str, Mapping[str, Mapping[str, Evidence]]],
    every: Mapping[str, Task],
    seed: int,
) -> list[Failure]:
    """File by file: what went wrong, which faces were lost, and whom an attacker recognises."""
    failures = []
    for data, method in itertools.product(photos, methods):
        files = photos[data].files
        before, (after, told) = sights[data, None, seed][0], sights[data, method, seed]
        failures += [Failure(method, data, files[position], what) for position, what in told]
        lost = (before.found & ~after.found).nonzero()[0]
        failures += [Failure(method, data, files[position], "no face is found in the result") for position in lost]
        found = evidence[method].get(data, {}).get("identification")
        for file, name, similarity in every["identification"].leaks(found) if found and method != "identity" else ():
            failures.append(Failure(method, data, file, f"{name} takes it for its original ({similarity:.2f})"))
    return failures


def _shown(arguments: Sequence[str]) -> list[str]:
    """The command line as the report may show it: of paths only the last part."""
    return [
        f"{name}={','.join(Path(part).name for part in value.split(','))}" if "/" in value else argument
        for argument in arguments
        for name, _, value in [argument.partition("=")]
    ]


if __name__ == "__main__":
    sys.exit(main())
