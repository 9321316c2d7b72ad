"""What the shapes of a file's entries say about its network."""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from a3gan_jax.convert.layouts.errors import LayoutError, Nearest

Shape = tuple[int, ...]
MAX_COUNT = 100  # of layers or blocks; what a forged file could ask for beyond that only takes time
_INTEGER = "(0|[1-9][0-9]*)"


@functools.cache
def numbered(template: str) -> re.Pattern[str]:
    """What matches a name with a number, as Python writes it, at each ``{}``."""
    return re.compile(_INTEGER.join(re.escape(part) for part in template.split("{}")))


@dataclass(frozen=True)
class ShapeReader:
    """Reads constructor arguments off the shapes of a state dict."""

    layout: str
    shapes: Mapping[str, Shape]

    def __call__(self, key: str, axis: int, rank: int) -> int:
        """One length of one entry's shape; LayoutError where the entry is absent, empty or of another rank."""
        if key not in self.shapes:
            self.fail(f"{key}: missing{Nearest()(key, self.shapes)}")
        shape = self.shapes[key]
        if len(shape) != rank or min(shape) < 1:
            self.fail(f"{key}: shape {shape} is not one of {rank} axes with something in it")
        return shape[axis]

    def count(self, pattern: str) -> int:
        """How many numbers stand at the ``{}`` of a pattern; at least one, and they must be 0, 1, 2 and so on."""
        found = {int(match[1]) for key in self.shapes if (match := numbered(pattern).fullmatch(key))}
        if len(found) > MAX_COUNT:
            self.fail(f"{pattern.format(MAX_COUNT)}: more than {MAX_COUNT} layers of a kind make no such network")
        if found != set(range(len(found))) or not found:
            missing = pattern.format(next(i for i in range(len(found) + 1) if i not in found))
            self.fail(f"{missing}: missing{Nearest()(missing, self.shapes)}")
        return len(found)

    def fail(self, problem: str) -> NoReturn:
        raise LayoutError(self.layout, [problem])

    def image_size(self, convolution: str, dense: str, layers: int) -> int:
        """The side in pixels for which a dense layer behind stride-2 convolutions was made.

        ``convolution`` is the last of them, ``layers`` how many there are.
        """
        channels, inputs = self(convolution, 0, 4), self(dense, 1, 2)
        side = math.isqrt(inputs // channels)
        if side * side * channels != inputs:
            self.fail(f"{dense}: {inputs} inputs are no square feature map of {channels} channels")
        return side * 2**layers
