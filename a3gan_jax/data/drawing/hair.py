"""Hair of a drawn face, and the hat."""

import numpy as np

from a3gan_jax.data.drawing.canvas import Canvas, mirror, ribbon, smooth
from a3gan_jax.data.drawing.face import Face
from a3gan_jax.data.drawing.head import Head

_COLORS = {
    "Black_Hair": (0.085, 0.070, 0.068),
    "Brown_Hair": (0.34, 0.215, 0.130),
    "Blond_Hair": (0.83, 0.67, 0.41),
    "Gray_Hair": (0.66, 0.66, 0.67),
}
_RED = (0.58, 0.24, 0.09)  # what is none of CelebA's four


def hair_color(face: Face) -> np.ndarray:
    """The colour of the hair, (3,)."""
    color = next((np.array(value) for name, value in _COLORS.items() if name in face.drawn), np.array(_RED))
    if "Bald" in face.drawn:  # of brows and beard alone, which no attribute names
        color = np.array(_COLORS["Brown_Hair" if "Young" in face.drawn else "Gray_Hair"]) * 0.8
    return color * (1 + 0.14 * face.person.hair_tone)


def hair_field(head: Head) -> np.ndarray:
    """The hair at every pixel, (S, S, 3): strands that fall from the parting, and a band of gloss across them."""
    face = head.face
    wavy, straight = "Wavy_Hair" in face.drawn, "Straight_Hair" in face.drawn
    rng = np.random.default_rng((*face.person.seed, 5))
    strands = rng.uniform(-1, 1, 256)
    strands = np.append(strands, strands[0])
    ripple = rng.uniform(0, 2 * np.pi)
    x, y = head.grid(depth=-0.02)
    x = x - _parting(face)
    fall = np.maximum(y + 0.46, 0.02)
    wave = 0.030 if wavy else 0.0 if straight else 0.008
    x = x + wave * np.sin(2 * np.pi * y / 0.14 + ripple + 6 * x)
    across = x / np.sqrt(fall)
    fine = 1.0 if straight or wavy else 1.3
    streaks = sum(
        weight * np.interp((across * frequency) % 256, np.arange(257), strands)
        for frequency, weight in ((18 * fine, 0.5), (47 * fine, 0.35), (96, 0.25))
    )
    distance = np.hypot(x, y + 0.40)
    gloss = np.exp(-(((distance - 0.17 - 0.02 * streaks) / 0.065) ** 2)) + 0.5 * np.exp(
        -(((distance - 0.62) / 0.12) ** 2)
    )
    if wavy:
        gloss = gloss * 0.5 + 0.45 * np.maximum(0, np.sin(2 * np.pi * y / 0.14 + ripple + 6 * x))
    base = hair_color(face)
    light = 0.86 + 0.30 * streaks - 0.12 * face.contrast * np.sign(face.light[0]) * np.clip(-x / 0.3, -1, 1)
    strength = 0.25 + 0.30 * straight
    lit = base * light[..., None] + (strength * gloss * (0.35 + 0.6 * streaks.clip(0)))[..., None] * (
        0.35 * base + 0.16
    )
    return np.clip(lit, 0, 1).astype(np.float32)


def _parting(face: Face) -> float:
    return 0.11 * face.person.parting


def _volume(face: Face) -> float:
    return 0.030 + 0.016 * face.person.hair_volume + 0.018 * ("Wavy_Hair" in face.drawn)


def _has_hair(face: Face) -> bool:
    return "Bald" not in face.drawn


def _curl(outline: np.ndarray, face: Face, amplitude: float) -> np.ndarray:
    """The outline (n, 2) of curls: pushed out and in along its length."""
    if "Wavy_Hair" not in face.drawn:
        amplitude = 0.0 if "Straight_Hair" in face.drawn else 0.25 * amplitude
    along = np.cumsum(np.r_[0, np.hypot(*np.diff(outline, axis=0).T)])
    bulge = amplitude * np.sin(2 * np.pi * along / 0.085)
    middle = outline.mean(0)
    out = (outline - middle) / (np.hypot(*(outline - middle).T)[:, None] + 1e-6)
    return outline + bulge[:, None] * out


