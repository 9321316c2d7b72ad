"""Anonymises a photo that everybody has: what ``make demo`` runs.

    python -m experiments.demo [--output runs/demo]

The photo is NASA's portrait of Eileen Collins, public domain, which comes with scikit-image. Writes
``before_after.png``: the photo, and three pseudonyms under three seeds.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from a3gan_jax.anonymizer import Anonymizer, FaceOutcome
from experiments.compilation import use_compilation_cache

SEEDS = (0, 1, 2)
GAP = 8  # white pixels between two photos


def side_by_side(photos: list[np.ndarray]) -> np.ndarray:
    """Photos (H, W, 3) uint8 in a row, with a white gap between them."""
    gap = np.full((photos[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([part for photo in photos for part in (photo, gap)][:-1], axis=1)


def told(face: FaceOutcome) -> str:
    """What became of a face, in words."""
    if face.outcome != "anonymised":
        return f"{face.outcome}: {face.reason}"
    changes = [f"{'' if new else 'not '}{name}" for name, new in face.after.items() if new != face.before[name]]
    similar = f"cosine to the original {face.cosine:.2f}; SFace calls it one person from 0.36 on"
    return f"anonymised ({similar}); now {', '.join(changes) or 'with the same attributes'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="folder of before_after.png")
    given = parser.parse_args()
    use_compilation_cache()
    photo = skimage.data.astronaut()
    anonymizer = Anonymizer.load()
    row = [photo]
    for seed in SEEDS:
        start = time.perf_counter()
        (result,) = anonymizer.anonymize_photos([photo], seed=seed)
        print(f"seed {seed}: {len(result.faces)} face(s), {time.perf_counter() - start:.1f} s")
        for face in result.faces:
            print(f"  {told(face)}")
        row.append(result.image)
    given.output.mkdir(parents=True, exist_ok=True)
    Image.fromarray(side_by_side(row)).save(given.output / "before_after.png")
    print(f"the photo, and the same under three seeds: {given.output / 'before_after.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
