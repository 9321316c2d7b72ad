"""``dataset.json``, which says what is in a prepared data set and how far it is."""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import PIL

import a3gan_jax
from a3gan_jax.data.array_record_source import DESCRIPTION, FORMAT_VERSION, read_description
from a3gan_jax.data.sources import SPLITS, FaceDataset
from tools.preparation.shards import NEW, Shard


def describe(given: argparse.Namespace, sources: Mapping[str, FaceDataset]) -> dict[str, Any]:
    """dataset.json before any file is made."""
    splits = {}
    for split, faces in sources.items():
        count = max(1, min(given.shards, len(faces)))
        files = dict.fromkeys(f"{split}-{k:05d}-of-{count:05d}.array_record" for k in range(count))
        splits[split] = {"images": len(faces), "people": faces.num_people, "files": files}
    return {
        "format_version": FORMAT_VERSION,
        "complete": False,
        "made_with": {"a3gan_jax": a3gan_jax.__version__, "pillow": PIL.__version__},
        "source": given.source,
        "root": given.root,
        "image_size": given.image_size,
        "image_format": given.format,
        "shards": given.shards,
        "attributes": list(next(iter(sources.values())).attribute_names),
        "splits": splits,
    }


def claim(output: Path, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The description of the set in ``output``: the one that is there, or the one that is wanted, which is written.

    Raises:
        ValueError: the folder holds another set, or something else.
    """
    if not (output / DESCRIPTION).exists():
        if output.exists() and any(not path.name.endswith(NEW) for path in output.iterdir()):
            raise ValueError(f"{output} is not empty and holds no prepared data set: choose another folder")
        output.mkdir(parents=True, exist_ok=True)
        save(output, wanted)
        return wanted
    found = read_description(output)
    there, asked = decisions(found), decisions(wanted)
    if differing := [key for key in asked | there if asked.get(key) != there.get(key)]:
        changes = "; ".join(f"{key} was {there.get(key)}, now {asked.get(key)}" for key in differing)
        raise ValueError(f"{output} was begun otherwise: {changes}. Give the same options, or choose another folder")
    return found


def decisions(description: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same for a run to go on with the files of another."""
    kept = {key: description[key] for key in ("source", "root", "image_size", "image_format", "shards", "attributes")}
    for split in SPLITS:
        part = description["splits"].get(split)
        kept[split] = part and f"{part['images']} images of {part['people']} people"
    return kept


def shards_of(output: Path, description: Mapping[str, Any]) -> list[Shard]:
    """All files of a set in their order."""
    shards = []
    for split, part in description["splits"].items():
        count = len(part["files"])
        for k, name in enumerate(part["files"]):
            start, stop = (part["images"] * i // count for i in (k, k + 1))
            size, image_format, attributes = (description[key] for key in ("image_size", "image_format", "attributes"))
            shards.append(Shard(output / name, split, start, stop, size, image_format, len(attributes)))
    return shards


def save(output: Path, description: Mapping[str, Any]) -> None:
    """Writes dataset.json whole or not at all."""
    temporary = output / f"{DESCRIPTION}.{os.getpid()}{NEW}"
    temporary.write_text(json.dumps(description, indent=1) + "\n")
    os.replace(temporary, output / DESCRIPTION)


def corrupt_images(description: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    files = (facts for part in description["splits"].values() for facts in part["files"].values())
    return [entry for facts in files for entry in facts["corrupt"]]


def summary(output: Path, description: Mapping[str, Any]) -> str:
    """What is in a finished set, a line a split."""
    lines = []
    for split, part in description["splits"].items():
        records, size = (sum(facts[key] for facts in part["files"].values()) for key in ("records", "bytes"))
        lines.append(
            f"{split}: {records} faces of {part['people']} people, {len(part['files'])} files, {size / 1e6:.1f} MB"
        )
    kind = f"{description['image_size']} px, {description['image_format']}"
    return "\n".join([f"{output} ({kind})", *lines])
