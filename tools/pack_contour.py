"""Puts the network that outlines faces among the weights that come with the package.

    python -m tools.pack_contour [--output=a3gan_jax/weights/face_contour.npz]

It is MediaPipe's face mesh of 468 points, of which it keeps those of the outline, x and y, and its word on whether
there is a face, in half precision. The original file comes with a package of the extra ``eval`` (see the Makefile). The
sha256, which is printed, belongs into ``a3gan_jax/faces/contour.py``.
"""

import argparse
import hashlib
import io
import sys
from pathlib import Path

import numpy as np
from flax import traverse_util

from a3gan_jax.convert.face_mesh import read_face_mesh
from a3gan_jax.evals.face_mesh import MESH_FILE, MESH_PACKAGE
from a3gan_jax.faces.contour import WEIGHTS
from a3gan_jax.models.face_mesh import CONTOUR
from a3gan_jax.pretrained import wheel_file


def packed() -> bytes:
    """The file's content.

    Raises:
        ModuleNotFoundError, FileNotFoundError, ValueError: a package is missing, or another one.
    """
    variables = read_face_mesh(wheel_file(*MESH_FILE, install=MESH_PACKAGE), CONTOUR, axes=2)
    flat = traverse_util.flatten_dict(variables, sep="/")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{path: leaf.astype(np.float16) for path, leaf in flat.items()})
    return buffer.getvalue()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    try:
        content = packed()
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:  # what a user can do something about
        print(f"pack_contour: error: {error}", file=sys.stderr)
        return 2
    given.output.write_bytes(content)
    print(f"{given.output}: {len(content) / 1024:.0f} KiB, sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
