"""Plots of a report as inline SVG: text stays text, and takes the page's colour in light and in dark."""

import html
import io
import itertools
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from a3gan_jax.evals.figures import Figure
from a3gan_jax.evals.report_sections import visible

#: Seen on white and on near black; after ten methods the lines change their pattern.
COLOURS = (
    "#2f7ed8", "#d9541e", "#1a9a6c", "#c43d8f", "#b07d00", "#7a5cd6", "#0e97a3", "#d23b4b", "#6b8e23", "#85888c"
)  # fmt: skip
PATTERNS = ("solid", "dashed", "dotted")  # matplotlib and CSS call them the same

INK = "#010203"  # in matplotlib; becomes the page's own colour
SIZE = (4.6, 4.0)  # inches: read at 400 pixels, enlarged on wide pages
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "a3gan",  # the same plot, the same bytes
    "text.parse_math": False,  # a name with $ is no formula
    "font.size": 10,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
}

Point = tuple[str, Figure, Figure]  # a method's name, its leakage, its utility


def line_style(place: int) -> tuple[str, str]:
    """Colour and pattern of the method at this place in the report."""
    return COLOURS[place % len(COLOURS)], PATTERNS[place // len(COLOURS) % len(PATTERNS)]


def privacy_utility(points: Mapping[str, tuple[Figure, Figure]], order: Sequence[str], x: str, y: str) -> str:
    """Every method as a named point with its intervals.

    Args:
        points: method -> the figures along x and y; neither is nan.
        order: of all methods, which gives the colours.
        x, y: titles of the axes.
    """

    def draw(axes: Any) -> None:
        for name, (along, up) in points.items():
            colour, _ = line_style(order.index(name))
            errors = [_reach(along), _reach(up)]
            axes.errorbar(along.value, up.value, errors[1], errors[0], "o", color=colour, elinewidth=1, alpha=0.9)
        axes.margins(0.12)
        axes.grid(alpha=0.15, color=INK)
        axes.set(xlabel=_wrapped(x), ylabel=_wrapped(y))
        _name_points(axes, points, order)

    return _svg(draw, f"{y} against {x}")


def roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], order: Sequence[str], title: str) -> str:
    """Curves of method -> false and true accept rates, (K,) each; the dotted grey line is chance."""

    def draw(axes: Any) -> None:
        least = min(rates[rates > 0].min(initial=0.1) for rates, _ in curves.values())
        chance = np.geomspace(least, 1, 100)
        axes.plot(chance, chance, ":", color=INK, alpha=0.5, linewidth=1)
        for name, (false_accepts, true_accepts) in curves.items():
            colour, pattern = line_style(order.index(name))
            shown = false_accepts > 0  # a logarithmic axis has no 0
            axes.plot(false_accepts[shown], true_accepts[shown], color=colour, linestyle=pattern, linewidth=1.6)
        axes.set(xscale="log", xlim=(least, 1), ylim=(-0.02, 1.02), title=_wrapped(title))
        axes.xaxis.set_major_formatter(lambda rate, _: f"{100 * rate:g} %")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        axes.set(xlabel="false accept rate: two people pass for one", ylabel="true accept rate: someone is recognised")
        axes.grid(alpha=0.15, color=INK)

    return _svg(draw, f"ROC curves, {title}")


def place_labels(
    points: np.ndarray, sizes: np.ndarray, frame: tuple[float, float, float, float], obstacles: np.ndarray
) -> np.ndarray:
    """Lower left corners (N, 2) of labels beside their points, where they cover the least.

    Args:
        points: (N, 2), y up.
        sizes: (N, 2) of the labels.
        frame: left, bottom, right, top, to stay in.
        obstacles: (M, 4) boxes likewise, not to be covered.
    """
    taken = [*obstacles, *np.hstack([points - 4, points + 4])]
    steps = (0, 0.5, -0.5, 1, -1)
    directions = np.array([(x, y) for x, y in itertools.product(steps, steps) if max(abs(x), abs(y)) == 1])
    corners = []
    for point, size in zip(points, sizes, strict=True):
        best = None
        for distance, direction in itertools.product((8, 14, 24, 36, 50, 70), directions):
            corner = point + distance * direction + (direction - 1) / 2 * size
            box = np.concatenate([corner, corner + size])
            outside = np.maximum([frame[0] - box[0], frame[1] - box[1], box[2] - frame[2], box[3] - frame[3]], 0).sum()
            cost = 1e3 * outside + sum(_overlap(box, other) for other in taken) + 0.01 * distance
            if best is None or cost < best[0]:
                best = cost, corner, box
        corners.append(best[1])
        taken.append(best[2])
    return np.array(corners)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod())


def _reach(figure: Figure) -> list[list[float]]:
    """How far the interval reaches below and above the value."""
    if np.isnan(figure.low):
        return [[0.0], [0.0]]
    return [[max(figure.value - figure.low, 0.0)], [max(figure.high - figure.value, 0.0)]]


def _name_points(axes: Any, points: Mapping[str, tuple[Figure, Figure]], order: Sequence[str]) -> None:
    figure = axes.figure
    figure.draw_without_rendering()  # now the axes have their place
    figure.set_layout_engine("none")
    renderer = figure.canvas.get_renderer()
    labels = [axes.text(0, 0, visible(name), color=line_style(order.index(name))[0], size=9) for name in points]
    sizes = np.array([(box.width, box.height) for box in (label.get_window_extent(renderer) for label in labels)])
    places = axes.transData.transform([(along.value, up.value) for along, up in points.values()])
    ends = [
        ends
        for along, up in points.values()
        for ends in ([along.low, up.value, along.high, up.value], [along.value, up.low, along.value, up.high])
        if np.isfinite(ends).all()
    ]
    bars = axes.transData.transform(np.reshape(ends, (-1, 2))).reshape(-1, 4) + [-2, -2, 2, 2]
    corners = place_labels(places, sizes, axes.bbox.extents, bars)
    to_data = axes.transData.inverted()
    for label, corner, size, place in zip(labels, corners, sizes, places, strict=True):
        label.set_position(to_data.transform(corner))
        label.set_verticalalignment("bottom")
        nearest = np.clip(place, corner, corner + size)
        if np.hypot(*(nearest - place)) > 14:
            ends = to_data.transform([place, nearest])
            axes.plot(*ends.T, color=label.get_color(), linewidth=0.6, alpha=0.7, scalex=False, scaley=False)


def _wrapped(text: str) -> str:
    return textwrap.fill(visible(text), 40)  # as many as the axes are long


def _svg(draw: Callable[[Any], None], title: str) -> str:
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('report.html needs matplotlib: pip install "a3gan-jax[eval]"') from error
    with matplotlib.rc_context(STYLE):
        figure = Canvas(SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        text = io.StringIO()
        figure.savefig(
            text, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    label = html.escape(visible(title))
    return re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', lambda m: f'<svg {m[1]} role="img" aria-label="{label}">', svg, count=1
    )
