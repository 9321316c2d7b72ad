"""What grows on a drawn face below the nose."""

import numpy as np

from a3gan_jax.data.drawing.canvas import Canvas, mirror, smooth
from a3gan_jax.data.drawing.head import Head


def paint_beard(canvas: Canvas, head: Head, hair: np.ndarray, coverage: np.ndarray) -> None:
    """Whatever grows below the nose: beard, shadow, moustache, goatee, whiskers. ``hair``: its picture (S, S, 3)."""
    face, place = head.face, head.place
    has, mx, my = face.drawn.__contains__, head.mouth_x, head.corner_y
    low, chin = head.mouth_y + head.gap, head.chin_y
    speckle = (
        np.random.default_rng((*face.person.seed, 3)).uniform(0.75, 1.0, (head.size, head.size)).astype(np.float32)
    )
    coverage = coverage * speckle

    def grow(points, opacity, blur):
        canvas.paint(canvas.mask(place(smooth(points, closed=True)), soft=blur).within(coverage), hair, opacity)

    jaw = mirror(
        [
            (0.06, low + 0.075),
            (mx + 0.030, my + 0.02),
            (mx + 0.055, my - 0.03),
            (0.19, 0.15),
            (0.26, 0.05),
            (0.27, 0.30),
            (0.12, 0.46),
            (0.03, 0.50),
        ]
    )
    lip = mirror(
        [
            (0.020, head.nose_y + 0.050),
            (mx * 0.75, my - 0.055),
            (mx + 0.022, my - 0.012),
            (mx + 0.012, my + 0.03),
            (mx * 0.8, my - 0.018),
            (0.02, head.mouth_y - 0.026),
        ]
    )
    if has("5_o_Clock_Shadow"):
        shade = canvas.mask(place(smooth(jaw, closed=True)), soft=0.016).within(coverage)
        over = canvas.mask(place(smooth(lip, closed=True)), soft=0.010).within(coverage)
        for mask in (shade, over):
            canvas.shade(mask, (0.56, 0.60, 0.66), 0.70)
    elif not has("No_Beard"):
        grow(jaw, 0.25 + 0.65 * face.beard_density, 0.010)
    if has("Mustache"):
        grow(lip, 0.92, 0.004)
    if has("Goatee"):
        grow(
            mirror(
                [
                    (0.022, low + 0.045),
                    (0.055, low + 0.055),
                    (0.070, chin - 0.03),
                    (0.045, chin + 0.02),
                    (0.01, chin + 0.03),
                ]
            ),
            0.92,
            0.005,
        )
    if has("Sideburns"):
        whiskers = smooth([(0.205, -0.06), (0.27, -0.06), (0.26, 0.14), (0.215, 0.165), (0.195, 0.10)], closed=True)
        canvas.paint(canvas.mask(*head.both(whiskers), soft=0.006).within(coverage), hair, 0.88)