def _outer(face: Face) -> list[tuple[float, float]]:
    """The right half of the hair's outer edge, from the top down to where the hair ends."""
    more = _volume(face)
    width = 0.249 + 0.013 * face.person.face_width + 0.020 * ("Chubby" in face.drawn)
    top = [(0.095, -0.385 - more), (0.20, -0.315 - more), (width + 0.5 * more, -0.19), (width + 0.9 * more, -0.04)]
    end = 0.10 + 0.62 * face.hair_length
    if face.hair_length < 0.2:
        return [*top, (width + 0.3 * more, 0.06), (width - 0.03, 0.10)]
    flare = width + 1.4 * more + 0.03 * face.hair_length
    return [*top, (flare, 0.10), (flare + 0.015, 0.5 * (0.1 + end)), (flare - 0.01, end), (width - 0.07, end + 0.05)]


def paint_back_hair(canvas: Canvas, head: Head, hair: np.ndarray) -> None:
    """What hangs behind face and neck."""
    face = head.face
    if not _has_hair(face):
        return
    outline = _curl(smooth(mirror(_outer(face)), closed=True), face, 0.014)
    mask = canvas.mask(head.place(outline, depth=-0.08))
    canvas.paint(mask, hair)
    if face.hair_length >= 0.2:  # darker towards the neck
        inner = mirror([(0.05, 0.0), (0.22, 0.1), (0.20, 0.6), (0.1, 0.7)])
        canvas.shade(canvas.mask(head.place(inner, depth=-0.08), soft=0.03), (0.45, 0.43, 0.43))


def paint_front_hair(canvas: Canvas, head: Head, hair: np.ndarray, coverage: np.ndarray) -> None:
    """What lies over the face: crown, sides, bangs; with its shadow on the forehead. ``coverage``: the face's."""
    face, has = head.face, head.face.drawn.__contains__
    if not _has_hair(face):
        return
    polygons = [head.place(_curl(outline, face, 0.008), depth=0.03) for outline in _front(head)]
    shadow = canvas.mask(*[polygon + (0, head.length(0.018)) for polygon in polygons], soft=0.012).within(coverage)
    canvas.shade(shadow, (0.55, 0.46, 0.43), 0.8)
    canvas.paint(canvas.mask(*polygons), hair)
    if has("Bangs"):
        bangs = head.place(_bangs(head), depth=0.14)
        canvas.shade(canvas.mask(bangs + (0, head.length(0.014)), soft=0.008).within(coverage), (0.55, 0.46, 0.43), 0.8)
        canvas.paint(canvas.mask(bangs), hair * 1.06)


def _front(head: Head) -> list[np.ndarray]:
    """Left and right of the parting, outlines (n, 2)."""
    face, has = head.face, head.face.drawn.__contains__
    line, part = head.hairline_y, _parting(face)
    receding = has("Receding_Hairline")
    outer = _outer(face)
    width = 0.249 + 0.013 * face.person.face_width + 0.020 * has("Chubby")
    long = face.hair_length >= 0.2
    halves = []
    for side in (-1, 1):
        if receding:
            inner = [
                (part + side * 0.03, line + 0.02),
                (side * 0.10, line - 0.035),
                (side * 0.165, line - 0.02),
                (side * 0.205, line + 0.09),
            ]
        elif long:
            inner = [
                (part, line - 0.015),
                (side * 0.10, line + 0.035),
                (side * 0.175, line + 0.105),
                (side * 0.212, -0.05),
            ]
        else:
            inner = [
                (part, line + 0.002),
                (side * 0.09, line + 0.004),
                (side * 0.165, line + 0.030),
                (side * 0.207, line + 0.12),
            ]
        if long:
            end = 0.10 + 0.62 * face.hair_length
            inner += [
                (side * (width - 0.012), 0.08),
                (side * (width - 0.005), 0.22),
                (side * (width + 0.012), 0.5 * (0.3 + end)),
                (side * (width + 0.01), end),
            ]
            edge = outer[:-1]
        else:
            inner += [(side * (width - 0.014), -0.055), (side * (width - 0.006), 0.02)]
            edge = [*outer[:4], (width + 0.012, 0.02)]
        edge = [(side * x, y) for x, y in edge]
        crown = [(0.0, -0.395 - _volume(face))]
        halves.append(np.concatenate([smooth(inner), smooth(crown + edge)[::-1]]))
    return halves


