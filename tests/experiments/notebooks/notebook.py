"""The notebooks as files, and what a cell of one has shown."""

import base64
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "experiments" / "notebooks"
NAMES = ("anonymize_colab", "convert_weights", "train_colab_tpu")


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def tagged(notebook: nbformat.NotebookNode, tag: str) -> nbformat.NotebookNode:
    (cell,) = (cell for cell in notebook.cells if tag in cell.metadata.get("tags", ()))
    return cell


def said(cell: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def pictures(cell: nbformat.NotebookNode) -> list[bytes]:
    found = (output.get("data", {}) for output in cell.outputs)
    return [base64.b64decode(data[kind]) for data in found for kind in ("image/jpeg", "image/png") if kind in data]
