"""The inversion attack on a method: trained on other people's photos, its restored faces looked at by recognisers."""

import dataclasses

import jax
import numpy as np
from PIL import Image

from a3gan_jax.evals import survey
from a3gan_jax.evals.attacks.inversion import Inversion
from a3gan_jax.evals.crops import aligned_crop
from a3gan_jax.evals.data.open import DataSpec
from a3gan_jax.evals.sight_cache import SightCache
from a3gan_jax.evals.sights import Sights, again, central, look
from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.placement import BOX_CENTRE, BOX_SIZE
from a3gan_jax.geometry import crop_landmarks

SIZE = 64  # of the crops that the attack restores, in pixels
VIEW = 192  # of what the recognisers are shown
STEPS = 600  # no weaker than 1,500 on pixelated faces (our own measurement)


@dataclasses.dataclass(frozen=True)
class Restoration:
    """The attack on ``spec``'s method and photos; ``train``: photos of other people that the attacker has."""

    spec: survey.Spec
    train: DataSpec
    steps: int = STEPS


def restore(attack: Restoration) -> Sights:
    """What the recognisers see in the restored faces of all photos; nan where there is no face to restore.

    Raises:
        ValueError: the attacker finds no face to train on; or as ``survey.survey``.
    """
    spec = attack.spec
    photos, others = survey.photos_of(spec.data), survey.photos_of(attack.train)
    method = survey.method_of(spec.method, spec.weights, spec.seed, spec.gallery)
    originals, _ = survey.read(photos, range(len(photos)))
    learned, _ = survey.read(others, range(len(others)))
    cache = SightCache(spec.cache)
    about = [f"inversion of {method.name}: {method.description}", str(attack.steps), *spec.recognizers]
    key = cache.key([*originals, *learned], about)
    if (kept := cache.load(key)) is not None:
        return kept[0]

    pairs = [pair for pair in _crops(method, learned, others.files) if pair is not None]
    if not pairs:
        raise ValueError(f"an inversion attack needs photos with faces to train on, {others.name} shows none")
    inversion = Inversion(conv="matmul" if jax.default_backend() == "cpu" else "lax", seed=spec.seed)
    inversion.train(*(np.stack(side) for side in zip(*pairs, strict=True)), attack.steps)

    tested = _crops(method, originals, photos.files)
    restored = iter(inversion(np.stack([pair[0] for pair in tested if pair is not None])))
    images = [None if pair is None else _enlarged(next(restored)) for pair in tested]
    observers, _ = survey.tools_of(spec.recognizers, (), ())
    face = Detection(np.concatenate([BOX_CENTRE - BOX_SIZE / 2, BOX_SIZE]) * VIEW, crop_landmarks(VIEW), 1.0)
    sights = look(images, None, lambda image: [face], observers)
    cache.save(key, sights, [])
    return sights


def _crops(method, images: list, files) -> list[tuple[np.ndarray, np.ndarray] | None]:
    """(anonymised, original) crops, both cut by the face that is found in the result, else by the original's; None
    where there is no photo, no face or no result."""
    find, pairs = survey.detector(), []
    for start in range(0, len(images), survey.PART):
        part = slice(start, start + survey.PART)
        faces = [[] if image is None else find(image) for image in images[part]]
        photos, _ = survey.apply(method, images[part], faces, files[part])
        for image, found, made in zip(images[part], faces, photos, strict=True):
            face = None if image is None else central(found, *image.shape[:2])
            if face is None or made is None:
                pairs.append(None)
                continue
            place = again(find(made.image), face) or face
            pairs.append((aligned_crop(made.image, place, SIZE), aligned_crop(image, place, SIZE)))
    return pairs


def _enlarged(crop: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(crop).resize((VIEW, VIEW), Image.Resampling.BICUBIC))
