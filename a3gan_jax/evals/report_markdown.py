"""report.md: the report as Markdown with tables as GitHub reads them."""

import re
from collections.abc import Mapping, Sequence

from a3gan_jax.evals.report import Figures, Report
from a3gan_jax.evals.report_sections import TITLE, Column, Table, sections, subset_note, visible

#: What Markdown, or HTML in it, would read as more than text; ":" and "." before a letter would start a link.
MARKUP = re.compile(r"([\\`*_{}\[\]<>#|&~$!])|(?<=[a-zA-Z])(:)(?=//)|(?<=www)(\.)")


def to_markdown(
    report: Report, figures: Figures, columns: Sequence[Column], questions: Mapping[str, str] | None = None
) -> str:
    """The report; for the arguments see ``sections``."""
    lines = [f"# {TITLE}", ""]
    if report.subset:
        lines += [f"**{escape(subset_note(report))}**", ""]
    for section in sections(report, figures, columns, questions or {}):
        lines += [f"## {escape(section.title)}", ""]
        if section.text:
            lines += [escape(section.text), ""]
        for table in section.tables:
            lines += _table(table)
    return "\n".join(lines)


def escape(text: str) -> str:
    """The text as Markdown that shows it and nothing else: file names come from strangers."""
    return MARKUP.sub(lambda match: "\\" + match.group(), visible(text))


def _table(table: Table) -> list[str]:
    title = [f"### {escape(table.title)}", ""] if table.title else []
    return title + [_row(table.header), "|" + "---|" * len(table.header), *map(_row, table.rows), ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"
