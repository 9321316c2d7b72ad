"""Draws the pictures of the README: what a trained model makes of photos of one face each.

    python -m tools.draw_pictures PHOTO [PHOTO ...] --output=docs [--weights=MODEL] [--attribute=NAME]

Writes into the folder, a row a photo, the face of each cut out as the model sees it, with attributes controlled as in
photos:

    seeds.jpg       the original, and five seeds
    attribute.jpg   the original, and two seeds each that keep an attribute and change it
    dial.jpg        strength 0, 1/4 ... 1 of one seed
    gates.jpg       the original, what is made of it, and where each suppressive unit acts (0 dark, 1 bright)

They show original faces: take photos whose people and licence allow it.
"""

import argparse
import sys
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from a3gan_jax import inference
from a3gan_jax.attributes import control
from a3gan_jax.checkpoint import SavedModel
from a3gan_jax.compilation import network_jit
from a3gan_jax.contact_sheet import contact_sheet, heat_maps, to_uint8
from a3gan_jax.face_model import FaceModel
from a3gan_jax.faces.detector import YuNet
from a3gan_jax.networks import Networks
from a3gan_jax.weights import read_model
from experiments.compilation import use_compilation_cache
from tools.align_faces import cut_largest_face

SEEDS = 5
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
QUALITY = 90  # of the JPEG files

Columns = list[tuple[str, np.ndarray]]


def seeds(model: FaceModel, faces: np.ndarray) -> Columns:
    """One face under several seeds."""
    free = control(model.attribute_names, in_photo=True)
    made = [(f"seed {seed}", model.anonymize(faces, seed=seed, control=free).images) for seed in range(SEEDS)]
    return [("original", faces), *made]


def attribute(model: FaceModel, faces: np.ndarray, name: str) -> Columns:
    """One attribute kept and changed, whichever of its two values a face shows.

    Raises:
        ValueError: the model does not know the attribute.
    """
    names = model.attribute_names
    keep = control(names, keep=[name], in_photo=True)
    shown = model.predict_attributes(faces)[:, names.index(name)]
    columns = [("original", faces)]
    for seed in range(2):
        columns.append((f"kept, seed {seed}", model.anonymize(faces, seed=seed, control=keep).images))
        changed = np.empty_like(columns[-1][1])
        for value in (0, 1):
            rows = shown != value
            forced = control(names, set={name: value}, in_photo=True)
            changed[rows] = model.anonymize(faces, seed=seed, control=forced).images[rows]
        columns.append((f"changed, seed {seed}", changed))
    return columns


def dial(model: FaceModel, faces: np.ndarray) -> Columns:
    """From the original to the pseudonym."""
    free = control(model.attribute_names, in_photo=True)
    made = [(f"strength {each:g}", model.anonymize(faces, strength=each, control=free).images) for each in STRENGTHS]
    return [("original", faces), *made]


def gates(saved: SavedModel, faces: np.ndarray) -> Columns:
    """Where each unit suppresses, deepest first."""
    networks, count = Networks.create(saved.config), len(faces)
    free = control(saved.config.attributes, in_photo=True)

    def run(variables, images, keys):
        x = inference.to_float(images)
        shown = (inference.predict_attributes(networks, variables["discriminator"], x) > 0.5).astype(np.float32)
        z = inference.pseudonym_seeds(keys, saved.config.z_dim)
        base, whole = free.resolve(shown), np.ones(count, np.float32)
        y, _, opened = inference.anonymize(networks, variables, x, shown, free.change, base, z, whole)
        return y, opened

    y, opened = jax.device_get(network_jit(run)(saved.variables, faces, jax.random.split(jax.random.key(0), count)))
    maps = [(f"gates, {gate.shape[1]} px", heat_maps(gate, faces.shape[1])) for gate in opened]
    return [("original", faces), ("strength 1", to_uint8(y)), *maps]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--output", type=Path, required=True, help="folder, is made")
    parser.add_argument("--weights", default="celeba", help="a model's folder, or its name in the package")
    parser.add_argument("--attribute", default="Mouth_Slightly_Open", help="to keep and to change")
    given = parser.parse_args()
    use_compilation_cache()
    try:
        saved = read_model(given.weights)
        detector = YuNet()
        faces = np.stack([cut_largest_face(photo, detector, saved.config.image_size) for photo in given.photos])
        model = FaceModel(saved)
        pictures = {
            "seeds": seeds(model, faces),
            "attribute": attribute(model, faces, given.attribute),
            "dial": dial(model, faces),
            "gates": gates(saved, faces),
        }
    except (FileNotFoundError, ValueError) as error:  # what a user can do something about
        sys.exit(f"draw_pictures: error: {error}")
    given.output.mkdir(parents=True, exist_ok=True)
    for name, columns in pictures.items():
        path = given.output / f"{name}.jpg"
        sheet: Image.Image = contact_sheet(columns)
        sheet.save(path, quality=QUALITY, subsampling=0)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
