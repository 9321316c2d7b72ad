"""The report of an evaluation as strict JSON: what was measured, case by case, and all that is needed to judge it.

Every figure is computed of the evidence in it, so that whoever has report.json can check report.md and report.html.
"""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from a3gan_jax.evals.figures import Evidence, Figure, Task

FORMAT = 1  # of report.json

#: Method -> data set -> task -> its figures.
Figures = dict[str, dict[str, dict[str, list[Figure]]]]


@dataclasses.dataclass(frozen=True)
class MethodNote:
    """What a method is: in words, with its parameters (plain JSON), and of a model the sha256 and training step of its
    weights."""

    description: str
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    weights: str = ""
    step: int | None = None


@dataclasses.dataclass(frozen=True)
class DataNote:
    """How many photos a data set has, and of how many people; None where nobody knows."""

    photos: int
    people: int | None = None


@dataclasses.dataclass(frozen=True)
class RecogniserNote:
    """The published threshold of a recogniser's similarity (nan without one), and whether a method was trained against
    it: such a recogniser sees less than a stranger's would."""

    threshold: float
    used_in_training: bool


@dataclasses.dataclass(frozen=True)
class NotRun:
    """A task that was not run, for one method or (``method`` empty) at all, and why."""

    task: str
    method: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Failure:
    """A file of a data set with which something went wrong under a method, such as "no face found"."""

    method: str
    data: str
    file: str
    what: str


@dataclasses.dataclass(frozen=True)
class Report:
    """An evaluation.

    versions: package -> version. date, command: when and how it was run. seed: of all draws.
    subset: the limits that were set, in words; empty where everything was measured.
    tasks: method -> data set -> task -> evidence.
    """

    versions: Mapping[str, str]
    date: str
    command: str
    seed: int
    subset: str
    methods: Mapping[str, MethodNote]
    data: Mapping[str, DataNote]
    recognisers: Mapping[str, RecogniserNote]
    tasks: Mapping[str, Mapping[str, Mapping[str, Evidence]]]
    not_run: Sequence[NotRun] = ()
    failures: Sequence[Failure] = ()


def to_json(report: Report) -> str:
    """The report as strict JSON; nan is null, and null (None) among evidence is nan.

    Raises:
        ValueError: something in the evidence is no plain JSON value, such as an array or an infinity; says where.
    """
    fields = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    for name in ("methods", "data", "recognisers"):
        fields[name] = {key: dataclasses.asdict(note) for key, note in fields[name].items()}
    for name in ("not_run", "failures"):
        fields[name] = [dataclasses.asdict(note) for note in fields[name]]
    fields["recognisers"] = _encode(fields["recognisers"], "recognisers")
    fields["tasks"] = _encode(fields["tasks"], "tasks")
    return json.dumps({"format": FORMAT} | fields, allow_nan=False) + "\n"


def from_json(text: str) -> Report:
    """The report that ``to_json`` wrote.

    Raises:
        ValueError: the text is no such report.
    """
    fields = json.loads(text, parse_constant=_no_constant)
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise ValueError(f"this is no report.json of format {FORMAT}: run the evaluation again")
    try:
        for name, note in (("methods", MethodNote), ("data", DataNote), ("recognisers", RecogniserNote)):
            values = _decode(fields[name]) if note is RecogniserNote else fields[name]
            fields[name] = {key: note(**value) for key, value in values.items()}
        for name, note in (("not_run", NotRun), ("failures", Failure)):
            fields[name] = tuple(note(**value) for value in fields[name])
        return Report(**fields | {"tasks": _decode(fields["tasks"])})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this report.json is incomplete or was changed by hand: {error}") from error


def recompute(report: Report, tasks: Sequence[Task]) -> Figures:
    """All figures, of the evidence alone.

    Raises:
        ValueError: the report has evidence of a task that is not among ``tasks``, or a task gives two figures one name.
    """
    by_name = {task.name: task for task in tasks}
    figures: Figures = {}
    for method, of_method in report.tasks.items():
        for data, of_data in of_method.items():
            for name, evidence in of_data.items():
                if name not in by_name:
                    raise ValueError(f"the report has evidence of the task {name}, which is not here")
                found = list(by_name[name].figures(evidence))
                twice = [what for what, count in Counter(figure.name for figure in found).items() if count > 1]
                if twice:
                    raise ValueError(f"the task {name} gives several figures the name {twice[0]!r}")
                figures.setdefault(method, {}).setdefault(data, {})[name] = found
    return figures


def _encode(value: Any, where: str) -> Any:
    """Plain JSON, nan as None."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"{where}: the names in a report must be texts")
        return {key: _encode(entry, f"{where}/{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(entry, f"{where}/{place}") for place, entry in enumerate(value)]
    if isinstance(value, float):
        if math.isinf(value):
            raise ValueError(f"{where}: JSON has no infinity; a task must say what it counts as")
        return None if math.isnan(value) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    raise ValueError(f"{where}: {type(value).__name__} is no plain JSON value")


def _decode(value: Any) -> Any:
    """With nan in the place of None."""
    if isinstance(value, dict):
        return {key: _decode(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_decode(entry) for entry in value]
    return float("nan") if value is None else value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
