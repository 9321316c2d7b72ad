"""The outlines of faces, by points of MediaPipe's face mesh that come with the package."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from a3gan_jax.compilation import network_jit
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.batching import batches
from a3gan_jax.faces.placement import Placement
from a3gan_jax.models.face_mesh import CONTOUR, SIZE, FaceMesh
from a3gan_jax.models.layers import resolve_conv_form
from a3gan_jax.weights import FOLDER, read_variables

WEIGHTS = FOLDER / "face_contour.npz"  # as ``tools/pack_contour.py`` writes it
SHA256 = "654de3b227b09135107b3cdf0f5dbb0ccc3f3a387f231c45ae379ce2f9b2b999"
BATCH = 4  # faces in a batch of the mesh's: often there are few
FACE_LOGIT = 0.0  # from which on the mesh sees a face: a probability of 0.5, the models' own threshold
# Side of what the mesh sees over the longer side of the face's box: by its authors' 1.5 outlines of yawns lie too
# far out, by 1.3 cheeks of turned heads are cut (by eye, in 200 faces).
MARGIN = 1.4


def outlines(images: Sequence[np.ndarray], placements: Sequence[Placement]) -> list[np.ndarray | None]:
    """The outline of each face, as ``Placement.contour`` has it; None where the mesh sees no face.

    Args:
        images: (H, W, 3) uint8, the photo of each face.
        placements: their faces.
    """
    if not placements:
        return []
    views, found = [mesh_view(placement, MARGIN) for placement in placements], []
    faces = np.stack([resample(image, view, SIZE, SIZE, quick=True) for image, view in zip(images, views, strict=True)])
    for part, rows in batches(len(faces), BATCH):
        points, logits = jax.device_get(_contour(_network(), _variables(), faces[rows]))
        for placement, view, outline, logit in zip(placements[part], views[part], points, logits, strict=False):
            in_photo = (outline.reshape(-1, 2).astype(np.float64) - view[:, 2]) @ np.linalg.inv(view[:, :2]).T
            sure = logit > FACE_LOGIT and np.isfinite(in_photo).all()
            found.append(in_photo @ placement.matrix[:, :2].T + placement.matrix[:, 2] if sure else None)
    return found


def mesh_view(placement: Placement, margin: float) -> np.ndarray:
    """(2, 3): pixels of the photo to those of the square (192, 192) in which the mesh expects the face, whose side is
    ``margin`` times the longer one of the face's box."""
    left, top, width, height = placement.box
    centre = np.array([left + width / 2, top + height / 2]) - 0.5  # a box counts from a pixel's corner
    return square(centre, placement.landmarks[1] - placement.landmarks[0], margin * max(width, height), SIZE)


def square(centre: np.ndarray, level: np.ndarray, side: float, size: int) -> np.ndarray:
    """(2, 3), pixels of the photo to those of a crop (size, size): a square of ``side`` around ``centre``.

    It is turned so that the direction ``level`` (2,) points to the crop's right.
    """
    c, s = np.array(level) / max(np.linalg.norm(level), 1e-9) * size / max(side, 1.0)
    linear = np.array([[c, s], [-s, c]])
    return np.column_stack([linear, (size - 1) / 2 - linear @ centre])


@functools.cache
def _network() -> FaceMesh:
    return FaceMesh(2 * len(CONTOUR), resolve_conv_form("auto"))


@functools.cache
def _variables() -> Any:
    """Raises ValueError: the file is damaged."""
    return jax.device_put(read_variables(WEIGHTS, SHA256))


@functools.partial(network_jit, static_argnums=0)
def _contour(network: FaceMesh, variables: Any, faces: jax.Array) -> tuple[jax.Array, jax.Array]:
    return network.apply(variables, faces.astype(np.float32) / 255)
