"""Methods of others: a Python function, or a folder of photos that are anonymised already."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from a3gan_jax.faces.detector import Detection
from a3gan_jax.media.images import UnreadableImage, read_image

#: ``function(photo, boxes)``: a photo (H, W, 3) uint8, RGB, and the boxes (M, 4) float64 of all its faces, each left,
#: top, width, height in its pixels -> the anonymised photo (H, W, 3) uint8.
PeerFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Peer:
    """A user's function, asked about photos that have faces; a ``Method``. It works on copies."""

    def __init__(self, path: str):
        """
        Args:
            path: ``package.module:function``, see ``PeerFunction``; importable from where the program was started.

        Raises:
            ValueError: there is no such module or function.
        """
        module, _, function = path.partition(":")
        try:
            self._function: PeerFunction = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"no method {path}: {error}; name an importable package.module:function") from error
        if not callable(self._function):
            raise ValueError(f"no method {path}: it cannot be called; name a function (photo, boxes) -> photo")
        self.name, self.description = path, f"the function {path}"

    def __call__(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[np.ndarray]:
        return [
            self._ask(image, found, file) if found else image.copy()
            for image, found, file in zip(images, faces, files, strict=True)
        ]

    def _ask(self, image: np.ndarray, found: Sequence[Detection], file: str) -> np.ndarray:
        boxes = np.array([face.box for face in found], np.float64)
        try:
            result = np.asarray(self._function(image.copy(), boxes))
        except Exception as error:  # a user's function may raise anything
            raise ValueError(f"{file}: {self.name} raised {type(error).__name__}: {error}") from error
        if result.dtype != np.uint8 or result.shape != image.shape:
            raise ValueError(
                f"{file}: {self.name} must return uint8 {image.shape}, and returned {result.dtype} {result.shape}"
            )
        return result.copy()


class Folder:
    """Photos of the same relative names in a folder, whatever made them; a ``Method``."""

    def __init__(self, path: str | Path):
        """``path``: the folder; ValueError where it is none."""
        self._folder = Path(path).expanduser()
        if not self._folder.is_dir():
            raise ValueError(f"folder:{path} is no folder: name one that holds the anonymised photos")
        self.name, self.description = f"folder:{path}", f"photos that lie in {self._folder.absolute().name}"

    def __call__(
        self, images: Sequence[np.ndarray], faces: Sequence[Sequence[Detection]], files: Sequence[str]
    ) -> list[np.ndarray]:
        return [self._read(image, file) for image, _, file in zip(images, faces, files, strict=True)]

    def _read(self, image: np.ndarray, file: str) -> np.ndarray:
        try:
            result = read_image(self._folder / file).pixels
        except UnreadableImage as error:
            raise ValueError(f"{file}: in {self.name} {error}") from error
        if result.shape != image.shape:
            (height, width), (given, across) = image.shape[:2], result.shape[:2]
            raise ValueError(f"{file}: in {self.name} it has {across}x{given} pixels, the original {width}x{height}")
        return result
