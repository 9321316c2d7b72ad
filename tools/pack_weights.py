"""Puts a trained model among the weights that come with the package.

    python -m tools.pack_weights --model=DIR --name=celeba

DIR is an exported model or the workdir of a training. Write the model's card beside it: a3gan_jax/weights/NAME.md.
"""

import argparse
from pathlib import Path

from a3gan_jax.checkpoint import load_model
from a3gan_jax.weights import pack

LARGEST = 16 << 20  # bytes of all weights in the package


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--name", required=True)
    given = parser.parse_args()
    file = pack(load_model(given.model), given.name)
    print(f"{file}: {file.stat().st_size / 2**20:.2f} MiB")
    if (total := sum(path.stat().st_size for path in file.parent.glob("*.npz"))) > LARGEST:
        parser.error(f"all weights together take {total / 2**20:.1f} MiB, more than {LARGEST >> 20}: take one out")


if __name__ == "__main__":
    main()
