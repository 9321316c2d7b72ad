"""The way of the faces in photos: placed, cut out, replaced, put back, checked; what fails is covered."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import numpy as np

from a3gan_jax.faces import blending
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.contour import outlines
from a3gan_jax.faces.covering import cover
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.identity import CERTAIN, DIFFERENT, STRANGER, Embed, on_template
from a3gan_jax.faces.placement import Placement, place
from a3gan_jax.faces.tracking import overlap

MIN_FACE = 16  # pixels; the shorter side of a smaller box is too short for a new face
CLEAR_FACE = 40  # pixels; a smaller box is too small to tell who it is
FOUND_AGAIN = 0.3  # intersection over union from which on a face in the result is one that was replaced
CANDIDATES = 8  # seeds that a face may take before it is covered
NEXT_SEED = 0x9E3779B9  # from one candidate to the next, modulo 2**32: far from the seeds 1, 2, 3 ... that people take

THREADS = min(4, os.cpu_count() or 1)  # that cut faces out of photos, and put them back

T, R = TypeVar("T"), TypeVar("R")
Outcome = Literal["anonymised", "covered", "spared"]


@dataclasses.dataclass(eq=False)
class Face:
    """A face on its way.

    Attributes:
        photo: index of its photo.
        detection: as found.
        seed: of its pseudonym, 0 <= seed < 2**32.
        person: 0 <= person < 2**32; faces of one person share a seed. None: a person of its own.
        placement: None where it is not known.
        outcome: what becomes of it; "anonymised" until something fails.
        reason: why it is covered or spared.
        crop: (S, S, 3) uint8, its original at the model's size, where it is to be replaced.
        new: (S, S, 3) uint8, what takes its place.
        before, after: (K,) uint8 in {0, 1}, attributes that it shows and that its pseudonym shall show.
        embedding: (D,) of the original, where a recogniser was asked.
        cosine: between the original and what the result shows.
        candidates: the seeds that it may take, in the order in which they are tried.
    """

    photo: int
    detection: Detection
    seed: int
    person: int | None = None
    placement: Placement | None = None
    outcome: Outcome = "anonymised"
    reason: str = ""
    crop: np.ndarray | None = None
    new: np.ndarray | None = None
    before: np.ndarray | None = None
    after: np.ndarray | None = None
    embedding: np.ndarray | None = None
    cosine: float | None = None
    candidates: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.candidates = tuple((self.seed + i * NEXT_SEED) % 2**32 for i in range(CANDIDATES))


#: Crops (N, S, S, 3) uint8 of faces (N,) -> for each crop the new one, attributes before and after, and whether the
#: network's output was finite.
Generate = Callable[[np.ndarray, Sequence[Face]], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def restrict(faces: Sequence[Face], region: tuple[float, float, float, float]) -> None:
    """Spares the faces whose centre lies outside a region (x, y, width, height) of their photo.

    Raises:
        ValueError: the region is none.
    """
    start, size = np.array(region[:2], np.float64), np.array(region[2:], np.float64)
    if size.shape != (2,) or not np.isfinite([start, size]).all() or (size <= 0).any():
        raise ValueError(f"a region is x, y, width > 0, height > 0, not {region}")
    for face in faces:
        beyond = face.detection.box[:2] + face.detection.box[2:] / 2 - start
        if ((beyond < 0) | (beyond >= size)).any():
            face.outcome, face.reason = "spared", "outside the region"


def locate(
    faces: Sequence[Face],
    images: Sequence[np.ndarray],
    size: int,
    min_face: float,
    contours: Sequence[np.ndarray | None] | None = None,
) -> None:
    """Places the faces that are to be anonymised and cuts their crops (size, size, 3); covers those it cannot use.

    ``contours``: of all faces, as ``Placement.contour`` has them; None: as the mesh sees them.

    Raises:
        ValueError: a detection's box is not finite, or has no area: nobody can tell what to cover.
    """
    for face in faces:
        box = np.asarray(face.detection.box, np.float64)
        if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= 0).any():
            raise ValueError(f"a detection's box must be left, top, width > 0, height > 0, all finite, not {box}")
        if face.outcome != "anonymised":
            continue
        extent = np.array(images[face.photo].shape[1::-1])
        if (box[:2] >= extent).any() or (box[:2] + box[2:] <= 0).any():
            _cover(face, "outside the photo")
        elif box[2:].min() < min_face:
            _cover(face, f"smaller than {min_face:g} pixels")
        elif box[2:].prod() > extent.max() ** 2:
            _cover(face, "larger than the photo")
        elif isinstance(placed := place(face.detection), str):
            _cover(face, placed)
        else:
            face.placement = placed
    located = [face for face in faces if face.placement is not None]
    if contours is None:
        known = outlines([images[face.photo] for face in located], [face.placement for face in located])
    else:
        known = [contour for face, contour in zip(faces, contours, strict=True) if face.placement is not None]
    for face, contour in zip(located, known, strict=True):
        face.placement = dataclasses.replace(face.placement, contour=contour)

    def cut_out(face: Face) -> np.ndarray:
        return resample(images[face.photo], face.placement.to_crop(size), size, size)

    for face, crop in zip(located, _together(cut_out, located), strict=True):
        face.crop = crop


def wear(faces: Sequence[Face], eyeglasses: Iterable[bool]) -> None:
    """Notes which faces that have a placement wear eyeglasses."""
    for face, worn in zip(faces, eyeglasses, strict=True):
        face.placement = dataclasses.replace(face.placement, eyeglasses=bool(worn))


def look(faces: Sequence[Face], images: Sequence[np.ndarray], embed: Embed) -> None:
    """Notes the embedding of every face that has a placement."""
    placed = [face for face in faces if face.placement is not None]
    if placed:
        templates = np.stack([on_template(images[face.photo], face.placement.landmarks) for face in placed])
        for face, embedding in zip(placed, embed(templates), strict=True):
            face.embedding = embedding


def select(faces: Sequence[Face], spare: np.ndarray | None, only: np.ndarray | None) -> None:
    """Spares faces by who they are; ``spare`` and ``only`` are unit embeddings (M, D) of people.

    Whoever is not surely one of ``spare``, and not surely somebody else than ``only``, is anonymised; so is whoever is
    too small to tell.
    """
    for face in faces:
        if face.embedding is None or min(face.detection.box[2:]) < CLEAR_FACE:
            continue
        if spare is not None and (spare @ face.embedding).max() >= CERTAIN:
            face.outcome, face.reason = "spared", "one of the people to spare"
        elif only is not None and (only @ face.embedding).max() < STRANGER:
            face.outcome, face.reason = "spared", "none of the people to anonymise"


def replace(
    images: Sequence[np.ndarray],
    faces: Sequence[Face],
    generate: Generate,
    embed: Embed | None,
    detect: Callable[[np.ndarray], list[Detection]] | None = None,
) -> list[np.ndarray]:
    """The photos with all faces anonymised, covered or spared.

    A person whose faces do not all pass the check takes the next of the candidates; in the end the one with the fewest
    failures, and the faces that fail with it are covered.

    Args:
        images: (H, W, 3) uint8.
        faces: of all photos; what becomes of them is written into them. They have embeddings if ``embed`` is given.
        generate: the model.
        embed: the recogniser that checks the results; None: no check.
        detect: a photo -> its faces; results are checked by the points of faces found anew as well, as an attacker
            would look at them. None: by the originals' points alone.

    Returns:
        New arrays; of a photo without a face to replace or cover, a copy.
    """
    people = by_person(faces)
    best: dict[int, tuple[int, list[Face]]] = {}  # person -> failures, the faces as they then were
    checked: dict[int, np.ndarray] = {}  # photo -> as it was checked last
    waiting = list(people)
    for attempt in range(CANDIDATES):
        tried = [face for person in waiting for face in people[person]]
        if not tried:
            break
        for face in tried:
            face.seed, face.outcome, face.reason = face.candidates[attempt], "anonymised", ""
        _generate(tried, generate)
        if embed is not None:
            checked |= _check(images, faces, tried, embed, detect)
        for person in waiting:
            failures = sum(face.outcome == "covered" for face in people[person])
            if person not in best or failures < best[person][0]:
                best[person] = failures, [dataclasses.replace(face) for face in people[person]]
        waiting = [person for person in waiting if best[person][0]]
    for person in waiting:
        for face, choice in zip(people[person], best[person][1], strict=True):
            vars(face).update(vars(choice))
            checked.pop(face.photo, None)

    def finished(i: int) -> np.ndarray:
        return checked[i] if i in checked else compose(images[i], [face for face in faces if face.photo == i])

    return _together(finished, range(len(images)))


def compose(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """A photo (H, W, 3) uint8 with its faces as they stand: replaced, covered or left."""
    replaced = [(face.placement, face.new) for face in faces if face.outcome == "anonymised"]
    spared = [np.asarray(face.detection.box, np.float64) for face in faces if face.outcome == "spared"]
    covered = [np.asarray(face.detection.box, np.float64) for face in faces if face.outcome == "covered"]
    result = blending.blend(image, replaced, spared)
    keep = blending.kept(image.shape, spared, covered) if spared and covered else None
    for box in sorted(covered, key=lambda box: -box[2:].prod()):
        cover(result, box, keep)
    return result


def _together(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What a function of arrays makes of items, in their order; several at once, for numpy and Pillow let them."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, items))


def by_person(faces: Sequence[Face]) -> dict[int, list[Face]]:
    """The faces that are to be anonymised, by who they are."""
    people: dict[int, list[Face]] = {}
    for number, face in enumerate(faces):
        if face.outcome == "anonymised":
            people.setdefault(-1 - number if face.person is None else face.person, []).append(face)
    return people


def _generate(faces: Sequence[Face], generate: Generate) -> None:
    crops = np.stack([face.crop for face in faces])
    images, before, after, finite = generate(crops, faces)
    new = blending.match_colors(images, crops)
    for face, *parts in zip(faces, new, before, after, finite, strict=True):
        face.new, face.before, face.after, whole = parts
        face.cosine = None
        if not whole:
            face.new = face.after = None
            _cover(face, "the model's output is not finite")


def _check(
    images: Sequence[np.ndarray],
    faces: Sequence[Face],
    tried: Sequence[Face],
    embed: Embed,
    detect: Callable[[np.ndarray], list[Detection]] | None,
) -> dict[int, np.ndarray]:
    """Covers those of the faces ``tried`` that the recogniser still finds in the photos as they would come out.

    Returns these photos by their index, as they were before anything was covered.
    """
    generated = [face for face in tried if face.outcome == "anonymised"]
    results = {i: compose(images[i], [face for face in faces if face.photo == i]) for i in {f.photo for f in generated}}
    if generated:
        again = {i: detect(result) if detect else [] for i, result in results.items()}
        looks = [(face, face.placement.landmarks) for face in generated]
        for face in generated:
            near = [found for found in again[face.photo] if overlap(found.box, face.detection.box) > FOUND_AGAIN]
            looks += [(face, placed.landmarks) for placed in map(place, near) if not isinstance(placed, str)]
        embeddings = embed(np.stack([on_template(results[face.photo], points) for face, points in looks]))
        cosines: dict[int, list[float]] = {}
        for (face, _), embedding in zip(looks, embeddings, strict=True):
            cosines.setdefault(id(face), []).append(float(face.embedding @ embedding))
        for face in generated:
            face.cosine = float(np.max(cosines[id(face)]))  # no number if one of them is none
            if not face.cosine < DIFFERENT:
                _cover(face, f"the recogniser still finds the original (cosine {face.cosine:.2f})")
    return results


def _cover(face: Face, reason: str) -> None:
    face.outcome, face.reason = "covered", reason
