"""TFDS's celeb_a, prepared for real (from made-up photos, without TensorFlow) and read back."""

import sys

import numpy as np
import pytest

from a3gan_jax.attributes import CELEBA_ATTRIBUTES
from a3gan_jax.data.pipeline import face_batches
from a3gan_jax.data.tfds_source import TFDSCelebA

PEOPLE = [7, 7, 5, 9, 5, 7]  # of the train split


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory, celeba_folder):
    """TFDS's own builder, with the download replaced: features, encoding and file format are the real ones."""
    from tensorflow_datasets.datasets.celeb_a import celeb_a_dataset_builder as celeb_a

    photos = celeba_folder(tmp_path_factory.mktemp("photos") / "celeba", dict(enumerate(PEOPLE))) / "img_align_celeba"

    def examples(people):
        for i, person in enumerate(people):
            yield (
                i,
                {
                    "image": (photos / f"{i:06d}.jpg").read_bytes(),
                    "landmarks": dict.fromkeys(celeb_a.LANDMARK_HEADINGS, 0),
                    "attributes": {name: bool(i >> (k % 8) & 1) for k, name in enumerate(CELEBA_ATTRIBUTES)},
                    "identity": {"Identity_No": person},
                },
            )

    def splits(self, downloads):
        return {"train": examples(PEOPLE), "validation": examples([3]), "test": examples([4])}

    root = tmp_path_factory.mktemp("tfds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(celeb_a.Builder, "_split_generators", splits)
        celeb_a.Builder(data_dir=root, file_format="array_record").download_and_prepare()
    return str(root)


def test_reads_photos_attributes_and_people(data_dir):
    train = TFDSCelebA(data_dir, "train", min_photos=2)
    assert (len(train), train.people) == (6, (5, 7))
    faces = [train[i] for i in range(6)]  # TFDS shuffles what it writes: the attributes tell which photo it was
    number = [sum(int(face["attributes"][k]) << k for k in range(8)) for face in faces]
    assert sorted(number) == list(range(6))
    for face, n in zip(faces, number, strict=True):
        assert face["identity"] == {5: 0, 7: 1}.get(PEOPLE[n], -1)
        assert face["attributes"].tolist() == [n >> (k % 8) & 1 for k in range(40)]
    assert faces[3]["name"] == "celeb_a/train/000003"
    assert len(TFDSCelebA(data_dir, "validation")) == 1


def test_feeds_the_pipeline_without_tensorflow(data_dir):
    settings = dict(names=("Bald",), image_size=16, batch_size=6, seed=0, train=False, threads=2)
    batch = next(face_batches(TFDSCelebA(data_dir, "train"), **settings))
    assert batch["image"].shape == (6, 16, 16, 3) and len(np.unique(batch["image"].mean((1, 2, 3)))) == 6
    assert "tensorflow" not in sys.modules


def test_says_how_to_prepare_what_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r'(?s)celeb_a cannot be read from .*file_format="array_record"'):
        TFDSCelebA(str(tmp_path), "train")
