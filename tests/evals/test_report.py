"""report.json and report.md: strict JSON there and back, and no figure that does not come from the evidence."""

import dataclasses
import json
import math

import numpy as np
import pytest

from a3gan_jax.evals import figures
from a3gan_jax.evals.report import (
    DataNote,
    Failure,
    MethodNote,
    NotRun,
    RecogniserNote,
    Report,
    from_json,
    recompute,
    to_json,
)
from a3gan_jax.evals.report_markdown import escape, to_markdown
from a3gan_jax.evals.report_sections import NAMED, Column, headline_figure, number, visible

NAN = float("nan")
HOSTILE = "<img src=x onerror=alert(1)>|`*_[a](http://b.example)\n\u202egnp.exe"


class Leaks:
    """Shares of leaks, and a mean."""

    name = "leaks"

    def figures(self, evidence):
        yield figures.share("matched", evidence["matched"])
        yield figures.mean("psnr", np.array(evidence["psnr"]))


COLUMNS = (Column("leakage", "lfw", "leaks", "matched", "lower"), Column("PSNR", None, "leaks", "psnr", "higher"))


def _evidence(hits, psnr=(20.0, 30.0)):
    return {"matched": [True] * hits + [False] * (4 - hits), "psnr": list(psnr)}


@pytest.fixture
def report():
    return Report(
        versions={"numpy": "2.4.6"},
        date="2026-01-02",
        command="evaluate --method=blur",
        seed=7,
        subset="",
        methods={
            "blur": MethodNote("a blur", {"radius": 0.15}),
            "a3gan": MethodNote("ours", weights="ab" * 32, step=9),
        },
        data={"lfw": DataNote(4, 2), "celeba": DataNote(4)},
        recognisers={"sface": RecogniserNote(0.363, True), "arc": RecogniserNote(NAN, False)},
        tasks={
            "blur": {"lfw": {"leaks": _evidence(3)}, "celeba": {"leaks": _evidence(2, (10.0, 12.0))}},
            "a3gan": {"lfw": {"leaks": _evidence(1)}},
        },
        not_run=(NotRun("fatigue", "", "no labels of yawning were given"),),
        failures=(Failure("blur", "lfw", "a/b.jpg", "no face found"),),
    )


def _markdown(report, **kwargs):
    return to_markdown(report, recompute(report, [Leaks()]), COLUMNS, **kwargs)


def test_json_is_strict_and_comes_back_equal(report):
    text = to_json(report)
    values = json.loads(text, parse_constant=pytest.fail)
    assert values["recognisers"]["arc"]["threshold"] is None and values["methods"]["blur"]["step"] is None
    back = from_json(text)
    assert math.isnan(back.recognisers["arc"].threshold)
    notes = {"sface": back.recognisers["sface"], "arc": report.recognisers["arc"]}  # nan is not equal to itself
    assert dataclasses.replace(back, recognisers=notes) == report
    assert to_json(back) == text


def test_nan_in_evidence_is_null_and_comes_back_as_nan(report):
    tasks = {"blur": {"lfw": {"leaks": {"matched": [], "psnr": [1.5, NAN, None], "deep": {"a": [[NAN]]}}}}}
    text = to_json(dataclasses.replace(report, tasks=tasks))
    assert '"psnr": [1.5, null, null]' in text
    evidence = from_json(text).tasks["blur"]["lfw"]["leaks"]
    np.testing.assert_array_equal(evidence["psnr"], [1.5, NAN, NAN])
    assert math.isnan(evidence["deep"]["a"][0][0])


@pytest.mark.parametrize("value", [float("inf"), np.float32(1), np.ones(2), {1: 2}, {1, 2}])
def test_what_json_would_change_is_refused_by_its_place(report, value):
    tasks = {"blur": {"lfw": {"leaks": {"psnr": [1.0, value]}}}}
    with pytest.raises(ValueError, match="tasks/blur/lfw/leaks/psnr/1"):
        to_json(dataclasses.replace(report, tasks=tasks))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"format": 1', '"format": 2'), "format 1"),
        (lambda text: "[]", "format 1"),
        (lambda text: text.replace('"seed"', '"seeds"'), "seed"),
        (lambda text: text.replace("0.363", "NaN"), "NaN is no JSON"),
    ],
)
def test_a_file_that_is_no_report_is_refused(report, change, message):
    with pytest.raises(ValueError, match=message):
        from_json(change(to_json(report)))


def test_figures_come_from_the_evidence_by_the_task(report):
    found = recompute(report, [Leaks()])
    matched, psnr = found["blur"]["lfw"]["leaks"]
    assert (matched.name, matched.value, matched.count) == ("matched", 0.75, 4)
    assert psnr.value == 25.0 and psnr.low < 25.0 < psnr.high


def test_evidence_without_its_task_or_with_a_name_twice_is_refused(report):
    class Twice(Leaks):
        def figures(self, evidence):
            yield from [*super().figures(evidence)] * 2

    with pytest.raises(ValueError, match="evidence of the task leaks"):
        recompute(report, [])
    with pytest.raises(ValueError, match="'matched'"):
        recompute(report, [Twice()])


def test_markdown_of_the_json_is_the_same(report):
    assert _markdown(from_json(to_json(report))) == _markdown(report)


