"""A quick look at faces that the training does not see: contact sheets and a few figures."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh
from PIL import Image

from a3gan_jax import inference, sharding
from a3gan_jax.compilation import network_jit
from a3gan_jax.contact_sheet import contact_sheet, heat_maps, to_uint8
from a3gan_jax.models.recognizers import Recognizer
from a3gan_jax.networks import Networks
from a3gan_jax.views import arcface_view

SEEDS = 3  # pseudonyms a face on the sheets


class HeldOut:
    """Anonymises the same faces with the same seeds every time, everything free to change.

    Args:
        faces: a batch of the pipeline, ``image`` uint8 (N, S, S, 3) and ``attributes`` uint8 (N, K); the same in every
            process.
        rows: how many of them the sheets show.
        networks: to run; their variables come with each call.
        recognizers: to compare originals and pseudonyms with; may be none.
        frozen: name of a recogniser -> its variables.
        batch_size: faces at a time over all devices.
        mesh: what to run on.
        key: of the seeds.
    """

    def __init__(
        self,
        faces: Mapping[str, np.ndarray],
        *,
        rows: int,
        networks: Networks,
        recognizers: Sequence[Recognizer],
        frozen: Mapping[str, Any],
        batch_size: int,
        mesh: Mesh,
        key: Array,
    ):
        self._photos, self._rows = faces["image"], rows
        self._images = faces["image"].astype(np.float32) / 127.5 - 1
        self._attributes = faces["attributes"].astype(np.float32)
        self._z = np.asarray(
            inference.pseudonym_seeds(jax.random.split(key, (SEEDS, len(self._images))), networks.config.z_dim)
        )
        self._batch_size, self._mesh = batch_size, mesh

        self._anonymize = self._jit(functools.partial(_anonymize, networks))
        self._thresholds = {recognizer.name: recognizer.threshold for recognizer in recognizers}
        self._embed = {
            recognizer.name: functools.partial(
                self._jit(functools.partial(_embed, recognizer)), frozen[recognizer.name]
            )
            for recognizer in recognizers
        }
        self._originals = {name: self._run(embed, self._images) for name, embed in self._embed.items()}

    def sheet(self, variables: Mapping[str, Any]) -> Image.Image:
        """Original | strength 0 | strength 1 with three seeds | the gates of the last one, deepest first."""
        rows = slice(self._rows)
        columns = [("original", self._photos[rows])]
        columns.append(("strength 0", to_uint8(self._generate(variables, 0, 0.0, rows)[0])))
        for seed in range(SEEDS):
            images, gates = self._generate(variables, seed, 1.0, rows)
            columns.append((f"strength 1, seed {seed + 1}", to_uint8(images)))
        size = self._photos.shape[1]
        columns += [(f"gate {gate.shape[1]} px", heat_maps(gate, size)) for gate in gates]
        return contact_sheet(columns)

    def validate(self, variables: Mapping[str, Any]) -> dict[str, float]:
        """Figures over all faces.

        ``psnr``: dB at strength 0, mean over faces. For each recogniser, at strength 1: ``cosine`` of anonymised and
        original, and ``matched``, the share above the published threshold (SFace: 0.363), where there is one.
        """
        everyone = slice(None)
        restored, _ = self._generate(variables, 0, 0.0, everyone)
        anonymised, _ = self._generate(variables, 0, 1.0, everyone)
        error = ((restored - self._images) ** 2).mean((1, 2, 3))
        figures = {"validation/psnr": float(np.mean(10 * np.log10(4 / np.maximum(error, 1e-10))))}
        for name, embed in self._embed.items():
            cosine = (self._run(embed, anonymised) * self._originals[name]).sum(-1)
            figures[f"validation/{name}_cosine"] = float(cosine.mean())
            if (threshold := self._thresholds[name]) is not None:
                figures[f"validation/{name}_matched"] = float((cosine > threshold).mean())
        return figures

    def _generate(self, variables: Any, seed: int, strength: float, rows: slice) -> tuple[np.ndarray, tuple]:
        z = self._z[seed, rows]
        return self._run(
            functools.partial(self._anonymize, variables),
            self._images[rows],
            self._attributes[rows],
            z,
            np.full(len(z), strength, np.float32),
        )

    def _jit(self, function: Callable) -> Callable:
        """Jitted, with outputs that every process can read."""
        return network_jit(function, out_shardings=sharding.replicated(self._mesh))

    def _run(self, function: Callable, *arrays: np.ndarray) -> Any:
        """Runs a function of batches over all rows; one compiled shape, the last batch is filled up and cut again."""
        count, outputs = len(arrays[0]), []
        for start in range(0, count, self._batch_size):
            part = np.arange(start, start + self._batch_size) % count
            batch = jax.device_put([array[part] for array in arrays], sharding.batch_sharding(self._mesh))
            outputs.append(jax.device_get(function(*batch)))
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *outputs)


def _anonymize(networks: Networks, variables: Any, images: Array, attributes: Array, z: Array, strength: Array) -> Any:
    everything = jnp.ones_like(attributes)
    images, _, gates = inference.anonymize(networks, variables, images, attributes, everything, attributes, z, strength)
    return images, gates


def _embed(recognizer: Recognizer, variables: Any, images: Array) -> Array:
    return recognizer.embed(variables, arcface_view(images))
