"""Where the parts of a drawn face lie, in space and in the picture.

Head coordinates: the origin between the eyes, x to the right of the image, y down, z towards the camera, lengths in
sides of the crop. The canonical proportions are CelebA's medians (:mod:`a3gan_jax.geometry`) and, where these say
nothing, those of an average adult; how far people differ from them is our own choice.
"""

import numpy as np

from a3gan_jax.data.drawing.canvas import mirror, smooth
from a3gan_jax.data.drawing.face import Face
from a3gan_jax.geometry import crop_landmarks

# The ellipsoid on which the features lie: half axes, and the height of its middle.
_WIDTH, _HEIGHT, _DEPTH, _MIDDLE = 0.255, 0.44, 0.21, 0.03


class Head:
    """The geometry of a face on a canvas of ``size`` pixels: places in head coordinates, and their projection.

    The five landmarks, as the turned head shows them, are fitted to :func:`a3gan_jax.geometry.crop_landmarks` by a
    similarity, as a face aligner would; the photo's ``roll``, ``zoom`` and ``shift`` then move the face off that place.
    """

    def __init__(self, face: Face, size: int):
        self.face, self.size = face, size
        person, has = face.person, face.drawn.__contains__
        smile, gape = face.smile, face.mouth_open
        self.eye_x = 0.1293 * (1 + 0.07 * person.eye_distance)
        self.nose_y = 0.150 * (1 + 0.09 * person.nose_length)
        self.nose_width = 0.056 * (1 + 0.14 * person.nose_width) * (1.35 if has("Big_Nose") else 1.0)
        self.nose_lift = 0.065 + 0.015 * has("Big_Nose") + 0.02 * has("Pointy_Nose")
        self.mouth_y = 0.259 * (1 + 0.05 * person.mouth_height + 0.03 * person.face_length)
        self.mouth_x = 0.101 * (1 + 0.10 * person.mouth_width) + 0.020 * smile - 0.022 * gape * (1 - max(smile, 0))
        self.corner_y = self.mouth_y - 0.020 * smile + 0.015 * gape
        self.gap = 0.11 * gape * (1 - 0.25 * max(smile, 0))  # the height of the open mouth
        self.chin_y = 0.412 * (1 + 0.045 * person.face_length) + 0.055 * gape
        self.hairline_y = -0.255 - 0.015 * person.face_length - 0.045 * has("Receding_Hairline")

        cy, sy, cp, sp = np.cos(face.yaw), np.sin(face.yaw), np.cos(face.pitch), np.sin(face.pitch)
        self._turn = np.array([[cy, 0, sy], [sp * sy, cp, -sp * cy]])  # (x, y, z) -> (right, down)
        landmarks = self.surface(
            [
                [-self.eye_x, 0],
                [self.eye_x, 0],
                [0, self.nose_y],
                [-self.mouth_x, self.corner_y],
                [self.mouth_x, self.corner_y],
            ]
        )
        landmarks[2, 2] += self.nose_lift
        self._fit(landmarks @ self._turn.T)
        self.landmarks = self.place(landmarks)

    def _fit(self, landmarks: np.ndarray) -> None:
        """The similarity p -> scale * p + offset, in complex numbers."""
        here, there = landmarks @ (1, 1j), crop_landmarks(self.size) @ (1, 1j)
        centre, target = here.mean(), there.mean()
        self._scale = np.vdot(here - centre, there - target) / np.vdot(here - centre, here - centre)
        self._scale *= self.face.zoom * np.exp(1j * self.face.roll)
        self._offset = target - self._scale * centre + self.size * complex(*self.face.shift)
        real, imaginary = self._scale.real, self._scale.imag
        self._to_pixels = np.array([[real, -imaginary], [imaginary, real]]) @ self._turn

    def surface(self, points, lift: float = 0.0) -> np.ndarray:
        """Points (n, 2) of the face in space, (n, 3), ``lift`` before its ellipsoid."""
        points = np.asarray(points, float)
        x, y = points.T
        inside = 1 - (x / _WIDTH) ** 2 - ((y - _MIDDLE) / _HEIGHT) ** 2
        lifted = np.empty((len(points), 3))
        lifted[:, :2], lifted[:, 2] = points, _DEPTH * np.sqrt(np.maximum(inside, 0)) + lift
        return lifted

    def place(self, points, depth: float | None = None, lift: float = 0.0) -> np.ndarray:
        """Pixels (n, 2) of points (n, 3), or of points (n, 2): ``lift`` before the face or, if given, at one depth."""
        points = np.asarray(points, float)
        if points.shape[1] == 2:
            if depth is None:
                points = self.surface(points, lift)
            else:
                points = np.concatenate([points, np.full((len(points), 1), depth)], axis=1)
        return points @ self._to_pixels.T + (self._offset.real, self._offset.imag)

    def both(self, points, depth: float | None = None, lift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`place`, for points (n, 2) on the right of the face and for their mirror image on its left."""
        points = np.asarray(points, float)
        placed = self.place(np.concatenate([points, points * (-1, 1)]), depth, lift)
        return placed[: len(points)], placed[len(points) :]

    def length(self, value: float) -> float:
        """A length in head coordinates, in pixels."""
        return value * abs(self._scale)

    def grid(self, depth: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Head coordinates x and y, (S, S) each, of every pixel, as if all lay at one depth."""
        axis = np.arange(self.size)
        seen = (axis[None, :] + 1j * axis[:, None] - self._offset) / self._scale
        right, down = seen.real - depth * self._turn[0, 2], seen.imag - depth * self._turn[1, 2]
        x = right / self._turn[0, 0]
        return x.astype(np.float32), ((down - x * self._turn[1, 0]) / self._turn[1, 1]).astype(np.float32)

    def contour(self) -> np.ndarray:
        """The outline of skull and jaw, (n, 3) in head coordinates, closed; the chin lies before the ears."""
        person, has = self.face.person, self.face.drawn.__contains__
        wide = 0.013 * person.face_width + 0.006 * has("Male") + 0.020 * has("Chubby")
        jaw = 0.012 * person.jaw + 0.012 * has("Male") + 0.034 * has("Chubby") - 0.020 * has("Oval_Face")
        chin = 0.012 * person.chin + 0.012 * has("Male") + 0.016 * has("Chubby") - 0.012 * has("Oval_Face")
        bone = 0.010 * has("High_Cheekbones")
        drop = self.chin_y - 0.412
        right = [
            (0.095, -0.385),
            (0.185 + wide, -0.315),
            (0.236 + wide, -0.19),
            (0.243 + wide, -0.04),
            (0.240 + wide + bone, 0.07),
            (0.222 + (wide + jaw) / 2, 0.18 + 0.3 * drop),
            (0.184 + jaw, 0.28 + 0.6 * drop),
            (0.118 + 0.5 * jaw + 0.6 * chin, 0.365 + drop),
            (0.050 + chin, 0.407 + drop),
        ]
        outline = smooth(mirror(right), closed=True)
        return np.concatenate([outline, 0.09 * np.clip(outline[:, 1:] / 0.41, 0, 1) ** 2], axis=1)

    def box(self) -> np.ndarray:
        """(left, top, right, bottom) in pixels, around the face from the hairline to the chin."""
        contour = self.contour()
        contour[:, 1] = np.maximum(contour[:, 1], -0.27)
        outline = self.place(contour)
        points = np.concatenate([outline, self.landmarks])
        return np.concatenate([points.min(0), points.max(0)])
