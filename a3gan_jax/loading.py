"""``load``: any model folder, as an object that can be called."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from a3gan_jax import inference
from a3gan_jax.checkpoint import load_model
from a3gan_jax.compilation import network_jit
from a3gan_jax.convert.converted_model import ConvertedModel, read_converted
from a3gan_jax.model_folder import read_description
from a3gan_jax.networks import Networks


@dataclasses.dataclass(frozen=True, eq=False)
class A3GANModel:
    """A trained A3GAN as networks see it: arrays in, arrays out. For photos and bytes there is ``Anonymizer``.

    network: the modules.  variables: by network, see ``SavedModel``.  description: what ``model.json`` says.
    """

    network: Networks
    variables: Any
    description: Mapping[str, Any]

    def __call__(
        self,
        images: Array,
        attributes: Array,
        new_attributes: Array | None = None,
        *,
        seed: int = 0,
        strength: float = 1.0,
    ) -> Array:
        """Faces of other people; jitted.

        Args:
            images: (N, S, S, 3) RGB in [-1, 1], aligned crops of the model's size.
            attributes: (N, K) in {0, 1}, those of the images.
            new_attributes: (N, K) in {0, 1}, those the pseudonyms shall show; None: AINet chooses all of them.
            seed: of the pseudonyms, 0 <= seed < 2**32. Row i gets the same z whatever is in the other rows.
            strength: 1 anonymises, 0 reconstructs; in between the gates are half shut (``FaceModel`` morphs instead).

        Returns:
            Images (N, S, S, 3) in [-1, 1].
        """
        variables = {name: self.variables[name] for name in ("generator", "ainet")}
        key = jax.random.key(jnp.uint32(seed))
        return _anonymize(self.network, variables, images, attributes, new_attributes, key, jnp.float32(strength))


@functools.partial(network_jit, static_argnums=0)
def _anonymize(
    networks: Networks,
    variables: Any,
    images: Array,
    attributes: Array,
    new_attributes: Array | None,
    key: Array,
    strength: Array,
) -> Array:
    count = images.shape[0]
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))
    z = inference.pseudonym_seeds(keys, networks.config.z_dim)
    attributes = jnp.asarray(attributes, jnp.float32)
    free = new_attributes is None
    base = attributes if free else jnp.asarray(new_attributes, jnp.float32)
    change = jnp.full(attributes.shape[1:], float(free))
    return inference.anonymize(networks, variables, images, attributes, change, base, z, jnp.full(count, strength))[0]


def load(directory: str | Path, *, conv: str = "auto") -> ConvertedModel | A3GANModel:
    """Reads a folder made by ``tools/convert.py``, an exported A3GAN, or the newest checkpoint of a training's workdir.

    Args:
        directory: the folder.
        conv: form of the convolutions in a converted network: ``lax``, ``matmul``, or ``auto`` for what is faster on
            this machine. An A3GAN has its own in its configuration.

    Raises:
        FileNotFoundError: the folder is neither, or has no checkpoint yet.
        ValueError: it was written in a newer format.
    """
    description = read_description(Path(directory).absolute())
    if "networks" not in description:
        model = read_converted(directory, conv=conv)
        return dataclasses.replace(model, variables=jax.device_put(model.variables))
    saved = load_model(directory)
    return A3GANModel(Networks.create(saved.config), jax.device_put(saved.variables), description)
