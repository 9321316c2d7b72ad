"""Which layout a file has, by the names and shapes of its tensors alone."""

from collections.abc import Iterable
from typing import Any

from a3gan_jax.convert.layouts.errors import LayoutError
from a3gan_jax.convert.layouts.table import Layout, build, entries, network_of, state_dict_of


class UnclearLayout(ValueError):
    """No layout, or more than one, has the names and shapes of a file."""


def guess(layouts: Iterable[Layout], checkpoint: Any) -> Layout:
    """The one layout whose network the file fills; that its values fit too is for ``build`` to see.

    Raises:
        UnclearLayout: no layout fits, or several do. Lists them all, and of the nearest one what does not fit.
    """
    layouts = list(layouts)
    names = ", ".join(layout.name for layout in layouts)
    known = {layout.name: _share_of_known_names(layout, checkpoint) for layout in layouts}
    problems = {layout.name: _problems(layout, checkpoint) for layout in layouts if known[layout.name] == 1}
    fits = [layout for layout in layouts if problems.get(layout.name) == ()]
    if len(fits) == 1:
        return fits[0]
    if fits:
        which = ", ".join(layout.name for layout in fits)
        raise UnclearLayout(f"fits several layouts: {which}; choose the network to convert with --from LAYOUT")
    nearest = max(layouts, key=lambda layout: (known[layout.name], -len(problems.get(layout.name, ()))))
    if not known[nearest.name]:
        raise UnclearLayout(f"has none of the layouts: {names}{_found(nearest, checkpoint)}")
    try:
        build(nearest, state_dict_of(nearest, checkpoint))
    except LayoutError as error:  # names what is near to what is missing, too
        raise UnclearLayout(
            f"has none of the layouts: {names}; the nearest is {nearest.name}, but it {error}"
        ) from None
    raise AssertionError(f"{nearest.name} fits after all")


def _share_of_known_names(layout: Layout, checkpoint: Any) -> float:
    try:
        tensors = state_dict_of(layout, checkpoint)
    except LayoutError:
        return 0.0
    if layout.fold:  # the table has the names after the folding
        return 1 - sum(problem.endswith(": not known") for problem in _problems(layout, checkpoint)) / len(tensors)
    return sum(map(layout.knows, tensors)) / len(tensors)


def _problems(layout: Layout, checkpoint: Any) -> tuple[str, ...]:
    """What keeps a file's names and shapes from filling the layout's network."""
    try:
        tensors = state_dict_of(layout, checkpoint)
        if layout.fold:
            tensors = layout.fold(tensors)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        arguments = layout.arguments(shapes)
        expected = entries(layout, network_of(layout, arguments)[1])
    except LayoutError as error:
        return error.problems
    problems = []
    for name, shape in expected.items():
        if name not in shapes:
            problems.append(f"{name}: missing, of shape {shape}")
        elif shapes[name] != shape:
            problems.append(f"{name}: shape {shapes[name]} where this network takes {shape}")
    problems += [f"{name}: not known" for name in shapes if name not in expected and not layout.ignores(name)]
    return tuple(problems)


def _found(layout: Layout, checkpoint: Any) -> str:
    """What the file has instead, where it has names at all."""
    try:
        few = list(state_dict_of(layout, checkpoint))[:3]
    except LayoutError as error:
        return f" (it {'; '.join(error.problems[:3])})"
    return f" (its tensors are {', '.join(ascii(name[:80]) for name in few)} ...)"
