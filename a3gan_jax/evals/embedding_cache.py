"""Embeddings of originals kept on disk, so that a second evaluation on the same photos need not compute them again.

They are personal data, as the photos are: whoever holds them can recognise the people. Nothing is kept unless asked
for.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

Embeddings = dict[str, np.ndarray]


class EmbeddingCache:
    """One file a recogniser, ``SPLIT-NAME.npz``; photos are known by the sha256 of their pixels.

    Args:
        folder: where the files are; made if absent. None keeps nothing.
        split: of the data set, part of the files' names.
        names: of all recognisers that an evaluation asks.
    """

    def __init__(self, folder: str | Path | None, split: str, names: Sequence[str]):
        self._files = {name: Path(folder, f"{split}-{name}.npz") for name in names} if folder else {}
        self._known: dict[str, dict[str, tuple[bool, np.ndarray]]] = {name: {} for name in names}
        for name, file in self._files.items():
            if file.exists():
                with np.load(file) as kept:
                    rows = zip(kept["photo"].tolist(), kept["found"].tolist(), kept["embedding"], strict=True)
                    self._known[name] = {photo: (found, embedding) for photo, found, embedding in rows}

    def embed(
        self, images: np.ndarray, compute: Callable[[np.ndarray], tuple[np.ndarray, Embeddings]]
    ) -> tuple[np.ndarray, Embeddings]:
        """As ``compute``, which is asked only about photos that some recogniser has not seen.

        Args:
            images: (N, S, S, 3) uint8.
            compute: images -> whether a face was found (N,), and embeddings (N, D) by recogniser.
        """
        photos = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        new = [i for i, photo in enumerate(photos) if any(photo not in known for known in self._known.values())]
        if new:
            found, embeddings = compute(images[new])
            for row, i in enumerate(new):
                for name, known in self._known.items():
                    known[photos[i]] = bool(found[row]), embeddings[name][row]
        rows = {name: [known[photo] for photo in photos] for name, known in self._known.items()}
        found = np.array([found for found, _ in next(iter(rows.values()))])
        return found, {name: np.stack([embedding for _, embedding in row]) for name, row in rows.items()}

    def save(self) -> None:
        """Writes all that is known, each file whole or not at all."""
        for name, file in self._files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            found, embeddings = zip(*self._known[name].values(), strict=True)
            temporary = file.with_name(f".{file.name}")  # ends in .npz: numpy would append it
            np.savez(temporary, photo=list(self._known[name]), found=found, embedding=np.stack(embeddings))
            temporary.replace(file)
