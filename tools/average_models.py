"""Averages models of one training line into one, which may make fewer broken faces than any of them.

    python -m tools.average_models MODEL MODEL ... --to=DIR

MODEL is a model folder, the workdir of a training, or a name in the package; all of them have the same networks. Every
array of DIR is the mean of theirs (model soups, Wortsman et al., arXiv 2203.05482). That works for models that were
trained on from one another or from one ancestor; of models trained apart the mean is noise. Judge it before use:
tools/measure_anonymization.py, and your eyes.

DIR must not exist yet. Exit codes: 0 it is written; 2 a wrong command line, or models that do not go together.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from a3gan_jax.checkpoint import SavedModel, export_model
from a3gan_jax.weights import read_model


def average(models: Sequence[SavedModel]) -> SavedModel:
    """The mean of models, array by array, summed in float64; its step is the largest of theirs.

    Raises:
        ValueError: fewer than two models, or their networks differ.
    """
    if len(models) < 2:
        raise ValueError("one model has no mean with others: name at least two")
    first = models[0]
    for number, model in enumerate(models[1:], start=2):
        if model.config != first.config:
            mine, theirs = first.config.to_dict(), model.config.to_dict()
            differ = ", ".join(f"{key} ({mine[key]}, {theirs[key]})" for key in mine if mine[key] != theirs[key])
            raise ValueError(f"model {number} has other networks than the first: {differ}")
    variables = jax.tree.map(
        lambda *arrays: np.mean(arrays, axis=0, dtype=np.float64).astype(arrays[0].dtype),
        *(model.variables for model in models),
    )
    return SavedModel(first.config, variables, max(model.step for model in models))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="model folder, workdir, or name in the package")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="model folder to write")
    given = parser.parse_args()
    try:
        if given.to.exists():
            raise FileExistsError(f"{given.to} exists: choose another folder")
        mean = average([read_model(model) for model in given.models])
        export_model(given.to, mean.config, mean.variables, mean.step)
    except (FileNotFoundError, FileExistsError, ValueError) as error:  # what a user can do something about
        print(f"average_models: error: {error}", file=sys.stderr)
        return 2
    print(f"the mean of {len(given.models)} models: {given.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
