"""Compares SFace in Flax with the ONNX file it was read from, on real faces.

    python -m tools.compare_sface FOLDER [--faces=100]

Takes the first photos (sorted by path) of a folder tree in which a face is found, aligns the largest face of each, and
prints the lowest cosine between the two networks' embeddings in both forms of the convolutions, and the time an image
takes in each, forward and with the gradient with respect to the image.

Needs: pip install "a3gan-jax[eval]"
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from a3gan_jax.convert.recognizers import load_recognizer
from a3gan_jax.evals.onnx_recognizer import OnnxSFace
from a3gan_jax.faces.alignment import align
from a3gan_jax.faces.detector import YuNet

BATCH = 10


def aligned_faces(folder: Path, count: int) -> np.ndarray:
    """(count, 112, 112, 3) uint8; fewer where the folder has fewer."""
    detect, faces = YuNet(), []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png")):
        photo = np.asarray(Image.open(path).convert("RGB"))
        if found := detect(photo):
            faces.append(align(photo, found[0].landmarks))
        if len(faces) == count:
            break
    return np.array(faces)


def milliseconds(function: Callable, *arguments) -> float:
    """The median of five calls, the first one left out, for each image."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times)) / BATCH


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=int, default=100)
    given = parser.parse_args()
    faces = aligned_faces(given.folder, given.faces)
    if len(faces) < BATCH:
        parser.error(f"{given.folder} has {len(faces)} photos in which a face is found; at least {BATCH} are needed")
    faces = faces[: len(faces) // BATCH * BATCH]
    expected = OnnxSFace().embed(faces)
    images = jnp.asarray(faces, jnp.float32) / 127.5 - 1.0
    print(f"{len(faces)} faces, {jax.devices()[0].device_kind}, jax {jax.__version__}")
    for form in ("lax", "matmul"):
        recognizer, variables = load_recognizer("sface", conv=form)
        variables = jax.device_put(variables)
        embed = jax.jit(recognizer.embed)
        gradient = jax.jit(jax.grad(lambda x, v, r=recognizer: r.embed(v, x).sum()))
        found = np.concatenate([embed(variables, images[i : i + BATCH]) for i in range(0, len(images), BATCH)])
        cosines = (found * expected).sum(1)
        forward = milliseconds(embed, variables, images[:BATCH])
        both = milliseconds(gradient, images[:BATCH], variables)
        print(
            f"{form}: lowest cosine {cosines.min():.7f}, mean {cosines.mean():.7f}; "
            f"{forward:.1f} ms an image forward, {both:.1f} ms with the gradient"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
