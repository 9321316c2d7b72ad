"""Measures how well a trained model hides people, and what it leaves of their photos.

    python -m tools.measure_anonymization --model=RUN --root=FOLDER [--split=test] [--dial] [--json=FILE]
    python -m tools.measure_anonymization --baseline=blur --root=FOLDER

Everything is anonymised at strength 1 with every attribute free to change, one seed a person. Two recognisers compare
the results with the original photos at full resolution: SFace, which a model may have been trained against, and dlib,
which none is. Both see crops of 192 px, whatever the size of the model. A face that the detector misses is looked at
where it must be, so that a miss never counts as privacy. In a pass of its own some attributes are kept; whether an
attribute is there is said by the classifier that the model was trained with.

Prints a Markdown report. Needs: pip install "a3gan-jax[eval]"
"""

import argparse
import functools
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from a3gan_jax.data.pipeline import face_batches
from a3gan_jax.data.sources import SOURCES, SPLITS, FaceDataset, Part, load_dataset
from a3gan_jax.evals import fidelity
from a3gan_jax.evals.anonymization_report import SOURCE, Collected, summarize, to_markdown
from a3gan_jax.evals.dlib_recognizer import DlibAttacker
from a3gan_jax.evals.embedding_cache import EmbeddingCache
from a3gan_jax.evals.passes import BASELINES, SOME_KEPT, Batch, ModelPasses, Pass, baseline_passes
from a3gan_jax.evals.recognition import Attacker, TemplateAttacker, embed_all
from a3gan_jax.faces.detector import YuNet
from a3gan_jax.weights import read_model

VIEW = 192  # pixels, what detector and recognisers see
DIAL = (0.25, 0.5, 0.75)


def collect(
    photos: Iterable[Batch],
    batches: Iterable[Batch],
    passes: Callable[[Batch], dict[str, Pass]],
    attackers: Sequence[Attacker],
    cache: EmbeddingCache,
    total: int,
) -> Collected:
    """Measures photo by photo and keeps no image.

    Args:
        photos: batches of the pipeline at ``VIEW`` pixels.
        batches: the same photos at the size that ``passes`` takes.
        passes: what to measure.
        attackers: who looks at it.
        cache: of what they see on the originals.
        total: how many photos there are, for the progress.
    """
    collected, done = Collected(), 0
    look = functools.partial(embed_all, YuNet(), attackers)
    for photo, batch in zip(photos, batches, strict=True):
        found, embeddings = cache.embed(photo["image"], look)
        collected.add(SOURCE, identity=batch["identity"], attributes=batch["attributes"] > 0, found=found, **embeddings)
        for row, result in passes(batch).items():
            if row != SOME_KEPT:
                found, embeddings = look(enlarge(result.images))
                collected.add(row, found=found, **embeddings)
            psnr = fidelity.psnr(result.images, batch["image"])
            collected.add(row, psnr=psnr, difference=fidelity.mean_difference(result.images, batch["image"]))
            others = {"asked": result.asked, "seen": result.seen, "gates": result.gates}
            collected.add(row, **{what: value for what, value in others.items() if value is not None})
        done += len(batch["image"])
        print(f"{done} of {total} photos", file=sys.stderr, flush=True)
    return collected


def enlarge(images: np.ndarray) -> np.ndarray:
    """Images (N, S, S, 3) uint8 as the recognisers see them: ``VIEW`` pixels, resampled as the originals are."""
    size = images.shape[1]
    if size == VIEW:
        return images
    resampling = Image.Resampling.BICUBIC if size < VIEW else Image.Resampling.HAMMING
    return np.stack([np.asarray(Image.fromarray(image).resize((VIEW, VIEW), resampling)) for image in images])


def attackers() -> list[Attacker]:
    """Who looks at the faces."""
    return [TemplateAttacker("sface"), DlibAttacker()]


def main() -> None:
    arguments = _parse()
    try:
        measure(arguments)
    except (ModuleNotFoundError, FileNotFoundError, ValueError) as error:  # what a user can do something about
        sys.exit(f"measure_anonymization: error: {error}")


def measure(arguments: argparse.Namespace) -> None:
    """Measures and reports."""
    if arguments.model:
        model = read_model(arguments.model)
        size, names = model.config.image_size, model.config.attributes
        passes = ModelPasses(model, arguments.seed, arguments.batch_size, DIAL if arguments.dial else ())
        about, kept = {"model": str(arguments.model), "step": model.step}, passes.kept
    else:
        size, names, kept = arguments.size, (), ()
        passes = functools.partial(baseline_passes, arguments.baseline)
        about = {"baseline": arguments.baseline}

    dataset: FaceDataset = load_dataset(arguments.source, arguments.root, arguments.split)
    if dataset.num_people < 2:
        raise ValueError(
            "false accepts need photos of two people at least, and these name fewer (CSV: column identity)"
        )
    if arguments.limit:
        dataset = Part(dataset, 0, min(arguments.limit, len(dataset)))
    attacking = attackers()
    cache = EmbeddingCache(arguments.cache, arguments.split, [attacker.name for attacker in attacking])

    def batches(image_size: int) -> Iterable[Batch]:
        return face_batches(
            dataset, names=names, image_size=image_size, batch_size=arguments.batch_size, seed=0, train=False
        )

    collected = collect(batches(VIEW), batches(size), passes, attacking, cache, len(dataset))
    cache.save()
    about |= {"split": arguments.split, "image_size": size, "seed": arguments.seed}
    figures = about | summarize(collected, attacking, names, kept)
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    print(to_markdown(figures, attacking))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", type=Path, help="folder of a model, or workdir of a training")
    what.add_argument("--baseline", choices=BASELINES, help="instead of a model: what people do without one")
    parser.add_argument("--source", choices=SOURCES, default="celeba")
    parser.add_argument("--root", default="", help="folder of the photos, or several separated by commas")
    parser.add_argument("--split", choices=SPLITS, default="test", help="tune on validation, report test")
    parser.add_argument("--limit", type=int, help="only the first photos, for a quick look")
    parser.add_argument("--size", type=int, default=VIEW, help="side of the crops that a baseline takes, in pixels")
    parser.add_argument("--seed", type=int, default=0, help="of the pseudonyms")
    parser.add_argument("--dial", action="store_true", help="also measure a model at strengths 0.25, 0.5 and 0.75")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--json", type=Path, help="also write the figures into this file")
    parser.add_argument(
        "--cache", type=Path, help="folder for embeddings of the originals (personal data); default: keep none"
    )
    arguments = parser.parse_args()
    if arguments.dial and not arguments.model:
        parser.error("--dial: only a model has strengths")
    return arguments


if __name__ == "__main__":
    main()
