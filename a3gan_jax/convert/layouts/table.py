"""A layout is one table: which entry of a peer's state dict goes to which leaf of our network, in which order of axes.

The table is read in both directions and without exceptions: every entry of the file is used once or ignored by name,
every leaf of the network is filled once, shapes and dtypes fit, values are finite. All that is wrong is told at once.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util

from a3gan_jax.convert.layouts.errors import LayoutError, Nearest
from a3gan_jax.convert.layouts.shapes import Shape, numbered

#: How the axes of a PyTorch tensor become ours: target axis k is source axis PERMUTATIONS[name][k].
#: ``same`` leaves an array of any rank as it is. ``flattened_dense`` is a dense layer behind a flattened feature map:
#: (O, C * H * W) in the file, (H, W, C, O) here, so that the order of the features is in the shape.
PERMUTATIONS: Mapping[str, tuple[int, ...] | None] = {
    "same": None,
    "conv": (2, 3, 1, 0),  # (O, I, kh, kw) -> (kh, kw, I, O)
    "conv_transpose": (2, 3, 0, 1),  # (I, O, kh, kw) -> (kh, kw, I, O)
    "dense": (1, 0),  # (O, I) -> (I, O)
    "map": (1, 2, 0),  # (C, H, W) -> (H, W, C)
    "flattened_dense": (2, 3, 1, 0),
}


@dataclass(frozen=True)
class Rule:
    """One line of a table. ``{}`` in ``source`` and ``target`` stands for a number, the same ones in the same order.

    ``target`` is the leaf's path with its collection: ``params/encoder_{}/conv/kernel``.
    """

    source: str
    target: str
    permutation: str = "same"

    def match(self, key: str) -> str | None:
        """The target path of an entry, None where the rule is not about it."""
        return _translate(self.source, self.target, key)

    def match_target(self, path: str) -> str | None:
        """The name in the file of what fills a leaf, None where the rule is not about it."""
        return _translate(self.target, self.source, path)


@dataclass(frozen=True, kw_only=True)
class Table:
    """How variables are called in a file.

    ignored: regular expressions of the entries that carry nothing to convert.
    """

    name: str
    rules: tuple[Rule, ...]
    ignored: tuple[str, ...] = (r".*\.num_batches_tracked",)

    def ignores(self, key: str) -> bool:
        """Whether an entry carries nothing to convert."""
        return any(re.fullmatch(pattern, key) for pattern in self.ignored)

    def knows(self, key: str) -> bool:
        """Whether the table has a line for an entry, be it to ignore it."""
        return self.ignores(key) or any(rule.match(key) for rule in self.rules)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the shapes of a public network do not tell. Images are RGB.

    value_range: of the values that the network takes.  normalisation: in words, from bytes x in 0..255.
    side: constructor arguments -> side of the square images in pixels, None where several fit; sides: which, in words.
    public: where the files come from.  licence: what is said of the weights there, None where we know of nothing.
    """

    value_range: tuple[float, float]
    normalisation: str
    side: Callable[[Mapping[str, Any]], int | None]
    sides: str | None = None
    public: str
    licence: str | None


@dataclass(frozen=True, kw_only=True)
class Layout(Table):
    """How one public network is kept in a file, and the network of ours that it fills.

    arguments: shapes of all entries -> the network's constructor arguments; raises LayoutError where a file does not
    have what tells them.  inputs: constructor arguments -> the shapes of one example of the network's inputs.
    entry: the name under which a checkpoint of several networks keeps this one.
    fold: tensors of the file -> those of the table, for a file whose layers we merge.  onnx: the file is an ONNX graph.
    prepare: images as the peer's network takes them -> as ours does.
    """

    network: Callable[..., nn.Module]
    arguments: Callable[[Mapping[str, Shape]], dict[str, Any]]
    inputs: Callable[[Mapping[str, Any]], tuple[Shape, ...]]
    facts: Facts
    entry: str | None = None
    fold: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] | None = None
    onnx: bool = False
    prepare: Callable[[jax.Array], jax.Array] | None = None