def test_a_change_in_the_evidence_changes_the_figure_in_the_markdown_and_nothing_else(report):
    values = json.loads(to_json(report))
    values["tasks"]["a3gan"]["lfw"]["leaks"]["matched"][1] = True  # 1 of 4 becomes 2 of 4
    before, after = _markdown(report).splitlines(), _markdown(from_json(json.dumps(values))).splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 2  # the headline and the table of the task
    assert all("0.250 (0.046 to 0.699)" in old and "0.500 (0.150 to 0.850)" in new for old, new in changed)


def test_without_evidence_no_figure_is_left_in_the_markdown(report):
    text = _markdown(dataclasses.replace(report, tasks={}))
    assert "## leaks" not in text and "0.750" not in text
    assert "| blur | – | – |" in text and "| a3gan | – | – |" in text


def test_headline_takes_the_worst_data_set_where_none_is_named_and_says_which(report):
    found = recompute(report, [Leaks()])
    assert headline_figure(found, "blur", COLUMNS[1])[0] == "celeba"  # 11 dB, on lfw 25
    leakage = dataclasses.replace(COLUMNS[0], data=None)
    assert headline_figure(found, "blur", leakage)[0] == "lfw"  # 3 of 4, on celeba 2
    assert headline_figure(found, "a3gan", dataclasses.replace(leakage, data="celeba")) is None
    row = next(line for line in _markdown(report).splitlines() if line.startswith("| blur |"))
    assert "0.750 (0.301 to 0.954) |" in row and "11.0 (10.0 to 12.0), celeba |" in row
    assert "| leakage (lower is better) | PSNR (higher is better) |" in _markdown(report)


def test_a_figure_that_is_nan_does_not_hide_a_worse_one(report):
    tasks = {"blur": {"lfw": {"leaks": _evidence(3, [NAN])}, "celeba": {"leaks": _evidence(3, [11.0, 11.0])}}}
    found = recompute(dataclasses.replace(report, tasks=tasks), [Leaks()])
    assert headline_figure(found, "blur", COLUMNS[1])[1].value == 11.0


def test_tables_of_a_task_show_all_methods_side_by_side_with_counts(report):
    text = _markdown(report, questions={"leaks": "Is the person gone?"})
    section = text[text.index("## leaks") : text.index("## What was not run")]
    assert "Is the person gone?" in section
    assert "### leaks, lfw\n\n| figure | blur | a3gan |" in section
    assert "| matched | 0.750 (0.301 to 0.954), n = 4 | 0.250 (0.046 to 0.699), n = 4 |" in section
    assert "### leaks, celeba\n\n| figure | blur |" in section


def test_a_subset_is_said_at_the_top_in_bold_and_only_then(report):
    assert "subset" not in _markdown(report)
    lines = _markdown(dataclasses.replace(report, subset="the first 40 photos of lfw")).splitlines()
    assert lines[2].startswith("**Only a subset was measured: the first 40 photos of lfw.") and lines[2].endswith("**")


def test_markdown_says_what_was_compared_not_run_and_what_failed(report):
    text = _markdown(report)
    for row in (
        "| blur | a blur | radius = 0.15 | – | – |",
        "| a3gan | ours | – | abababababab | 9 |",
        "| celeba | 4 | unknown |",
        "| sface | 0.363 | yes |",
        "| arc | – | no |",
        "| fatigue | all | no labels of yawning were given |",
        "| blur | lfw | no face found | 1 |",
        r"| blur | lfw | no face found | a/b.jpg |",
        "| numpy | 2.4.6 |",
    ):
        assert row in text
    assert "with seed 7" in text and "evaluate --method=blur" in text
    nothing = _markdown(dataclasses.replace(report, not_run=(), failures=()))
    assert "Everything was run." in nothing and "## Failures\n\nNone." in nothing


def test_many_failures_are_counted_in_full_and_named_in_part_and_the_report_says_so(report):
    failures = tuple(Failure("blur", "lfw", f"{i}.jpg", "no face found") for i in range(NAMED + 5))
    text = _markdown(dataclasses.replace(report, failures=failures))
    assert f"| no face found | {NAMED + 5} |" in text and text.count(".jpg") == NAMED
    assert f"Of each kind {NAMED} files are named here, all of them in report.json." in text
    assert len(from_json(to_json(dataclasses.replace(report, failures=failures))).failures) == NAMED + 5


def test_a_hostile_file_name_stays_text_in_its_cell(report):
    text = _markdown(dataclasses.replace(report, failures=(Failure("blur", "lfw", HOSTILE, "no face"),)))
    row = next(line for line in text.splitlines() if "onerror" in line)
    assert row.startswith(
        "| blur | lfw | no face | \\<img src=x onerror=alert(1)\\>\\|\\`\\*\\_\\[a\\](http\\://b.example)"
    )
    assert "\\\\n\\\\u202egnp.exe |" in row and "\u202e" not in text
    assert escape("https://a.b www.c") == "https\\://a.b www\\.c"


def test_characters_that_cannot_be_seen_are_spelled_out():
    assert visible("a\tb\udcffé") == "a\\tb\\udcffé"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.000"), (0.12345, "0.123"), (0.0004, "0.0004"), (-0.6, "-0.600"), (0.00004, "4e-05")]
)
def test_a_number_that_is_not_zero_does_not_read_as_zero(value, text):
    assert number(value) == text