def _bangs(head: Head) -> np.ndarray:
    """A fringe over the forehead, its lower edge in locks."""
    rng = np.random.default_rng((*head.face.person.seed, 6))
    x = np.linspace(-0.20, 0.20, 25)
    edge = (
        -0.115
        + 0.09 * (x / 0.2) ** 2 * 0.4
        + rng.uniform(-0.018, 0.012, 25)
        + 0.03 * head.face.person.parting * x / 0.2
    )
    edge[[0, -1]] = -0.06
    top = [(0.215, -0.17), (0.13, -0.335), (0, -0.36), (-0.13, -0.335), (-0.215, -0.17)]
    return np.concatenate([np.stack([x, edge], axis=1), smooth(top)])


def paint_hat(canvas: Canvas, head: Head) -> None:
    """A knitted cap or a hat with a brim."""
    face = head.face
    if "Wearing_Hat" not in face.drawn:
        return
    rng = np.random.default_rng((*face.seed, 7))
    color = np.array(
        ((0.15, 0.16, 0.2), (0.5, 0.12, 0.13), (0.2, 0.3, 0.5), (0.72, 0.66, 0.55), (0.25, 0.33, 0.22))[rng.integers(5)]
    )
    brim = bool(rng.integers(2))
    width = 0.268 + 0.013 * face.person.face_width + 0.020 * ("Chubby" in face.drawn) + 0.7 * _volume(face)
    crown = mirror([(0.12, -0.52), (0.22, -0.44), (width, -0.28), (width + 0.004, -0.17), (0.12, -0.175)])
    place = lambda points: head.place(points, depth=0.06)  # noqa: E731
    below = mirror([(width, -0.25), (width, -0.13), (0.1, -0.13)])
    canvas.shade(canvas.mask(place(below), soft=0.016), (0.45, 0.40, 0.40), 0.8)
    body = canvas.mask(place(smooth(crown, closed=True)))
    canvas.paint(body, color)
    x, y = head.grid(depth=0.06)
    rounding = (1.12 - 0.9 * (x / 0.3) ** 2 - 0.25 * face.contrast * np.sign(face.light[0]) * -x / 0.3).clip(0.4, 1.3)
    rounding = rounding * (1 + (0.10 * np.sin(2 * np.pi * x / 0.045)) * (not brim))
    canvas.shade(body, rounding[..., None] * np.ones(3, np.float32))
    if brim:
        edge = place(
            smooth(
                mirror([(0.1, -0.215), (width, -0.215), (width + 0.14, -0.17), (width + 0.06, -0.135), (0.12, -0.155)]),
                closed=True,
            )
        )
        band = place(ribbon(smooth([(-width, -0.24), (0, -0.235), (width, -0.24)]), 0.05))
        canvas.paint(canvas.mask(band), color * 0.45)
        canvas.paint(canvas.mask(edge), color * 0.8)
    else:
        band = canvas.mask(place(ribbon(smooth([(-width - 0.008, -0.19), (0, -0.20), (width + 0.008, -0.19)]), 0.075)))
        canvas.paint(band, color * 1.25)
        canvas.shade(band, (rounding * (1 + 0.15 * np.sin(2 * np.pi * x / 0.03)))[..., None] * np.ones(3, np.float32))