def batch_norm(source: str, target: str) -> tuple[Rule, ...]:
    """The rules of a normalisation with running statistics; ``target`` is a path without its collection."""
    leaves = (("weight", "params", "scale"), ("bias", "params", "bias"))
    statistics = (("running_mean", "batch_stats", "mean"), ("running_var", "batch_stats", "var"))
    return tuple(Rule(f"{source}.{theirs}", f"{kind}/{target}/{ours}") for theirs, kind, ours in leaves + statistics)


def kernel_and_bias(source: str, target: str, permutation: str) -> tuple[Rule, ...]:
    """The rules of a convolution or dense layer with bias; ``target`` is a path without its collection."""
    kernel = Rule(f"{source}.weight", f"params/{target}/kernel", permutation)
    return kernel, Rule(f"{source}.bias", f"params/{target}/bias")


def state_dict_of(layout: Layout, checkpoint: Any) -> dict[str, np.ndarray]:
    """A network's tensors: of a checkpoint the layout's entry, where it has one, without DataParallel's ``module.``"""
    if not isinstance(checkpoint, Mapping):
        raise LayoutError(layout.name, [f"holds a {type(checkpoint).__name__}, not a state dict"])
    inner = checkpoint.get(layout.entry) if layout.entry else None
    tensors = inner if isinstance(inner, Mapping) else checkpoint
    problems = [f"{key}: a {type(key).__name__}, not a name" for key in tensors if not isinstance(key, str)]
    strange = {name: value for name, value in tensors.items() if not isinstance(value, np.ndarray)}
    problems += [f"{name}: a {type(value).__name__}, not a tensor" for name, value in strange.items()]
    if problems or not tensors:
        raise LayoutError(layout.name, problems or ["holds no tensors"])
    strip = all(name.startswith("module.") for name in tensors)
    return {name.removeprefix("module.") if strip else name: value for name, value in tensors.items()}


def build(layout: Layout, tensors: Mapping[str, np.ndarray]) -> tuple[nn.Module, dict[str, Any], dict[str, Any]]:
    """(network, its constructor arguments, its variables) from a state dict; LayoutError says what does not fit."""
    if layout.fold:
        tensors = layout.fold(tensors)
    arguments = layout.arguments({key: tuple(value.shape) for key, value in tensors.items()})
    network, target = network_of(layout, arguments)
    return network, arguments, apply_layout(layout, tensors, target)


