"""report.html: one page without network or script, with every method in its plots, whatever the names hold."""

import dataclasses
import html
import html.parser
import io
import re
import sys
import xml.etree.ElementTree

import numpy as np
import pytest
from PIL import Image

from a3gan_jax.evals.figures import Figure
from a3gan_jax.evals.report import DataNote, Failure, MethodNote, NotRun, RecogniserNote, Report
from a3gan_jax.evals.report_html import SHEETS_NOTE, to_html
from a3gan_jax.evals.report_plots import line_style, place_labels
from a3gan_jax.evals.report_sections import Column

HOSTILE = "$\\frac</text><script>alert('1')</script><img src=http://a.example/x onerror=\"x\">$"
LEAKAGE = Column("leakage", "lfw", "leaks", "matched", "lower")
UTILITY = Column("utility", "lfw", "leaks", "found", "higher")
NAMES = ("blur", "_a3gan", HOSTILE)


class Page(html.parser.HTMLParser):
    """Elements with their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)


def _figures(names=NAMES):
    return {
        name: {"lfw": {"leaks": [Figure("matched", 0.1 * i, 9, 0.0, 0.1 * i + 0.2), Figure("found", 0.5, 9)]}}
        for i, name in enumerate(names)
    }


def _report(names=NAMES, **changes):
    values = dict(
        versions={},
        date="2026-01-02",
        command="evaluate",
        seed=0,
        subset="",
        methods={name: MethodNote(name) for name in names},
        data={"lfw": DataNote(9)},
        recognisers={"sface": RecogniserNote(0.363, True)},
        tasks={},
    )
    return Report(**values | changes)


def _png():
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def page():
    report = _report(
        subset="40 photos",
        failures=(Failure(HOSTILE, "lfw", HOSTILE, "no face"),),
        not_run=(NotRun("fatigue", "", HOSTILE),),
    )
    rates = np.array([0.0, 0.01, 0.1, 1.0])
    return to_html(
        report,
        _figures(),
        [LEAKAGE, UTILITY],
        {"leaks": "Is the person gone?"},
        leakage=LEAKAGE,
        utility=UTILITY,
        curves={"sface": {name: (rates, rates) for name in NAMES}},
        sheets=[(f"worst {HOSTILE}", _png())],
    )


def test_the_page_runs_and_loads_nothing_whatever_the_names_hold(page):
    elements = Page(page).elements
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in elements}
    policy = next(a["content"] for tag, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'") and "script" not in policy
    for tag, attributes in elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,")), (tag, attributes)
    assert [tag for tag, _ in elements].count("img") == 1  # the sheet
    assert not re.search(r"url\((?!#)", page) and "@import" not in page


def test_the_names_are_there_as_they_are(page):
    text = Page(page).text
    assert text.count(HOSTILE) >= 4  # headline, plot, key, tables
    assert "_a3gan" in text and "Is the person gone?" in text
    assert any("Only a subset was measured: 40 photos" in part for part in text)


def test_plots_are_well_formed_and_take_the_colour_of_the_page(page):
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(plots) == 2
    for plot in plots:
        spaced = plot.replace("<svg ", '<svg xmlns:xlink="x" ', 1)
        root = xml.etree.ElementTree.fromstring(spaced)
        assert "width" not in root.attrib and root.attrib["role"] == "img" and root.attrib["aria-label"]
        assert "currentColor" in plot and "#010203" not in plot and "fill: #000000" not in plot
    words = [element.text for element in xml.etree.ElementTree.fromstring(spaced).iter("text")]
    assert "sface (used in training)" in words and "1 %" in words
    named = [
        element.text
        for element in xml.etree.ElementTree.fromstring(plots[0].replace("<svg ", '<svg xmlns:xlink="x" ', 1)).iter(
            "text"
        )
    ]
    assert set(NAMES) < set(named)


def test_long_titles_of_axes_are_broken_rather_than_cut():
    long = dataclasses.replace(LEAKAGE, title="taken for the original by a recogniser that nothing was trained against")
    page = to_html(_report(), _figures(), [LEAKAGE], leakage=long, utility=UTILITY)
    words = re.findall(r"<text[^>]*>([^<]*)<", page)
    assert max(map(len, set(words) - {html.escape(HOSTILE, quote=False)})) <= 40
    assert long.heading in " ".join(words)


def test_the_caption_says_on_which_data_a_point_is_measured(page):
    assert "Across: a method on lfw; up: on lfw." in page
    worst = dataclasses.replace(LEAKAGE, data=None)
    page = to_html(_report(), _figures(), [LEAKAGE], leakage=worst, utility=UTILITY)
    assert "Across: a method on the data where it is worst; up: on lfw." in page


def test_the_same_report_gives_the_same_page():
    one, other = (to_html(_report(), _figures(), [LEAKAGE], leakage=LEAKAGE, utility=UTILITY) for _ in range(2))
    assert one == other


def test_pictures_of_faces_are_only_there_when_given_and_the_page_warns_of_them(page):
    assert SHEETS_NOTE in page and "worst" in page
    without = to_html(_report(), _figures(), [LEAKAGE])
    assert "<img" not in without and "<svg" not in without and SHEETS_NOTE not in without
    with pytest.raises(ValueError, match="no PNG"):
        to_html(_report(), _figures(), [LEAKAGE], sheets=[("a", b"<svg onload=alert(1)>")])


def test_a_method_without_a_figure_is_named_under_the_plot():
    page = to_html(_report(("blur", "lost")), _figures(("blur",)), [LEAKAGE], leakage=LEAKAGE, utility=UTILITY)
    assert "Not in the plot, for want of a figure: lost." in page
    page = to_html(_report(("lost",)), {}, [LEAKAGE], leakage=LEAKAGE, utility=UTILITY)
    assert "for want of a figure: lost." in page and "<svg" not in page


def test_without_matplotlib_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "a3gan-jax\[eval\]"'):
        to_html(_report(), _figures(), [LEAKAGE], leakage=LEAKAGE, utility=UTILITY)
    assert "<table>" in to_html(_report(), _figures(), [LEAKAGE])  # tables need none


def test_thirty_methods_look_different():
    assert len({line_style(place) for place in range(30)}) == 30


def test_labels_of_crowded_points_cover_neither_each_other_nor_a_point_nor_leave_the_plot():
    points = np.array([[5.0, 5.0 + 3 * i] for i in range(8)] + [[298.0, 198.0]])  # in a corner
    sizes = np.tile([60.0, 10.0], (9, 1))
    corners = place_labels(points, sizes, (0, 0, 300, 200), np.empty((0, 4)))
    boxes = np.hstack([corners, corners + sizes])
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [300, 200]).all()
    for i, box in enumerate(boxes):
        others = np.vstack([np.delete(boxes, i, 0), np.hstack([points - 4, points + 4])])
        apart = (box[2:] <= others[:, :2]) | (others[:, 2:] <= box[:2])
        assert apart.any(1).all()
