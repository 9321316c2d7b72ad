"""Contact sheets of an evaluation: what a method did where it hides best, in the middle, and worst."""

import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from a3gan_jax.evals import survey
from a3gan_jax.evals.crops import aligned_crop
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.report import Report
from a3gan_jax.evals.sights import central

EACH = 4  # cases of each kind
SIDE = 128  # of a face, in pixels


def contact_sheets(
    report: Report,
    photos: LabelledPhotos,
    data: str,
    spec: Callable[[str, str], survey.Spec],
    trained_against: Sequence[str],
) -> list[tuple[str, bytes]]:
    """For each method a caption and a PNG: originals above their results, by leakage from the best to the worst.

    Leakage is the similarity to the own original, by the last recogniser that no method was trained against.
    """
    sheets = []
    for method, of_method in report.tasks.items():
        found = of_method.get(data, {}).get("identification")
        unseen = [name for name in found["recognizers"] if name not in trained_against] if found else []
        if not unseen:
            continue
        order = np.argsort(found["recognizers"][unseen[-1]]["self"])
        middle = max(0, len(order) // 2 - EACH // 2)
        chosen = np.concatenate([order[:EACH], order[middle : middle + EACH], order[-EACH:]])
        caption = f"{method} on {data}: originals above, results below; best, median and worst cases by {unseen[-1]}"
        sheets.append((caption, _sheet(spec(data, method), photos, chosen.tolist())))
    return sheets


def _sheet(spec: survey.Spec, photos: LabelledPhotos, positions: Sequence[int]) -> bytes:
    method, find = survey.method_of(spec.method, spec.weights, spec.seed, spec.gallery), survey.detector()
    columns = []
    for position in positions:
        blank = np.full((SIDE, SIDE, 3), 128, np.uint8)
        (image,), _ = survey.read(photos, range(position, position + 1))
        faces = [] if image is None else find(image)
        (made,), _ = survey.apply(method, [image], [faces], [photos.files[position]])
        face = None if image is None else central(faces, *image.shape[:2])
        shown = [
            blank if face is None or photo is None else aligned_crop(photo, face, SIDE)
            for photo in (image, made and made.image)
        ]
        columns.append(np.concatenate(shown))
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(columns, axis=1)).save(stream, "PNG")
    return stream.getvalue()
