"""report.html: the report as one file without network or script, for light and dark, wide and narrow pages."""

import base64
import html
from collections.abc import Mapping, Sequence

import numpy as np

from a3gan_jax.evals import report_plots
from a3gan_jax.evals.report import Figures, Report
from a3gan_jax.evals.report_sections import (
    TITLE,
    Column,
    Section,
    Table,
    headline_figure,
    sections,
    subset_note,
    visible,
)

#: Recogniser -> method -> false and true accept rates, (K,) each.
Curves = Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]

PNG = b"\x89PNG\r\n\x1a\n"
SHEETS_NOTE = "These pictures show faces of the original photos: keep this file as you keep the photos."
#: Whatever a name may smuggle in, the page loads nothing and runs nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --ink: #1b1d21; --paper: #fff; --line: #d5d8dd; --soft: #f3f4f6; --alarm: #a8321d }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e6ea; --paper: #16181d; --line: #3a3e46; --soft: #20232a; --alarm: #ff9a84 }
}
body { margin: 0 auto; padding: 1rem; max-width: 76rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { line-height: 1.2 } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) } h3 { margin-bottom: .3rem }
p { max-width: 46rem } .alarm { color: var(--alarm); font-weight: bold }
.wide { overflow-x: auto } summary { cursor: pointer; padding: .3rem 0 }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; overflow-wrap: normal }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
td { min-width: 6rem; max-width: 24rem; overflow-wrap: break-word }
thead th { background: var(--soft) }
tbody th { position: sticky; left: 0; background: var(--paper); font-weight: 600; min-width: 9rem; max-width: 12rem;
  overflow-wrap: anywhere }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem }
figure { margin: 1rem 0 } figcaption { font-size: .9rem } img { max-width: 100%; height: auto }
svg { display: block; width: 100%; max-width: 44rem; height: auto }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; list-style: none; font-size: .9rem }
.key span { display: inline-block; width: 1.8rem; margin-right: .4rem; vertical-align: middle; border-top-width: 3px }
"""


def to_html(
    report: Report,
    figures: Figures,
    columns: Sequence[Column],
    questions: Mapping[str, str] | None = None,
    *,
    leakage: Column | None = None,
    utility: Column | None = None,
    curves: Curves | None = None,
    sheets: Sequence[tuple[str, bytes]] = (),
) -> str:
    """The page.

    Args:
        report, figures, columns, questions: see ``sections``.
        leakage, utility: the axes of the privacy-utility plot, which is left out without both.
        curves: ROC curves, a panel for each recogniser.
        sheets: captions and PNG files. They hold faces of originals: none by default, and the page says so.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: a sheet is no PNG.
    """
    head, *rest = sections(report, figures, columns, questions or {})
    parts = [f"<h1>{_text(TITLE)}</h1>"]
    parts += [
        f'<p class="alarm">{_text(note)}</p>' for note in (subset_note(report), SHEETS_NOTE if sheets else "") if note
    ]
    parts.append(_section(head))
    if leakage and utility:
        parts += _privacy_utility(report, figures, leakage, utility)
    if curves:
        parts += _rocs(report, curves)
    parts += _sheets(sheets)
    parts += map(_section, rest)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{_text(TITLE)}</title>'
        f"<style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _text(text: str) -> str:
    """The text, shown and nothing else: file names come from strangers."""
    return html.escape(visible(text))


def _section(section: Section) -> str:
    paragraph = f"<p>{_text(section.text)}</p>" if section.text else ""
    return f"<h2>{_text(section.title)}</h2>{paragraph}" + "".join(map(_table, section.tables))


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in table.header)
    rows = "\n".join(
        f'<tr><th scope="row">{_text(first)}</th>' + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
        for first, *cells in table.rows
    )
    body = f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'
    if table.folded:
        return f"<details><summary>{_text(table.title)}</summary>{body}</details>"
    return (f"<h3>{_text(table.title)}</h3>" if table.title else "") + body


def _privacy_utility(report: Report, figures: Figures, leakage: Column, utility: Column) -> list[str]:
    points, missing = {}, []
    for method in report.methods:
        found = [headline_figure(figures, method, column) for column in (leakage, utility)]
        if all(found):
            points[method] = tuple(figure for _, figure in found)
        else:
            missing.append(method)
    parts = ["<h2>Privacy against utility</h2>"]
    if points:
        plot = report_plots.privacy_utility(points, list(report.methods), leakage.heading, utility.heading)
        across, up = (f"on {c.data}" if c.data else "on the data where it is worst" for c in (leakage, utility))
        caption = f"The lines through a point are its 95 % intervals. Across: a method {across}; up: {up}."
        parts.append(f"<figure>{plot}<figcaption>{_text(caption)}</figcaption></figure>")
    if missing:
        parts.append(f"<p>Not in the plot, for want of a figure: {_text(', '.join(missing))}.</p>")
    return parts


def _rocs(report: Report, curves: Curves) -> list[str]:
    order = list(report.methods)
    plots = []
    for recogniser, of_recogniser in curves.items():
        note = report.recognisers.get(recogniser)
        title = recogniser + (" (used in training)" if note and note.used_in_training else "")
        plots.append(f"<figure>{report_plots.roc(of_recogniser, order, title)}</figure>")
    drawn = [method for method in order if any(method in of_recogniser for of_recogniser in curves.values())]
    styles = [report_plots.line_style(order.index(method)) for method in drawn]
    key = "".join(
        f'<li><span style="border-top: 3px {pattern} {colour}"></span>{_text(method)}</li>'
        for method, (colour, pattern) in zip(drawn, styles, strict=True)
    )
    return [
        "<h2>How often a recogniser still knows the person</h2>",
        "<p>For every rate at which two people pass for one, the rate at which a person is recognised: "
        "the lower a line, the better people are hidden. The thin dotted line is chance.</p>",
        f'<ul class="key">{key}</ul><div class="plots">{"".join(plots)}</div>',
    ]


def _sheets(sheets: Sequence[tuple[str, bytes]]) -> list[str]:
    parts = ["<h2>Best, median and worst cases</h2>"] if sheets else []
    for caption, png in sheets:
        if not png.startswith(PNG):
            raise ValueError(f"the contact sheet {caption!r} is no PNG file")
        data = base64.b64encode(png).decode()
        parts.append(
            f'<figure><img alt="{_text(caption)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{_text(caption)}</figcaption></figure>"
        )
    return parts
