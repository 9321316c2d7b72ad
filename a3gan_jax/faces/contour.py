"""The outlines of turned heads, by points of MediaPipe's face mesh that come with the package."""

import functools
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from a3gan_jax.compilation import network_jit
from a3gan_jax.faces.alignment import resample
from a3gan_jax.faces.batching import batches
from a3gan_jax.faces.placement import Placement
from a3gan_jax.models.face_mesh import CONTOUR, SIZE, FaceMesh
from a3gan_jax.models.layers import resolve_conv_form
from a3gan_jax.weights import FOLDER

WEIGHTS = FOLDER / "face_contour.npz"  # as ``tools/pack_contour.py`` writes it
SHA256 = "2600be2c444c9d94f7a08d0b8ef3472ab4ecfa3fcb04051e1255cacf00008eaa"
MARGIN = 1.5  # side of what the mesh sees over the longer side of the face's box


def outlines(images: Sequence[np.ndarray], placements: Sequence[Placement]) -> list[np.ndarray | None]:
    """The outline of each face whose head is turned, as ``Placement.contour`` has it; None of the others.

    Args:
        images: (H, W, 3) uint8, the photo of each face.
        placements: their faces.
    """
    found: list[np.ndarray | None] = [None] * len(placements)
    turned = [i for i, placement in enumerate(placements) if placement.turned]
    if turned:
        views = [mesh_view(placements[i]) for i in turned]
        faces = np.stack([resample(images[i], view, SIZE, SIZE) for i, view in zip(turned, views, strict=True)])
        for part, rows in batches(len(turned)):
            numbers = np.asarray(_contour(_network(), _variables(), faces[rows]), np.float64)
            for i, view, points in zip(turned[part], views[part], numbers, strict=False):
                in_photo = (points.reshape(-1, 2) - view[:, 2]) @ np.linalg.inv(view[:, :2]).T
                found[i] = in_photo @ placements[i].matrix[:, :2].T + placements[i].matrix[:, 2]
    return found


def mesh_view(placement: Placement) -> np.ndarray:
    """(2, 3): pixels of the photo to those of the square (192, 192) in which the mesh expects the face."""
    left, top, width, height = placement.box
    centre = np.array([left + width / 2, top + height / 2]) - 0.5  # a box counts from a pixel's corner
    return square(centre, placement.landmarks[1] - placement.landmarks[0], MARGIN * max(width, height), SIZE)


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
    content = WEIGHTS.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise ValueError(f"{WEIGHTS} has sha256 {found}, expected {SHA256}: it is damaged; install a3gan-jax anew")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        flat = {path: arrays[path].astype(np.float32) for path in arrays.files}
    return jax.device_put(traverse_util.unflatten_dict(flat, sep="/"))


@functools.partial(network_jit, static_argnums=0)
def _contour(network: FaceMesh, variables: Any, faces: jax.Array) -> jax.Array:
    return network.apply(variables, faces.astype(np.float32) / 255)
