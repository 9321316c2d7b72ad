"""Runs a notebook from top to bottom, made small."""

import os
from types import SimpleNamespace

import nbclient
import nbformat
import numpy as np
import pytest

from tests.experiments.notebooks.notebook import ROOT, read, tagged


@pytest.fixture(scope="module")
def run_notebook(tmp_path_factory):
    """Runs a notebook in a folder and a kernel of its own: (name, settings, results) -> folder, notebook, results.

    ``settings`` take the place of what the parameters cell says; ``results`` are expressions, by name.
    """
    own = tmp_path_factory.mktemp("jupyter")
    kernels = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JAX_PLATFORMS": "cpu",
        "XDG_CACHE_HOME": str(own / "cache"),
        "IPYTHONDIR": str(own / "ipython"),
        # Networks run for a few steps only; torch hardly moves on two threads where one core is busy.
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
        "OMP_NUM_THREADS": "1",
    }

    def finish(name: str, settings: dict, results: dict[str, str]) -> SimpleNamespace:
        folder, notebook = tmp_path_factory.mktemp(name), read(name)
        lines = "\n".join(f"{key} = {value!r}" for key, value in settings.items())
        notebook.cells.insert(
            notebook.cells.index(tagged(notebook, "parameters")) + 1, nbformat.v4.new_code_cell(lines)
        )
        arrays = ", ".join(f"{key}={expression}" for key, expression in results.items())
        notebook.cells.append(nbformat.v4.new_code_cell(f"import numpy as np\nnp.savez('results.npz', {arrays})"))
        client = nbclient.NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        client.execute(env=kernels)
        with np.load(folder / "results.npz") as made:
            return SimpleNamespace(folder=folder, notebook=notebook, results=dict(made))

    with pytest.MonkeyPatch.context() as patch:
        for kind in ("DATA", "CONFIG", "RUNTIME"):  # a user's own kernels and settings are left aside
            patch.setenv(f"JUPYTER_{kind}_DIR", str(own / kind.lower()))
        yield finish
