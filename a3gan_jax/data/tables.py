"""CSV files that describe photos."""

import csv
from collections.abc import Sequence
from pathlib import Path

FORM = "it must be UTF-8 text with commas and a header line"


def csv_file(root: Path) -> Path:
    """A CSV by its own name or by its folder, which holds labels.csv or exactly one other.

    Raises:
        ValueError: there is none, or several.
    """
    if root.is_file():
        return root
    if (root / "labels.csv").is_file():
        return root / "labels.csv"
    found = sorted(root.glob("*.csv"))
    if len(found) != 1:
        which = ", ".join(path.name for path in found) or "none"
        raise ValueError(f"{root} is no CSV file and no folder with labels.csv or one CSV; found: {which}")
    return found[0]


def read_table(path: Path, needed: Sequence[str]) -> tuple[list[str], list[dict[str, str]]]:
    """Names of the columns, and the rows with their texts stripped.

    Raises:
        ValueError: it cannot be read, is no CSV, lacks one of the columns ``needed``, has one twice or no row, or a row
            is longer or shorter than the header; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # Excel begins its UTF-8 with a mark
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, fields) for fields in reader if fields]
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}; {FORM}") from error
    columns = [name.strip() for name in lines[0][1]] if lines else []
    if lacking := [name for name in needed if name not in columns]:
        raise ValueError(f"{path} has no column {', '.join(lacking)}, only: {', '.join(columns)[:200]}; {FORM}")
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise ValueError(f"{path} has twice the column {', '.join(twice)}")
    if len(lines) == 1:
        raise ValueError(f"{path} has no row below its header")
    for number, fields in lines[1:]:
        if len(fields) != len(columns):
            raise ValueError(f"{path}, line {number}: {len(fields)} fields under {len(columns)} columns")
    return columns, [dict(zip(columns, (text.strip() for text in fields), strict=True)) for _, fields in lines[1:]]