def network_of(layout: Layout, arguments: Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """The network and the skeleton of its variables; LayoutError where arguments read off a file make none."""
    try:
        network = layout.network(**arguments)
        return network, skeleton(network, layout.inputs(arguments))
    except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
        cause = " ".join(str(error).split())[:200]
        raise LayoutError(layout.name, [f"no network can be made of {arguments}: {cause}"]) from error


def skeleton(network: nn.Module, inputs: Sequence[Shape]) -> dict[str, Any]:
    """Shapes and dtypes of a network's variables, with nothing computed and nothing allocated."""
    return jax.eval_shape(network.init, jax.random.key(0), *(jax.ShapeDtypeStruct(s, np.float32) for s in inputs))


def entries(layout: Table, target: Mapping[str, Any]) -> dict[str, Shape]:
    """Names and shapes of what a file must hold for a network whose variables look like ``target``, in table order."""
    leaves = traverse_util.flatten_dict(target, sep="/")
    rules = {path: _rule_of(layout, path) for path in leaves}
    if unnamed := [f"{path}: has no name in this layout" for path, rule in rules.items() if rule is None]:
        raise LayoutError(layout.name, sorted(unnamed))
    order = sorted(leaves, key=lambda path: layout.rules.index(rules[path]))
    return {rules[p].match_target(p): _source_shape(rules[p].permutation, leaves[p].shape) for p in order}


def apply_layout(layout: Table, tensors: Mapping[str, np.ndarray], target: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of a network whose shapes and dtypes are ``target``, filled from a state dict.

    A dtype may differ where the network's holds every value of it (float16 and bfloat16 for float32, not float64).
    """
    leaves = traverse_util.flatten_dict(target, sep="/")
    expected = entries(layout, target)
    nearest = Nearest()
    filled: dict[str, np.ndarray] = {}
    problems: list[str] = []
    for key, tensor in tensors.items():
        matches = [(path, rule) for rule in layout.rules if (path := rule.match(key)) is not None]
        ignored = layout.ignores(key)
        if len(matches) + ignored > 1:
            problems.append(f"{key}: the table has {len(matches) + ignored} lines for it")
        elif not matches and not ignored:
            problems.append(f"{key}: not known{nearest(key, expected)}")
        elif matches:
            path, rule = matches[0]
            if path not in leaves:
                problems.append(f"{key}: would be {path}, which this network has not{nearest(key, expected)}")
            elif path in filled:
                problems.append(f"{key}: {path} is already filled by another entry")
            elif problem := _misfit(tensor, _source_shape(rule.permutation, leaves[path].shape), leaves[path].dtype):
                problems.append(f"{key}: {problem}")
            else:
                filled[path] = _to_target(tensor, rule.permutation, leaves[path])
    for key, shape in expected.items():
        if key not in tensors:
            problems.append(f"{key}: missing, of shape {shape}{nearest(key, tensors)}")
    if problems:
        raise LayoutError(layout.name, problems)
    return traverse_util.unflatten_dict(filled, sep="/")


def state_dict(layout: Table, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The way back: a network's variables under the layout's names, in table order; LayoutError if one has none.

    What a table ignores is not written.
    """
    leaves = traverse_util.flatten_dict(variables, sep="/")
    tensors = {}
    for name in entries(layout, variables):
        path, permutation = next((p, r.permutation) for r in layout.rules if (p := r.match(name)) is not None)
        tensors[name] = _to_source(np.asarray(leaves[path]), permutation)
    return tensors


def _translate(template: str, into: str, name: str) -> str | None:
    match = numbered(template).fullmatch(name)
    return into.format(*match.groups()) if match else None


def _rule_of(layout: Table, path: str) -> Rule | None:
    return next((rule for rule in layout.rules if rule.match_target(path) is not None), None)


def _source_shape(permutation: str, target: Shape) -> Shape:
    axes = PERMUTATIONS[permutation]
    if axes is None:
        return target
    shape = tuple(target[axes.index(axis)] for axis in range(len(axes)))
    return (shape[0], math.prod(shape[1:])) if permutation == "flattened_dense" else shape


def _misfit(tensor: np.ndarray, shape: Shape, dtype: np.dtype) -> str | None:
    """What keeps a tensor from filling a leaf, None where nothing does."""
    if tensor.shape != shape:
        return f"shape {tensor.shape} where this network takes {shape}"
    if not jnp.issubdtype(tensor.dtype, jnp.floating) or not np.can_cast(tensor.dtype, dtype, "safe"):
        return f"dtype {tensor.dtype} does not fit into {dtype} without loss"
    return None if np.isfinite(tensor).all() else "holds NaN or infinity"


def _to_target(tensor: np.ndarray, permutation: str, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
    if (axes := PERMUTATIONS[permutation]) is not None:
        tensor = tensor.reshape([leaf.shape[axes.index(axis)] for axis in range(len(axes))]).transpose(axes)
    return np.array(tensor, leaf.dtype, order="C")  # a copy of its own: the file's memory can go


def _to_source(leaf: np.ndarray, permutation: str) -> np.ndarray:
    axes = PERMUTATIONS[permutation]
    turned = leaf if axes is None else leaf.transpose(np.argsort(axes))
    return np.ascontiguousarray(turned).reshape(_source_shape(permutation, leaf.shape))
