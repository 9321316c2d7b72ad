"""dlib's HOG detector of frontal faces (Dalal and Triggs, CVPR 2005; King 2009): a second opinion on who is visible."""

import numpy as np

from a3gan_jax.faces.detector import Detection
from a3gan_jax.faces.tracking import overlap

#: left, top, width, height in pixels of the photo; score: the margin of its linear classifier, from 0 up.
COLUMNS = ("left", "top", "width", "height", "score")
#: Photos whose longer side is below it, in pixels, are enlarged once: the detector sees no face under 80 pixels.
SMALL = 640


class HogObserver:
    """The face that dlib finds where one is (the largest intersection over union with it), (5,); see ``COLUMNS``.

    nan where none overlaps: it sees upright frontal faces only, so that a miss says little of one photo.

    Raises:
        ModuleNotFoundError: dlib is not installed.
    """

    name = "hog"
    size = len(COLUMNS)

    def __init__(self):
        try:
            import dlib
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError('the detector hog needs dlib: pip install "a3gan-jax[eval]"') from error
        self._detector = dlib.get_frontal_face_detector()

    def __call__(self, image: np.ndarray, face: Detection) -> np.ndarray:
        enlarge = int(max(image.shape[:2]) < SMALL)
        rectangles, scores, _ = self._detector.run(np.ascontiguousarray(image), enlarge, 0.0)
        boxes = np.array([(r.left(), r.top(), r.width(), r.height()) for r in rectangles], np.float64).reshape(-1, 4)
        shared = overlap(boxes, np.asarray(face.box))
        if not (shared > 0).any():
            return np.full(self.size, np.nan, np.float32)
        best = shared.argmax()
        return np.array([*boxes[best], scores[best]], np.float32)
