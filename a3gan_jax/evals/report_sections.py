"""What a report says, section by section, as plain text in tables: the same for Markdown and HTML."""

import dataclasses
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from a3gan_jax.evals.figures import Figure
from a3gan_jax.evals.report import Failure, Figures, Report

TITLE = "Evaluation of face anonymisation"
NONE = "–"  # in a cell: not measured
NAMED = 50  # files of one kind of failure

HOW_TO_READ = (
    "Each figure is followed by its 95 % confidence interval in parentheses and by n, the number of cases it rests on; "
    f"{NONE} means that it was not measured. Every face counts: one that could not be found or read counts as the "
    'worst that it can mean, except in figures whose name ends in "found only". An interval says how much of a figure '
    "may be the chance of these photos; it does not say how a stronger attacker, or other photos, would do. "
    "Where a method was trained against a recogniser, that recogniser flatters it: figures that begin with "
    '"unseen/" are the worst over the others. '
    "File names in this report may name people."
)


@dataclasses.dataclass(frozen=True)
class Column:
    """A figure of the headline table: ``figure`` of a ``task`` on a data set, or (``data`` None) on whichever data set
    it is worst."""

    title: str
    data: str | None
    task: str
    figure: str
    better: Literal["lower", "higher"]

    @property
    def heading(self) -> str:
        """The title and which way is better."""
        return f"{self.title} ({self.better} is better)"


@dataclasses.dataclass(frozen=True)
class Table:
    """Plain text in rows; ``title`` may be empty. ``folded``: long, to be opened by those who want it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    folded: bool = False


@dataclasses.dataclass(frozen=True)
class Section:
    """``text`` may be empty."""

    title: str
    text: str
    tables: tuple[Table, ...] = ()


def subset_note(report: Report) -> str:
    """What stands at the top in bold where not everything was measured; else empty."""
    return f"Only a subset was measured: {report.subset}. All photos may give other figures." if report.subset else ""


def sections(
    report: Report, figures: Figures, columns: Sequence[Column], questions: Mapping[str, str]
) -> tuple[Section, ...]:
    """All of the report.

    Args:
        report: what was measured.
        figures: of it, by ``recompute``.
        columns: of the headline table.
        questions: task -> what it asks, in words, where there is something to say.
    """
    tasks = dict.fromkeys(task for of_method in figures.values() for of_data in of_method.values() for task in of_data)
    return (
        Section("In short", "One row a method.", (_headline(report, figures, columns),)),
        Section("How to read this", HOW_TO_READ),
        Section("What was compared", "", _inputs(report)),
        *(Section(task, questions.get(task, ""), _task_tables(report, figures, task)) for task in tasks),
        _not_run(report),
        _failures(report),
        Section(
            "How it was run",
            f"On {report.date} with seed {report.seed}, by: {report.command}",
            (Table("", ("package", "version"), tuple(sorted(report.versions.items()))),),
        ),
    )


def headline_figure(figures: Figures, method: str, column: Column) -> tuple[str, Figure] | None:
    """The data set and the figure of a method in a column; None where there is none (nan is none)."""
    found = [
        (data, figure)
        for data, of_data in figures.get(method, {}).items()
        if column.data in (None, data)
        for figure in of_data.get(column.task, [])
        if figure.name == column.figure and not math.isnan(figure.value)
    ]
    worst = max if column.better == "lower" else min
    return worst(found, key=lambda entry: entry[1].value, default=None)


def visible(text: str) -> str:
    """The text in one line without a character that cannot be seen, such as one that turns the direction of reading."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def number(value: float, digits: int = 3) -> str:
    """A value with some digits after the point; what is not 0 does not read as 0."""
    return f"{value:.1g}" if value and abs(value) < 10**-digits else f"{value:.{digits}f}"


def _value(figure: Figure) -> str:
    if math.isnan(figure.value):
        return NONE
    values = [figure.value] if math.isnan(figure.low) else [figure.value, figure.low, figure.high]
    digits = 1 if max(map(abs, values)) >= 10 else 3
    value, *interval = (number(value, digits) for value in values)
    return f"{value} ({' to '.join(interval)})" if interval else value


def _headline(report: Report, figures: Figures, columns: Sequence[Column]) -> Table:
    rows = []
    for method in report.methods:
        cells = [method]
        for column in columns:
            found = headline_figure(figures, method, column)
            where = f", {found[0]}" if found and column.data is None and len(report.data) > 1 else ""
            cells.append(_value(found[1]) + where if found else NONE)
        rows.append(tuple(cells))
    return Table("", ("method", *(column.heading for column in columns)), tuple(rows))


def _inputs(report: Report) -> tuple[Table, ...]:
    methods = tuple(
        (
            name,
            note.description,
            ", ".join(f"{key} = {json.dumps(value)}" for key, value in note.parameters.items()) or NONE,
            note.weights[:12] or NONE,
            NONE if note.step is None else str(note.step),
        )
        for name, note in report.methods.items()
    )
    data = tuple(
        (name, str(note.photos), "unknown" if note.people is None else str(note.people))
        for name, note in report.data.items()
    )
    recognisers = tuple(
        (name, NONE if math.isnan(note.threshold) else number(note.threshold), "yes" if note.used_in_training else "no")
        for name, note in report.recognisers.items()
    )
    return (
        Table("Methods", ("method", "what it does", "parameters", "weights, sha256", "training step"), methods),
        Table("Photos", ("data", "photos", "people"), data),
        Table("Recognisers, as attackers", ("recogniser", "published threshold", "used in training"), recognisers),
    )


def _task_tables(report: Report, figures: Figures, task: str) -> tuple[Table, ...]:
    """One table a data set: a row for each figure, a column for each method that has any."""
    tables = []
    for data in report.data:
        by_method = {
            method: {figure.name: figure for figure in figures[method][data][task]}
            for method in report.methods
            if task in figures.get(method, {}).get(data, {})
        }
        if not by_method:
            continue
        names = dict.fromkeys(name for of_method in by_method.values() for name in of_method)
        rows = tuple((name, *(_counted(of_method.get(name)) for of_method in by_method.values())) for name in names)
        tables.append(Table(f"{task}, {data}", ("figure", *by_method), rows))
    return tuple(tables)


def _counted(figure: Figure | None) -> str:
    return NONE if figure is None else f"{_value(figure)}, n = {figure.count}"


def _not_run(report: Report) -> Section:
    if not report.not_run:
        return Section("What was not run", "Everything was run.")
    rows = tuple((note.task, note.method or "all", note.reason) for note in report.not_run)
    return Section("What was not run", "", (Table("", ("task", "method", "why"), rows),))


def _failures(report: Report) -> Section:
    if not report.failures:
        return Section("Failures", "None.")
    kinds: dict[tuple[str, str, str], list[Failure]] = defaultdict(list)
    for failure in report.failures:
        kinds[failure.method, failure.data, failure.what].append(failure)
    counts = tuple((*kind, str(len(failed))) for kind, failed in kinds.items())
    files = tuple((f.method, f.data, f.what, f.file) for failed in kinds.values() for f in failed[:NAMED])
    text = "Failures are counted in the figures as well."
    if len(files) < len(report.failures):
        text += f" Of each kind {NAMED} files are named here, all of them in report.json."
    return Section(
        "Failures",
        text,
        (
            Table("How many", ("method", "data", "what", "files"), counts),
            Table("File by file", ("method", "data", "what", "file"), files, folded=True),
        ),
    )
