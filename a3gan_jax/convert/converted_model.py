"""A converted network with its weights, as ``tools/convert.py`` leaves it in a folder."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from flax import linen as nn
from jax import Array

from a3gan_jax.convert.layouts import LAYOUTS, Layout
from a3gan_jax.model_folder import MODEL_FORMAT, read_arrays, read_description
from a3gan_jax.models.layers import resolve_conv_form


@dataclasses.dataclass(frozen=True, eq=False)
class ConvertedModel:
    """A public network, ready for use as its own project uses it, but for NHWC.

    network: the Flax module.  variables: its variables.  description: what ``model.json`` says.
    """

    network: nn.Module
    variables: Any
    description: Mapping[str, Any]

    def __call__(self, images: Array, *others: Array) -> Any:
        """What the peer's network gives, feature maps as NHWC; jitted.

        Args:
            images: (N, H, W, 3) RGB, of the size and in the range that ``description["input"]`` tells.
            others: the network's further inputs: AttGAN's and STGAN's generators take attributes (N, K).
        """
        return _apply(self.network, LAYOUTS[self.description["network"]].prepare, self.variables, images, *others)


@jax.jit(static_argnums=(0, 1))
def _apply(network: nn.Module, prepare: Any, variables: Any, images: Array, *others: Array) -> Any:
    return network.apply(variables, images if prepare is None else prepare(images), *others)


def describe(layout: Layout, arguments: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """What ``model.json`` says of a converted network; ``source``: its file, see ``source_of``."""
    facts = layout.facts
    return {
        "format": MODEL_FORMAT,
        "network": layout.name,
        "arguments": dict(arguments),
        "input": {
            "size": facts.side(arguments),
            "sizes": facts.sides,
            "channel_order": "RGB",
            "value_range": facts.value_range,
            "normalisation": facts.normalisation,
        },
        "source": {**source, "public": facts.public, "licence": facts.licence},
    }


def source_of(file: Path) -> dict[str, str]:
    """Name and sha256 of a file."""
    with file.open("rb") as stream:
        return {"file": file.name, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def read_converted(directory: str | Path, *, conv: str = "auto") -> ConvertedModel:
    """Reads a folder made by ``tools/convert.py``, all but A3GAN's own.

    Args:
        directory: the folder.
        conv: form of the convolutions where the network has a choice: ``lax``, ``matmul``, or ``auto`` for what is
            faster on this machine.

    Raises:
        FileNotFoundError: the folder is no model.
        ValueError: it holds no converted network, or one of a newer version.
    """
    directory = Path(directory).absolute()
    description = read_description(directory)
    layout = LAYOUTS.get(description.get("network"))
    if layout is None:
        found = f"the network {description['network']!r}" if "network" in description else "an A3GAN"
        raise ValueError(f"{directory} holds {found}; converted networks are {', '.join(LAYOUTS)}")
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in description["arguments"].items()}
    if "conv" in {field.name for field in dataclasses.fields(layout.network)}:
        arguments["conv"] = resolve_conv_form(conv)
    return ConvertedModel(layout.network(**arguments), read_arrays(directory / "variables"), description)
