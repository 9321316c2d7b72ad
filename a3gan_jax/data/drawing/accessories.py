"""What a drawn person wears: clothes, tie, necklace, glasses, earrings."""

import numpy as np

from a3gan_jax.data.drawing.canvas import Canvas, ellipse, ribbon, smooth
from a3gan_jax.data.drawing.head import Head


def paint_clothes(canvas: Canvas, head: Head) -> None:
    """A garment with an open neck or, for a tie, a shirt with a collar."""
    face, has = head.face, head.face.drawn.__contains__
    rng = np.random.default_rng((*face.seed, 10))
    color, tie, depth = rng.uniform(0.05, 0.9, 3), rng.uniform(0.05, 0.75, 3), rng.uniform(0.47, 0.56)
    place = lambda points: head.place(points, depth=-0.02)  # noqa: E731
    neck = 0.14 + 0.02 * has("Male")
    garment = [(neck + 0.03, 0.43), (0.30, 0.49), (0.7, 0.58), (0.7, 0.95)]
    left = [(-x, y) for x, y in reversed(garment)]
    collar = [(-neck, 0.455), (-0.5 * neck, depth), (0, depth + 0.02), (0.5 * neck, depth), (neck, 0.455)]
    if has("Wearing_Necktie"):
        collar = [(-neck, 0.44), (0.0, 0.475), (neck, 0.44)]
    body = canvas.mask(place(np.array([*garment, *left, *(smooth(collar).tolist())])))
    canvas.paint(body, color * 0.6 if has("Wearing_Necktie") else color)
    canvas.shade(canvas.mask(place(ribbon(smooth(collar), 0.02)), soft=0.006), (0.6, 0.6, 0.6), 0.6)
    if has("Wearing_Necktie"):
        for side in (-1, 1):
            flap = [(side * neck, 0.385), (side * (neck + 0.03), 0.45), (side * 0.075, 0.56), (0.0, 0.47)]
            canvas.paint(canvas.mask(place(flap)), (0.94, 0.94, 0.95) if side < 0 else (0.86, 0.86, 0.88))
        canvas.paint(canvas.mask(place([(-0.042, 0.455), (0.042, 0.455), (0.026, 0.515), (-0.026, 0.515)])), tie)
        canvas.paint(canvas.mask(place([(-0.026, 0.515), (0.026, 0.515), (0.06, 0.7), (-0.06, 0.7)])), tie * 0.8)


def paint_necklace(canvas: Canvas, head: Head) -> None:
    face = head.face
    if "Wearing_Necklace" not in face.drawn:
        return
    rng = np.random.default_rng((*face.seed, 11))
    metal = np.array(((0.95, 0.93, 0.90), (0.93, 0.78, 0.36), (0.80, 0.15, 0.18), (0.75, 0.78, 0.84))[rng.integers(4)])
    neck = 0.132 + 0.022 * ("Male" in face.drawn) + 0.025 * ("Chubby" in face.drawn)
    string = smooth([(-neck, 0.40), (-0.75 * neck, 0.445), (0, 0.475), (0.75 * neck, 0.445), (neck, 0.40)], steps=7)
    beads = [head.place(ellipse(point, (0.0125, 0.0125), count=10), depth=0.0) for point in string]
    canvas.shade(canvas.mask(*[bead + (0, head.length(0.012)) for bead in beads], soft=0.006), (0.45, 0.40, 0.40), 0.8)
    canvas.paint(canvas.mask(*beads), metal * 0.85)
    sparks = [head.place(ellipse(point + (-0.003, -0.004), (0.005, 0.005), count=6), depth=0.0) for point in string]
    canvas.paint(canvas.mask(*sparks), np.minimum(metal * 1.3, 1), 0.9)


def paint_earrings(canvas: Canvas, head: Head) -> None:
    face = head.face
    if "Wearing_Earrings" not in face.drawn:
        return
    rng = np.random.default_rng((*face.seed, 12))
    metal = np.array(((0.92, 0.76, 0.34), (0.86, 0.88, 0.92), (0.85, 0.2, 0.25), (0.2, 0.6, 0.55))[rng.integers(4)])
    long = rng.uniform(0.018, 0.05)
    width = np.abs(head.contour()[:, 0]).max() + 0.010
    drops = head.both(ellipse((width, 0.125 + long), (0.019, long)), depth=-0.02)
    canvas.shade(canvas.mask(*[drop + head.length(0.008) for drop in drops], soft=0.004), (0.45, 0.42, 0.42), 0.7)
    canvas.paint(canvas.mask(*drops), metal * 0.8)
    sparks = head.both(ellipse((width - 0.005, 0.115 + 0.8 * long), (0.007, 0.3 * long), count=10), depth=-0.02)
    canvas.paint(canvas.mask(*sparks), np.minimum(metal * 1.4, 1), 0.9)


def paint_glasses(canvas: Canvas, head: Head) -> None:
    face = head.face
    if "Eyeglasses" not in face.drawn:
        return
    rng = np.random.default_rng((*face.person.seed, 13))
    frame = np.array(((0.06, 0.06, 0.07), (0.25, 0.13, 0.08), (0.45, 0.42, 0.36), (0.35, 0.06, 0.10))[rng.integers(4)])
    squareness, thick, drop = rng.uniform(0.45, 1.0), rng.uniform(0.013, 0.024), rng.uniform(0.050, 0.068)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    cos, sin = np.cos(angles), np.sin(angles)
    shape = np.stack([np.sign(cos) * np.abs(cos) ** squareness, np.sign(sin) * np.abs(sin) ** squareness], axis=1)
    radii = np.array((min(0.102, head.eye_x - 0.024), drop))
    rim = np.array((head.eye_x + 0.004, 0.012)) + shape * radii
    canvas.shade(canvas.mask(*head.both(rim, depth=0.19)), (0.90, 0.93, 0.95), 0.9)
    glare = np.array([(-0.07, -0.01), (-0.03, -0.04), (-0.015, -0.04), (-0.06, 0.012)])  # the lamp is on one side
    glares = [head.place(glare + (side * head.eye_x, 0), depth=0.19) for side in (-1, 1)]
    canvas.paint(canvas.mask(*glares, soft=0.003), (1, 1, 1), 0.30)
    wire = [*head.both(ribbon(np.concatenate([rim, rim[:2]]), thick), depth=0.19)]
    hinge, inner = head.eye_x + radii[0], head.eye_x - radii[0] + 0.008
    for side in (-1, 1):  # the temples run back to the ears
        wire.append(
            head.place(
                [
                    (side * x, y, z)
                    for x, y, z in ((hinge, -0.018, 0.18), (hinge, 0.0, 0.18), (0.27, 0.0, 0.0), (0.27, -0.014, 0.0))
                ]
            )
        )
    wire.append(head.place(ribbon(smooth([(-inner, 0.0), (0, -0.012), (inner, 0.0)]), thick), depth=0.20))
    canvas.shade(canvas.mask(*[part + (0, head.length(0.012)) for part in wire], soft=0.006), (0.6, 0.55, 0.55), 0.5)
    canvas.paint(canvas.mask(*wire), frame)
