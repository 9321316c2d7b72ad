"""What was seen, kept on disk, so that an evaluation that was stopped goes on where it stood.

Embeddings of originals are personal data, as the photos are: whoever holds them can recognise the people. The folder is
readable for its owner alone.
"""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import a3gan_jax
from a3gan_jax.evals.sights import Sights

FIELDS = ("found", "box", "landmarks", "score")
MAPS = ("values", "asked")


class SightCache:
    """One file for each part of a data set under a method."""

    def __init__(self, folder: str | Path):
        """``folder``: made if absent."""
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def key(self, images: Sequence[np.ndarray | None], about: Sequence[str]) -> str:
        """A name for what is seen in photos: it depends on their pixels, on ``about`` (the method, who looks), and on
        the version of this package."""
        content = hashlib.sha256(json.dumps([a3gan_jax.__version__, *about]).encode())
        for image in images:
            content.update(b"-" if image is None else str(image.shape).encode() + image.tobytes())
        return content.hexdigest()

    def load(self, key: str) -> tuple[Sights, list[tuple[int, str]]] | None:
        """What ``save`` was given, None if nothing was. A file that cannot be read counts as none."""
        try:
            with (self._folder / f"{key}.npz").open("rb") as file, np.load(file) as kept:
                failures = [tuple(failure) for failure in json.loads(str(kept["failures"]))]
                maps = {
                    group: {
                        name.removeprefix(f"{group}/"): kept[name]
                        for name in kept.files
                        if name.startswith(f"{group}/")
                    }
                    for group in MAPS
                }
                return Sights(**{field: kept[field] for field in FIELDS}, **maps), failures
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, key: str, sights: Sights, failures: Sequence[tuple[int, str]]) -> None:
        """Keeps sights and failures (position in the part, what); the file is whole or not there."""
        arrays = {field: getattr(sights, field) for field in FIELDS}
        arrays |= {f"{group}/{name}": value for group in MAPS for name, value in getattr(sights, group).items()}
        temporary = self._folder / f".{key}.npz"
        np.savez(temporary, failures=json.dumps(list(failures)), **arrays)
        temporary.replace(self._folder / f"{key}.npz")
