"""Eyes, brows, nose and mouth of a drawn face."""

import numpy as np

from a3gan_jax.data.drawing.canvas import Canvas, ellipse, ribbon, smooth
from a3gan_jax.data.drawing.head import Head
from a3gan_jax.data.drawing.skin import lip_color, skin_color

_DARK = np.array((0.09, 0.06, 0.055))


def paint_eyes(canvas: Canvas, head: Head) -> None:
    face, person = head.face, head.face.person
    has = face.drawn.__contains__
    size = 1.04 + 0.11 * person.eye_size - 0.04 * has("Male")
    half, tilt, made_up = 0.057 * size, 0.010 * person.eye_tilt + 0.003, has("Heavy_Makeup")

    def both(points):  # x runs from the inner corner at -1 to the outer at +1, y is in head coordinates
        points = np.asarray(points, float)
        return head.both(np.stack([head.eye_x + half * points[:, 0], points[:, 1] - tilt * points[:, 0]], axis=1))

    aperture = face.eyes_open**0.7 * (0.62 if has("Narrow_Eyes") else 1.0)
    t = np.linspace(-1, 1, 13)
    arch = (1 - t**2) ** 0.75 * (1 - 0.18 * t)
    low = 0.015 * size * (1 - 0.25 * max(face.smile, 0)) * (1 - t**2)
    high = -0.032 * size * arch
    lid = low + (high - low) * aperture  # the edge of the upper lid: on the lower one when shut
    crease = high - 0.014 + 0.010 * (1 - aperture) * arch

    if made_up:
        rng = np.random.default_rng((*person.seed, 4))
        tint = np.array([(0.55, 0.38, 0.55), (0.42, 0.48, 0.62), (0.55, 0.40, 0.34), (0.40, 0.40, 0.42)])[
            rng.integers(4)
        ]
        canvas.shade(canvas.mask(*both(_between(1.15 * t, crease - 0.022 * arch, low * 0.3)), soft=0.006), tint, 0.9)
    canvas.shade(canvas.mask(*both(_band(t, crease, 0.010)), soft=0.003), (0.62, 0.50, 0.47), 0.65)
    if aperture > 0.02:
        opening = canvas.coverage(*both(_between(t, lid, low)))
        canvas.paint(opening, (0.90, 0.88, 0.86))
        _paint_irises(canvas, head, opening)
        # The upper lid's shadow on the ball.
        canvas.shade(
            canvas.mask(*both(_band(t, lid, 0.008 + 0.014 * aperture)), soft=0.004).within(opening),
            (0.45, 0.42, 0.42),
            0.8,
        )
        _paint_sparks(canvas, head, opening)
    lash = 0.009 + 0.004 * (not has("Male")) + 0.009 * made_up
    canvas.shade(
        canvas.mask(*both(_band(t, low + 0.003, 0.006 + 0.004 * made_up))), (0.55, 0.42, 0.40), 0.7 + 0.3 * made_up
    )
    lashes = [*both(_band(1.04 * t, lid - 0.3 * lash, lash))]
    if made_up:
        lashes += both([(0.85, lid[-2] - 0.004), (1.30, -0.020), (1.0, 0.004)])
    canvas.paint(canvas.mask(*lashes), _DARK, 0.9)


def _irises(head: Head) -> np.ndarray:
    """Their centres, (2, 2) pixels: both eyes look the same way."""
    look = np.array((0.017 * head.face.gaze[0], 0.010 * head.face.gaze[1] - 0.007))
    return head.place(np.array([(-head.eye_x, 0), (head.eye_x, 0)]) + look)


def _paint_irises(canvas: Canvas, head: Head, opening: np.ndarray) -> None:
    person, centres = head.face.person, _irises(head)
    radius = head.length(0.0255 * np.sqrt(1 + 0.11 * person.eye_size))
    for share, color in ((1.0, np.array(person.eye_color) * 0.55), (0.8, person.eye_color), (0.45, (0.02, 0.02, 0.02))):
        discs = [ellipse(centre, (share * radius, share * radius), count=16) for centre in centres]
        canvas.paint(canvas.mask(*discs).within(opening), color)


