"""An album of red squares for faces, and a stand-in for the model that finds them and paints them green."""

import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from a3gan_jax.anonymizer import AnonymizedPhoto, Anonymizer, FaceOutcome
from a3gan_jax.faces.detector import Detection

NAMES = ("Bald", "Eyeglasses", "Male", "Smiling")
RED, GREEN = (250, 0, 0), (0, 250, 0)
POINTS = np.array([[2.0, 3], [6, 3], [4, 5], [2, 7], [6, 7]])


def red_squares(image: np.ndarray) -> list[Detection]:
    """Each side 8, wherever its upper left corner is."""
    red = (image.astype(int)[..., 0] > 180) & (image[..., 1] < 70)
    corner = red.copy()
    corner[1:] &= ~red[:-1]
    corner[:, 1:] &= ~red[:, :-1]
    return [Detection(np.array([x, y, 8.0, 8.0]), POINTS + [x, y], 0.9) for y, x in np.argwhere(corner)]


class StandIn:
    """Takes what ``Anonymizer`` takes; notes the options."""

    model = SimpleNamespace(attribute_names=NAMES, image_size=64, step=3)

    def __init__(self, detector=None):
        self.detector, self.calls = detector or red_squares, []

    def recognizer(self, faces: np.ndarray) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[: len(faces)]

    def anonymize_photos(self, images, **options) -> list[AnonymizedPhoto]:
        inspect.signature(Anonymizer.anonymize_photos).bind(self, images, **options)
        self.calls.append(options)
        results = []
        for image, found in zip(images, options["detections"], strict=True):
            if (image == 123).all():
                raise FloatingPointError("not finite")
            image, faces = image.copy(), []
            for face in found:
                left, top, width, height = face.box.astype(int)
                image[top : top + height, left : left + width] = GREEN
                attributes = dict.fromkeys(NAMES, 1)
                told = "anonymised", "", 7, attributes, attributes, 0.1
                faces.append(FaceOutcome(face.box, face.landmarks, face.score, *told))
            if len(faces) == 3:  # the third is covered
                faces[2] = FaceOutcome(*list(vars(faces[2]).values())[:3], "covered", "too small", 7, None, None, None)
            results.append(AnonymizedPhoto(image, tuple(faces)))
        return results


def picture(seed: int = 0, faces: int = 1, width: int = 64, height: int = 48) -> Image.Image:
    """Dark noise with red squares in a row."""
    values = np.random.default_rng(seed).integers(0, 60, (height, width, 3), np.uint8)
    for number in range(faces):
        values[8:16, 8 + 16 * number : 16 + 16 * number] = RED
    return Image.fromarray(values)


def save(path: Path, image: Image.Image, form: str | None = None, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, form, **options)
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def has_red(path: Path) -> bool:
    return bool(red_squares(pixels(path)))
