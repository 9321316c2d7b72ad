"""``Anonymizer``: a trained model, ready for use on photos as numpy arrays."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from a3gan_jax import attributes as attribute_words
from a3gan_jax.attributes import EYEGLASSES, Control
from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.face_model import FaceModel, fingerprint, unsigned
from a3gan_jax.faces import choice, replacement
from a3gan_jax.faces.detector import Detection, YuNet
from a3gan_jax.faces.identity import Embed, TemplateEmbedder, references
from a3gan_jax.faces.replacement import MIN_FACE, Face, Outcome
from a3gan_jax.weights import read_model

Detector = Callable[[np.ndarray], list[Detection]]
DETECTOR_SCORE = 0.6  # of the detector that is used by default: what it finds below is seldom a face


@dataclasses.dataclass(frozen=True, eq=False)
class FaceOutcome:
    """What became of a face.

    box, landmarks, score: as detected (``faces.detector.Detection``).
    outcome: "anonymised", "covered" (pixelated beyond recognition) or "spared" (left as it was).
    reason: why it was covered or spared; empty otherwise.
    seed: of its pseudonym; None where it has none.
    before, after: attributes (name -> 0 or 1) it was taken to show and its pseudonym shall show; likewise.
    cosine: of the recogniser between the original and the pseudonym; None where it was not asked.
    """

    box: np.ndarray
    landmarks: np.ndarray | None
    score: float
    outcome: Outcome
    reason: str
    seed: int | None
    before: dict[str, int] | None
    after: dict[str, int] | None
    cosine: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class AnonymizedPhoto:
    """A photo (H, W, 3) uint8 as it may be shown, and what became of its faces, in the order of their detections."""

    image: np.ndarray
    faces: tuple[FaceOutcome, ...]


class Anonymizer:
    """Turns faces into faces of people who do not exist.

    The same face, control, strength and seed give the same bytes on the same machine, whatever else is in the call.
    """

    def __init__(self, model: SavedModel, *, detector: Detector | None = None, recognizer: Embed | None = None):
        """
        Args:
            model: what ``checkpoint.load_model`` returns.
            detector: a photo (H, W, 3) uint8 -> its faces; None: YuNet, when it is first needed.
            recognizer: faces on the ArcFace template (N, 112, 112, 3) uint8 -> unit embeddings (N, D), whose cosines
                are to be read as ``faces.identity`` says; None: SFace, when it is first needed.
        """
        self.model = FaceModel(model)
        if detector is not None:
            self.detector = detector
        if recognizer is not None:
            self.recognizer = recognizer

    @classmethod
    def load(
        cls, weights: str | Path | None = None, *, detector: Detector | None = None, recognizer: Embed | None = None
    ) -> Self:
        """Reads an exported model's folder, or the newest checkpoint of a training's workdir, or the package's weights.

        Args:
            weights: the folder, or a name of weights that come with the package; None: the best of these.
            detector, recognizer: as for ``Anonymizer``.

        Raises:
            FileNotFoundError: the folder is neither, or has no checkpoint yet; the package has no weights.
            ValueError: the model was written in a newer format.
        """
        return cls(read_model(weights), detector=detector, recognizer=recognizer)

    @functools.cached_property
    def detector(self) -> Detector:
        """Finds the faces of a photo (H, W, 3) uint8."""
        return YuNet(score=DETECTOR_SCORE)

    @functools.cached_property
    def recognizer(self) -> Embed:
        """Says who is on faces that are aligned to the ArcFace template."""
        return TemplateEmbedder()

    def __call__(self, image: np.ndarray, **options: Any) -> np.ndarray:
        """A photo (H, W, 3) uint8 without its people, likewise; options as for ``anonymize_photos``."""
        return self.anonymize_photos([image], **options)[0].image

    def anonymize_photos(
        self,
        images: Sequence[np.ndarray],
        *,
        detections: Sequence[Sequence[Detection]] | None = None,
        people: Sequence[Sequence[int]] | None = None,
        attributes: Sequence[np.ndarray] | None = None,
        contours: Sequence[Sequence[np.ndarray | None]] | None = None,
        control: Control | None = None,
        strength: float = 1.0,
        seed: int | Sequence[Sequence[int]] = 0,
        choose: bool | None = None,
        check: bool = True,
        spare: Sequence[np.ndarray] | None = None,
        only: Sequence[np.ndarray] | None = None,
        region: tuple[float, float, float, float] | None = None,
        min_face: float = MIN_FACE,
    ) -> list[AnonymizedPhoto]:
        """Anonymises every face of whole photos; a face with which anything goes wrong is covered.

        Args:
            images: each (H, W, 3) uint8, RGB, upright.
            detections: their faces; None: those that ``detector`` finds.
            people: for each photo one integer a face, 0 <= p < 2**32, who is who: one person has one pseudonym. None:
                every face is a person of its own.
            attributes: for each photo (faces, K) in {0, 1}; None: as the model sees them.
            contours: for each photo one outline a face, as ``faces.placement.Placement`` has it, or None where it is
                not known; None: as the face mesh sees them.
            control: as for ``FaceModel.anonymize``; None: ``attributes.control(..., in_photo=True)``.
            strength: as for ``FaceModel.anonymize``. Below 1 the original shows through, and there is no check.
            seed: of all pseudonyms, 0 <= seed < 2**32; or for each photo one a face.
            choose: each person takes the one of ``replacement.CANDIDATES`` seeds, ``seed`` and others that follow from
                it, that looks natural to the model's discriminator and unlike the original to the recogniser. None:
                where ``people`` is None; people who are known keep the pseudonym of their seed, whatever else they are
                shown in.
            check: a recogniser compares each face of the result with its original, by the original's points and by
                those of faces that ``detector`` finds anew. If it finds the same person, other seeds are tried, then
                the face is covered.
            spare: people who stay as they are, by photos (H, W, 3) uint8 or embeddings (D,); only where the recogniser
                is certain.
            only: the only people to anonymise, likewise; whoever might be one of them is anonymised.
            region: (x, y, width, height) in pixels; only faces whose centre lies inside are touched.
            min_face: faces whose box is narrower, in pixels, are covered.

        Returns:
            The photos in their order. All pixels away from faces are bit-identical, as are faces that are spared.

        Raises:
            ValueError: an argument of another shape, type or range; a box that is not finite; no face in a reference.
        """
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength {strength} is not in [0, 1]")
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise ValueError(f"a photo must be uint8 (H, W, 3) and not empty, not {image.dtype} {image.shape}")
        if detections is None:
            detections = [self.detector(image) for image in images]
        faces = _faces(len(images), detections, people, seed)
        if attributes is not None:
            labels = [row for rows in attributes for row in rows]
            if len(labels) != len(faces):
                raise ValueError(f"attributes are given for {len(labels)} faces, there are {len(faces)}")
            for face, shown in zip(faces, labels, strict=True):
                face.before = shown
        if region is not None:
            replacement.restrict(faces, region)
        if control is None:
            control = attribute_words.control(self.model.attribute_names, in_photo=True)
        check = check and strength == 1.0
        outlines = None if contours is None else [contour for part in contours for contour in part]
        if outlines is not None and len(outlines) != len(faces):
            raise ValueError(f"contours are given for {len(outlines)} faces, there are {len(faces)}")
        replacement.locate(faces, images, self.model.image_size, min_face, outlines)
        choose = (people is None if choose is None else choose) and strength > 0
        if check or choose or spare is not None or only is not None:
            replacement.look(faces, images, self.recognizer)
        known = [references(who, self.detector, self.recognizer) if who is not None else None for who in (spare, only)]
        replacement.select(faces, *known)
        placed = [face for face in faces if face.crop is not None]
        if attributes is None and placed:
            labels = self.model.predict_attributes(np.stack([face.crop for face in placed]))
            for face, shown in zip(placed, labels, strict=True):
                face.before = shown
        if EYEGLASSES in self.model.attribute_names:
            number = self.model.attribute_names.index(EYEGLASSES)
            replacement.wear(placed, [face.before[number] for face in placed])

        def generate(
            crops: np.ndarray, tried: Sequence[Face], strength: float = strength
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            return self.model.generate(
                crops,
                np.stack([face.before for face in tried]),
                control,
                strength,
                np.array([face.seed for face in tried]),
                np.array([fingerprint(face.crop) if face.person is None else face.person for face in tried]),
            )

        if choose:
            # at full strength, so that the dial turns towards the same face wherever it stands
            whole = functools.partial(generate, strength=1.0)
            choice.choose(faces, whole, self.model.naturalness, self.recognizer)
        judges = (self.recognizer, self.detector) if check else (None, None)
        results = replacement.replace(images, faces, generate, *judges)
        outcomes = [(face.photo, self._outcome(face)) for face in faces]
        return [
            AnonymizedPhoto(image, tuple(outcome for photo, outcome in outcomes if photo == i))
            for i, image in enumerate(results)
        ]

    def _outcome(self, face: Face) -> FaceOutcome:
        pseudonym = None, None, None
        if face.outcome == "anonymised":
            names = self.model.attribute_names
            before, after = (dict(zip(names, values.tolist(), strict=True)) for values in (face.before, face.after))
            pseudonym = face.seed, before, after
        found = face.detection
        return FaceOutcome(found.box, found.landmarks, found.score, face.outcome, face.reason, *pseudonym, face.cosine)


def _faces(
    count: int,
    detections: Sequence[Sequence[Detection]],
    people: Sequence[Sequence[int]] | None,
    seed: int | Sequence[Sequence[int]],
) -> list[Face]:
    """The faces of ``count`` photos, photo by photo."""

    def each(name: str, values: Sequence[Sequence[int]]) -> list[int]:
        if [len(part) for part in values] != [len(part) for part in detections]:
            raise ValueError(f"{name} must hold one integer for each face of each photo")
        return [int(value) for part in values for value in unsigned(name, part)]

    if len(detections) != count:
        raise ValueError(f"detections are given for {len(detections)} photos, there are {count}")
    found = [(photo, face) for photo, part in enumerate(detections) for face in part]
    persons = [None] * len(found) if people is None else each("people", people)
    seeds = each("seed", seed) if isinstance(seed, Sequence) else [int(unsigned("seed", seed))] * len(found)
    return [Face(*face, seed, who) for face, seed, who in zip(found, seeds, persons, strict=True)]
