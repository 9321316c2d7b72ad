"""The skin of a drawn face: colour, relief and light; neck, ears, cheeks, marks and wrinkles."""

import numpy as np

from a3gan_jax.data.drawing.canvas import Canvas, cloud, ellipse, mirror, ribbon, smooth
from a3gan_jax.data.drawing.face import Face
from a3gan_jax.data.drawing.head import Head

# sRGB, from light to dark, none as light as a face that counts as pale.
_SKINS = np.array(
    [
        (0.93, 0.76, 0.66),
        (0.88, 0.69, 0.56),
        (0.80, 0.59, 0.45),
        (0.68, 0.47, 0.34),
        (0.53, 0.35, 0.24),
        (0.38, 0.25, 0.17),
    ]
)
_PALE = np.array((0.97, 0.87, 0.82))
_LIP = np.array((0.72, 0.36, 0.34))


def skin_color(face: Face) -> np.ndarray:
    """The colour of the skin, (3,)."""
    at = face.person.skin * (len(_SKINS) - 1)
    color = np.array([np.interp(at, range(len(_SKINS)), channel) for channel in _SKINS.T])
    color = color * (1 + 0.035 * face.person.ruddiness * np.array((1, -0.6, -0.9)))
    if "Pale_Skin" in face.drawn:
        color = 0.25 * color + 0.75 * _PALE
    return np.clip(color, 0, 1)


def lip_color(face: Face) -> np.ndarray:
    """The colour of the lips, (3,): the skin's, reddened."""
    skin = skin_color(face)
    if "Wearing_Lipstick" in face.drawn:
        return 0.1 * skin + 0.9 * np.array((0.72, 0.07, 0.16))
    return 0.5 * skin * (0.92, 0.70, 0.70) + 0.5 * _LIP * (0.35 + 0.75 * skin.mean())


def _relief(head: Head) -> np.ndarray:
    """Bumps (n, 5) on the ellipsoid of the head: x, y, radius along x, radius along y, height."""
    face = head.face
    has, ex, ny, my = face.drawn.__contains__, head.eye_x, head.nose_y, head.mouth_y
    male, old = has("Male"), not has("Young")
    nose = 0.020 + 0.010 * has("Pointy_Nose")
    tip = 0.030 - 0.010 * has("Pointy_Nose") + 0.008 * has("Big_Nose")
    bumps = [
        (0, 0.01, 0.020, 0.035, 0.8 * nose),
        (0, 0.30 * ny, 0.019, 0.030, nose),
        (0, 0.60 * ny, 0.021, 0.030, 1.2 * nose),
        (0, 0.93 * ny, tip, tip, 0.036 + 0.012 * has("Pointy_Nose") + 0.008 * has("Big_Nose")),
        (0, -0.20, 0.14, 0.09, 0.020),
        (0, my - 0.035, 0.050, 0.022, 0.010),
        (0, my + 0.062, 0.045, 0.014, -0.008),
        (0, head.chin_y - 0.045, 0.045, 0.032, 0.018),
    ]
    for side in (-1, 1):
        bumps += [
            (side * head.nose_width * 0.8, ny + 0.006, 0.016, 0.018, 0.013),
            (side * ex, 0.0, 0.062, 0.036, -0.022),
            (side * 0.60 * ex, -0.01, 0.022, 0.03, -0.012),
            (side * ex, -0.078, 0.075, 0.020, 0.007 + 0.006 * male),
            (side * 0.155, 0.095, 0.055, 0.035, 0.013 + 0.014 * has("High_Cheekbones")),
            (side * 0.165, 0.215, 0.045, 0.055, -0.022 * has("High_Cheekbones") + 0.022 * has("Chubby")),
            (side * 0.130, 0.140, 0.040, 0.035, 0.020 * max(face.smile, 0)),
            (side * 0.100, 0.205, 0.016, 0.035, -0.004 - 0.008 * max(face.smile, 0) - 0.006 * old),
            (side * 0.215, -0.085, 0.045, 0.06, -0.014),
        ]
        if has("Bags_Under_Eyes"):
            bumps += [(side * ex, 0.047, 0.042, 0.010, 0.008), (side * ex, 0.066, 0.042, 0.009, -0.008)]
    return np.array(bumps)


