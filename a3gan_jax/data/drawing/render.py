"""From a face's parameters to its picture."""

import numpy as np
from PIL import Image, ImageFilter

from a3gan_jax.data.drawing.accessories import paint_clothes, paint_earrings, paint_glasses, paint_necklace
from a3gan_jax.data.drawing.beard import paint_beard
from a3gan_jax.data.drawing.canvas import Canvas, cloud, ellipse
from a3gan_jax.data.drawing.face import Face
from a3gan_jax.data.drawing.features import paint_brows, paint_eyes, paint_mouth, paint_nose
from a3gan_jax.data.drawing.hair import hair_field, paint_back_hair, paint_front_hair, paint_hat
from a3gan_jax.data.drawing.head import Head
from a3gan_jax.data.drawing.skin import paint_face, paint_neck, skin_field


def render(face: Face, size: int) -> np.ndarray:
    """Draw a face: (size, size, 3) uint8, RGB, in the geometry of :func:`a3gan_jax.geometry.crop_landmarks`.

    A pure function: the same parameters give the same picture in any process, and a parameter changes only what it
    stands for, since every texture has a random stream of its own.
    """
    canvas, head = Canvas(size), Head(face, size)
    skin, hair = skin_field(head), hair_field(head)
    _paint_background(canvas, face)
    paint_back_hair(canvas, head, hair)
    paint_neck(canvas, head)
    paint_clothes(canvas, head)
    paint_necklace(canvas, head)
    coverage = paint_face(canvas, head, skin)
    paint_beard(canvas, head, hair, coverage)
    paint_eyes(canvas, head)
    paint_brows(canvas, head, hair)
    paint_nose(canvas, head)
    paint_mouth(canvas, head)
    paint_front_hair(canvas, head, hair, coverage)
    paint_hat(canvas, head)
    paint_glasses(canvas, head)
    paint_earrings(canvas, head)
    return _develop(canvas.pixels, face)


def _paint_background(canvas: Canvas, face: Face) -> None:
    """Two colours run into each other, with clouds, and sometimes lights out of focus."""
    rng = np.random.default_rng((*face.seed, 8))
    size = canvas.size
    tone = rng.uniform(0.08, 0.92)
    first, second = np.clip(tone + rng.normal(0, (0.04, 0.12)[int(rng.integers(2))], (2, 3)), 0.02, 0.98)
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    ramp = (np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]) * 0.35 + 0.5
    ramp = np.clip(ramp + rng.uniform(0, 0.3) * cloud(rng, size, 4)[..., 0], 0, 1)[..., None]
    canvas.pixels[:] = first * ramp + second * (1 - ramp)
    canvas.pixels *= 1 + 0.05 * cloud(rng, size, 16)
    for _ in range(int(rng.integers(0, 5)) if rng.random() < 0.5 else 0):
        radius = rng.uniform(0.04, 0.16) * size
        spot = canvas.mask(ellipse(rng.uniform(0, size, 2), (radius, radius)), soft=rng.uniform(0.004, 0.04))
        canvas.paint(spot, rng.uniform(0, 1, 3), rng.uniform(0.2, 0.6))


def _develop(pixels: np.ndarray, face: Face) -> np.ndarray:
    """The camera: colour of the light, blur, grain."""
    size = len(pixels)
    tint = 255 * (1 + 0.07 * face.warmth * np.array((1.0, 0.1, -1.2), np.float32))
    image = Image.fromarray(np.clip(pixels * tint + 0.5, 0, 255).astype(np.uint8))
    if "Blurry" in face.drawn:
        image = image.filter(ImageFilter.GaussianBlur(0.016 * size))
    grain = 1.5 * np.random.default_rng((*face.seed, 9)).standard_normal((size, size, 3), np.float32)
    return np.clip(np.asarray(image) + grain + 0.5, 0, 255).astype(np.uint8)