def _paint_sparks(canvas: Canvas, head: Head, opening: np.ndarray) -> None:
    towards = head.length(0.010) * np.array((np.sign(head.face.light[0]), -0.8))
    radius = head.length(0.0065)
    sparks = [ellipse(centre + towards, (radius, radius), count=8) for centre in _irises(head)]
    canvas.paint(canvas.mask(*sparks).within(opening), (1, 1, 1), 0.9)


def _between(t: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The outline (2n, 2) of what lies between two curves over ``t``, all (n,)."""
    outline = np.empty((2 * len(t), 2))
    outline[: len(t), 0], outline[: len(t), 1] = t, upper
    outline[len(t) :, 0], outline[len(t) :, 1] = t[::-1], lower[::-1]
    return outline


def _band(t: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
    """A band along the curve (t, y), of height ``width`` in the middle and nearly none at the ends."""
    swell = width / 2 * np.sqrt(np.maximum(1 - (t / t[-1]) ** 2, 0.04))
    return _between(t, y - swell, y + swell)


def paint_brows(canvas: Canvas, head: Head, hair: np.ndarray) -> None:
    """``hair``: its picture (S, S, 3)."""
    face, person = head.face, head.face.person
    has = face.drawn.__contains__
    y = -0.084 - 0.010 * person.brow_height + 0.008 * has("Male") - 0.030 * face.brow_raise
    thick = (0.021 + 0.005 * person.brow_weight + 0.006 * has("Male")) * (1.65 if has("Bushy_Eyebrows") else 1.0)
    arch = 0.030 if has("Arched_Eyebrows") else 0.010
    inner, end = -0.026 * face.brow_tilt, 0.012 * face.brow_tilt
    x = head.eye_x + np.array((-0.075, -0.035, 0.015, 0.05, 0.088))
    line = y + np.array((0.006 + inner, inner * 0.6 - 0.3 * arch, -arch, -0.8 * arch + end / 2, 0.018 + end))
    curve = smooth(np.stack([x, line], axis=1))
    widths = thick * np.interp(np.linspace(0, 1, len(curve)), (0, 0.15, 0.55, 1), (0.55, 1.0, 0.85, 0.15))
    brows = canvas.mask(*head.both(ribbon(curve, widths)), soft=0.0 if has("Heavy_Makeup") else 0.003)
    canvas.paint(brows, hair * 0.72, 0.85)


def paint_nose(canvas: Canvas, head: Head) -> None:
    """Nostrils, wings and the shadow below; the relief of the nose is part of the skin."""
    has, y, width = head.face.drawn.__contains__, head.nose_y, head.nose_width
    lift = 0.45 * head.nose_lift
    below = smooth(
        [(-width, y + 0.024), (0, y + 0.042), (width, y + 0.024), (0.5 * width, y + 0.068), (-0.5 * width, y + 0.068)],
        closed=True,
    )
    canvas.shade(
        canvas.mask(head.place(below, lift=lift), soft=0.009), (0.68, 0.56, 0.52), 0.55 + 0.3 * head.face.contrast
    )
    side = -np.sign(head.face.light[0]) or 1.0  # the ridge shades the side away from the lamp
    ridge = [
        (side * 0.024, -0.02),
        (side * 0.030, 0.35 * y),
        (side * 0.042, 0.8 * y),
        (side * 0.020, 0.8 * y),
        (side * 0.016, 0.3 * y),
    ]
    canvas.shade(
        canvas.mask(head.place(smooth(ridge, closed=True), lift=lift), soft=0.012),
        (0.78, 0.68, 0.64),
        0.15 + 0.4 * head.face.contrast,
    )
    if has("Pointy_Nose"):
        tip = [(-0.022, y + 0.012), (0, y + 0.040), (0.022, y + 0.012), (0, y + 0.022)]
        canvas.shade(canvas.mask(head.place(tip, lift=lift), soft=0.003), (0.60, 0.48, 0.45), 0.7)
    nostril = ellipse((0.48 * width, y + 0.031), (0.30 * width, 0.0095), 0.25)
    nostrils = canvas.mask(*head.both(nostril, lift=lift), soft=0.002)
    canvas.paint(nostrils, skin_color(head.face) * (0.34, 0.22, 0.20), 0.9)
    wing = smooth([(width * 0.86, y - 0.020), (width * 1.04, y + 0.008), (width * 0.86, y + 0.032)])
    wings = canvas.mask(*head.both(ribbon(wing, (0.010, 0.003)), lift=lift), soft=0.003)
    canvas.shade(wings, (0.62, 0.49, 0.45), 0.75)


def paint_mouth(canvas: Canvas, head: Head) -> None:
    face, person = head.face, head.face.person
    has, width, smile = face.drawn.__contains__, head.mouth_x, face.smile
    full = (1 + 0.16 * person.lips) * (1.55 if has("Big_Lips") else 1.0) * (0.88 if has("Male") else 1.0)
    thin = 1 - 0.22 * max(smile, 0) - 0.2 * face.mouth_open
    t = np.linspace(-1, 1, 15)
    bow = 1 - t**2
    middle, corner = head.mouth_y, head.corner_y
    seam = corner + (middle - corner) * (1 - np.abs(t) ** 1.8)
    upper = seam - 0.10 * head.gap * bow  # the lower edge of the upper lip
    lower = seam + 0.90 * head.gap * np.sqrt(np.maximum(bow, 0))  # the upper edge of the lower lip
    top = upper - 0.027 * full * thin * (bow**0.8) * (1 - 0.20 * np.cos(np.pi * np.clip(2.2 * t, -1, 1)))
    bottom = lower + 0.036 * full * thin * bow**0.7

    def between(a, b):
        return head.place(_between(width * t, a, b))

    lips = lip_color(face)
    canvas.shade(canvas.mask(between(bottom + 0.004, bottom + 0.026 * bow), soft=0.008), (0.70, 0.60, 0.57), 0.6)
    soft = 0.0 if has("Wearing_Lipstick") else 0.004
    opacity = 1.0 if has("Wearing_Lipstick") else 0.85
    canvas.paint(canvas.mask(between(lower - 0.002, bottom), soft=soft), lips * 1.06, opacity)
    canvas.paint(canvas.mask(between(top, upper + 0.002), soft=soft), lips * 0.84, opacity)
    gleam = between(lower + 0.35 * (bottom - lower) - 0.003 * bow, lower + 0.35 * (bottom - lower) + 0.006 * bow**3)
    canvas.paint(canvas.mask(gleam, soft=0.004), np.minimum(lips * 1.5 + 0.12, 1), 0.45)

    if face.mouth_open > 0.02:
        inside = canvas.coverage(between(upper, lower))
        canvas.paint(inside, (0.16, 0.05, 0.05))
        if head.gap > 0.035:
            tongue = head.place(ellipse((0, middle + 0.85 * head.gap), (0.55 * width, 0.28 * head.gap)))
            canvas.paint(canvas.mask(tongue, soft=0.006).within(inside), (0.62, 0.26, 0.26), 0.8)
        teeth = min(0.028, 0.55 * head.gap) * (0.8 + 0.2 * max(smile, 0))
        if smile > 0 or face.expression == "angry":
            teeth = min(0.036, 0.8 * head.gap)
        row = canvas.mask(between(upper - 0.002, upper + teeth * bow**0.35), soft=0.001).within(inside)
        canvas.paint(row, (0.93, 0.90, 0.86), 0.95)
        canvas.shade(
            canvas.mask(between(upper - 0.004, upper + 0.008 * bow), soft=0.003).within(inside), (0.5, 0.42, 0.42)
        )
        corners = ellipse((width * 0.9, corner + 0.01), (0.2 * width, 0.03), count=12)
        canvas.shade(canvas.mask(*head.both(corners), soft=0.01).within(inside), (0.4, 0.3, 0.3), 0.8)
    line = (
        between(seam - 0.004 * bow**0.3, seam + 0.004 * bow**0.3)
        if face.mouth_open <= 0.02
        else between(upper - 0.003, upper + 0.002)
    )
    canvas.paint(canvas.mask(line), lips * 0.38, 0.85)
    dimples = head.both(ellipse((width + 0.004, corner), (0.007, 0.006), count=10))
    canvas.shade(canvas.mask(*dimples, soft=0.003), (0.5, 0.4, 0.38), 0.7)