def skin_field(head: Head) -> np.ndarray:
    """The lit skin at every pixel, (S, S, 3): an ellipsoid with a relief of bumps under one lamp."""
    face, size = head.face, head.size
    x, y = head.grid(depth=0.06)
    u, v = x / 0.285, (y - 0.03) / 0.50
    inside = np.sqrt(np.maximum(1 - u * u - v * v, 0.10))
    slope_x, slope_y = -0.62 * u / inside, -0.45 * v / inside
    bumps = _relief(head)
    at, reach = head.place(bumps[:, :2]), head.length(1.0) * bumps[:, 2:4]
    bumps, axis = bumps.astype(np.float32), np.arange(size)
    across = ((axis - at[:, :1]) / reach[:, :1]).astype(np.float32)  # (n, S)
    down = ((axis - at[:, 1:]) / reach[:, 1:]).astype(np.float32)
    bell_x, bell_y = np.exp(-(across**2) / 2), np.exp(-(down**2) / 2) * bumps[:, 4:]
    slope_x -= bell_y.T @ (bell_x * across / bumps[:, 2:3])
    slope_y -= (bell_y * down / bumps[:, 3:4]).T @ bell_x

    length = np.sqrt(1 + slope_x**2 + slope_y**2)
    lamp = np.array([*face.light, 1.0], np.float32)
    lamp /= np.linalg.norm(lamp)
    half = lamp + np.array((0, 0, 1), np.float32)
    half /= np.linalg.norm(half)
    facing, mirrored = (np.maximum(0, (v[2] - slope_x * v[0] - slope_y * v[1]) / length) for v in (lamp, half))
    ambient = 0.62 - 0.34 * face.contrast
    light = (ambient + (1 - ambient) * facing / lamp[2]) * (1.03 - 0.06 * face.contrast)
    # Light that has gone through skin is red: shadows lose blue first.
    lit = np.exp(np.log(light)[..., None] * np.array((0.85, 1.08, 1.16), np.float32)) * skin_color(face).astype(
        np.float32
    )
    lit += ((0.05 + 0.05 * face.contrast) * mirrored**24)[..., None]
    grain = np.random.default_rng((*face.person.seed, 1))
    blotches = cloud(grain, size, 9) + 0.6 * cloud(grain, size, 23)
    lit *= 1 + blotches * (0.018 if "Young" in face.drawn else 0.029)
    return np.clip(lit, 0, 1)


def paint_neck(canvas: Canvas, head: Head) -> None:
    """Neck, shoulders of skin, double chin and ears: what lies behind the face."""
    face, place = head.face, head.place
    has, contour = face.drawn.__contains__, head.contour()
    neck = 0.125 + 0.022 * has("Male") + 0.025 * has("Chubby")
    base = skin_color(face)
    body = [(neck + 0.02, 0.15), (neck, 0.40), (neck + 0.02, 0.46), (0.26, 0.53), (0.60, 0.62), (0.60, 0.9)]
    canvas.paint(canvas.mask(place(mirror(body), depth=-0.05)), base * (0.86, 0.80, 0.77))
    under = contour[:, :2] + (0, 0.035)
    canvas.shade(canvas.mask(place(under, depth=0.0), soft=0.022), (0.62, 0.54, 0.50))
    if has("Double_Chin"):
        roll = [
            (0.02, 0.25),
            (0.20, 0.25),
            (0.165, head.chin_y - 0.035),
            (0.10, head.chin_y + 0.03),
            (0.0, head.chin_y + 0.052),
        ]
        canvas.paint(
            canvas.mask(place(smooth(mirror(roll), closed=True), depth=0.04), soft=0.004), base * (0.95, 0.90, 0.88)
        )
    width = np.abs(contour[:, 0]).max()
    ear = ellipse((width + 0.008, 0.045), (0.030, 0.068), 0.18)
    canvas.paint(canvas.mask(*head.both(ear, depth=-0.05)), base * (0.90, 0.78, 0.72))
    inner = ellipse((width + 0.014, 0.035), (0.013, 0.038), 0.18)
    canvas.shade(canvas.mask(*head.both(inner, depth=-0.05), soft=0.006), (0.72, 0.60, 0.56))


