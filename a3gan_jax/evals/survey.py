"""Photos under a method, looked at part by part: what several processes share out among them."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from a3gan_jax.anonymizer import AnonymizedPhoto
from a3gan_jax.evals.crops import gallery as aligned_gallery
from a3gan_jax.evals.data.open import DataSpec, open_photos
from a3gan_jax.evals.methods.load import load_method
from a3gan_jax.evals.methods.method import AttributeMethod, Method
from a3gan_jax.evals.observers import RecognizerObserver, load_comparer, load_observer, load_recognizers
from a3gan_jax.evals.photos import LabelledPhotos
from a3gan_jax.evals.sight_cache import SightCache
from a3gan_jax.evals.sights import Comparer, Observer, Sights, central, join, look
from a3gan_jax.faces.detector import Detection, YuNet

PART = 48  # photos that are looked at and kept together
SCORE = 0.6  # of the detector: the product's


@dataclasses.dataclass(frozen=True)
class Spec:
    """What is to be looked at, and by whom; plain values that another process can be given.

    method: None looks at the originals.
    gallery: where a method that mixes faces takes them from.
    cache: folder for what was seen.
    """

    data: DataSpec
    method: str | None
    weights: str | None
    seed: int
    recognizers: tuple[str, ...]
    observers: tuple[str, ...]
    comparers: tuple[str, ...]
    cache: str
    gallery: DataSpec | None = None


@dataclasses.dataclass(frozen=True)
class Part:
    """The photos ``start`` to ``stop`` (not included) of a ``Spec``."""

    spec: Spec
    start: int
    stop: int


def parts(spec: Spec, count: int) -> list[Part]:
    """All of ``count`` photos."""
    return [Part(spec, start, min(start + PART, count)) for start in range(0, count, PART)]


def survey(part: Part) -> tuple[Sights, list[tuple[int, str]]]:
    """What is seen in a part, and its failures: position in the data set, and what went wrong.

    Raises:
        ModuleNotFoundError, FileNotFoundError, ValueError: method, data or observer cannot be had.
    """
    spec = part.spec
    photos = photos_of(spec.data)
    originals, failures = read(photos, range(part.start, part.stop))
    method = None if spec.method is None else method_of(spec.method, spec.weights, spec.seed, spec.gallery)
    cache = SightCache(spec.cache)
    who = [*spec.recognizers, *spec.observers, *(spec.comparers if method else ())]
    who += [content for name in spec.recognizers if (content := folder_content(name))]
    key = cache.key(originals, ["originals" if method is None else f"{method.name}: {method.description}", *who])
    if (kept := cache.load(key)) is not None:
        return kept[0], [(part.start + position, what) for position, what in kept[1]]
    find = detector()
    faces = [[] if image is None else find(image) for image in originals]
    results = made = None
    if method is not None:
        files = photos.files[part.start : part.stop]
        made, more = apply(method, originals, faces, files)
        results = [photo and photo.image for photo in made]
        failures += more
    tools = tools_of(spec.recognizers, spec.observers, spec.comparers if method else ())
    sights = look(originals, results, find, *tools, faces)
    if made is not None:
        sights = dataclasses.replace(sights, asked=asked(originals, faces, made))
    cache.save(key, sights, failures)
    return sights, [(part.start + position, what) for position, what in failures]


def apply(
    method: Method,
    originals: Sequence[np.ndarray | None],
    faces: Sequence[Sequence[Detection]],
    files: Sequence[str],
) -> tuple[list[AnonymizedPhoto | None], list[tuple[int, str]]]:
    """The method's photos, None where it fails, and the failures by position; a photo that is None stays so.

    What became of the faces is told by an ``AttributeMethod`` only.
    """

    def edit(positions: Sequence[int]) -> list[AnonymizedPhoto]:
        given = [[sequence[i] for i in positions] for sequence in (originals, faces, files)]
        if isinstance(method, AttributeMethod):
            return method.edit(*given)
        return [AnonymizedPhoto(image, ()) for image in method(*given)]

    results: list[AnonymizedPhoto | None] = [None] * len(originals)
    there = [position for position, image in enumerate(originals) if image is not None]
    try:
        for position, photo in zip(there, edit(there), strict=True):
            results[position] = photo
        return results, []
    except ValueError:  # one of them fails: which?
        failures = []
        for position in there:
            try:
                (results[position],) = edit([position])
            except ValueError as error:
                failures.append((position, str(error)))
        return results, failures


def asked(
    originals: Sequence[np.ndarray | None],
    faces: Sequence[Sequence[Detection]],
    made: Sequence[AnonymizedPhoto | None],
) -> dict[str, np.ndarray]:
    """What the method was to show on the face that matters in each photo: see ``Sights.asked``."""
    rows: list[Mapping[str, int]] = []
    for original, found, photo in zip(originals, faces, made, strict=True):
        face = None if original is None else central(found, *original.shape[:2])
        outcomes = zip(found, photo.faces, strict=True) if photo is not None and photo.faces else ()
        rows.append(next((told.after for one, told in outcomes if one is face and told.after is not None), {}))
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


@functools.cache
def folder_content(name: str) -> str | None:
    """The sha256 of what lies in a recogniser's folder; None for one that comes with a package."""
    if not (folder := Path(name)).is_dir():
        return None
    content = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return content.hexdigest()


def read(photos: LabelledPhotos, positions: range) -> tuple[list[np.ndarray | None], list[tuple[int, str]]]:
    """The photos, None for one that cannot be read, and the failures by place in ``positions``."""
    images: list[np.ndarray | None] = []
    failures = []
    for place, position in enumerate(positions):
        try:
            images.append(photos.load(position))
        except (ValueError, OSError) as error:
            images.append(None)
            failures.append((place, f"cannot be read: {error}"))
    return images, failures


def joined(seen: Sequence[tuple[Sights, list[tuple[int, str]]]]) -> tuple[Sights, list[tuple[int, str]]]:
    """The parts of a spec, in their order, as one."""
    return join([sights for sights, _ in seen]), [failure for _, failures in seen for failure in failures]


# Made once a process: models take seconds to load.
photos_of = functools.lru_cache(open_photos)


@functools.cache
def detector() -> YuNet:
    """What finds the faces."""
    return YuNet(score=SCORE)


@functools.lru_cache(maxsize=1)
def method_of(name: str, weights: str | None, seed: int, gallery: DataSpec | None) -> Method:
    """See ``load_method``; ``gallery``: where ``ksame`` takes its faces from."""
    others = None
    if gallery is not None and name.startswith("ksame"):
        photos = photos_of(gallery)
        others = aligned_gallery(map(photos.load, range(len(photos))), detector())
    return load_method(name, weights=weights, seed=seed, gallery=others)


@functools.lru_cache
def tools_of(
    recognizers: tuple[str, ...], observers: tuple[str, ...], comparers: tuple[str, ...]
) -> tuple[list[Observer], list[Comparer]]:
    """All observers, recognisers first, and the comparers."""
    attackers = [RecognizerObserver(attacker) for attacker in load_recognizers(recognizers)]
    return [*attackers, *map(load_observer, observers)], [load_comparer(name) for name in comparers]