def paint_face(canvas: Canvas, head: Head, skin: np.ndarray) -> np.ndarray:
    """The face without its features; returns its coverage (S, S)."""
    place, has = head.place, head.face.drawn.__contains__
    outline = place(head.contour())
    coverage = canvas.coverage(outline)
    if has("Double_Chin"):
        canvas.shade(canvas.mask(outline, soft=0.008), (0.72, 0.62, 0.58))  # the crease between the chins
    canvas.paint(coverage, skin)

    def soft(points, factor, opacity, blur):
        canvas.shade(canvas.mask(*head.both(points), soft=blur).within(coverage), factor, opacity)

    smile, old = max(head.face.smile, 0), not has("Young")
    ex, ny, my = head.eye_x, head.nose_y, head.corner_y
    soft(ellipse((0.15, 0.145 - 0.01 * smile), (0.055, 0.045)), (1.03, 0.88, 0.88), 0.6, 0.03)
    if has("Rosy_Cheeks"):
        soft(ellipse((0.155, 0.135), (0.060, 0.045)), (1.08, 0.60, 0.64), 0.8, 0.024)
    if has("Heavy_Makeup"):  # contour below the cheekbone
        soft(ellipse((0.195, 0.165), (0.055, 0.014), -0.55), (0.72, 0.55, 0.55), 0.6, 0.014)
    soft(ellipse((0.56 * ex, -0.03), (0.018, 0.035)), (0.80, 0.70, 0.68), 0.5, 0.012)
    fold = smooth([(head.nose_width + 0.012, ny - 0.005), (0.100, 0.205), (head.mouth_x + 0.018, my)])
    soft(ribbon(fold, (0.012, 0.002)), (0.70, 0.58, 0.54), min(0.16 + 0.40 * smile + 0.35 * old, 0.9), 0.006)
    if has("Bags_Under_Eyes"):
        bag = smooth([(ex - 0.05, 0.036), (ex, 0.060), (ex + 0.045, 0.042)])
        soft(ribbon(bag, (0.020, 0.004)), (0.66, 0.55, 0.60), 0.75, 0.007)
    _paint_marks(canvas, head, coverage)
    if old:
        _paint_wrinkles(canvas, head, coverage)
    return coverage


def _paint_marks(canvas: Canvas, head: Head, coverage: np.ndarray) -> None:
    """Moles and freckles, the person's own."""
    person = head.face.person
    rng = np.random.default_rng((*person.seed, 2))

    def dots(count, spread_x, middle, spread_y, radius, factor):
        places = rng.normal(0, 1, (count, 2)) * (spread_x, spread_y) + (0, middle)
        if count:
            polygons = [head.place(ellipse(place, (radius, radius), count=6)) for place in places]
            canvas.shade(canvas.mask(*polygons).within(coverage), factor, 0.8)

    dots(int(rng.choice(4, p=(0.5, 0.25, 0.15, 0.1))), 0.10, 0.12, 0.14, 0.006, (0.50, 0.38, 0.33))
    dots(int(36 * person.freckles), 0.10, 0.09, 0.04, 0.0055, (0.78, 0.60, 0.48))


def _paint_wrinkles(canvas: Canvas, head: Head, coverage: np.ndarray) -> None:
    """Forehead, crow's feet, below the eyes, beside the mouth."""
    forehead = [[(-0.13, y + 0.012), (-0.05, y), (0.05, y), (0.13, y + 0.012)] for y in (-0.215, -0.180, -0.145)]
    strokes = [head.place(ribbon(smooth(line), (0.011, 0.003))) for line in forehead]
    corner, mouth = head.eye_x + 0.068, head.mouth_x + 0.016
    sides = [[(corner, 0.0), (corner + 0.02, fan / 2), (corner + 0.036, fan)] for fan in (-0.028, 0.002, 0.03)]
    sides.append([(head.eye_x - 0.04, 0.042), (head.eye_x, 0.054), (head.eye_x + 0.04, 0.042)])
    sides.append(
        [(mouth, head.corner_y + 0.015), (mouth + 0.004, head.corner_y + 0.035), (mouth, head.corner_y + 0.055)]
    )
    for line in sides:
        strokes += head.both(ribbon(smooth(line), (0.010, 0.003)))
    canvas.shade(canvas.mask(*strokes, soft=0.003).within(coverage), (0.62, 0.50, 0.46), 0.7)
