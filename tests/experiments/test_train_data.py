"""Which faces a run trains on, and which it holds out."""

from experiments.configuration import load_config
from experiments.train import open_faces


def test_extra_faces_are_trained_on_and_never_held_out(tmp_path):
    for folder, splits in (("one", ("train", "val")), ("two", ("train", "train", "val"))):
        (tmp_path / folder).mkdir()
        rows = [f"{number}.jpg,{split},1" for number, split in enumerate(splits)]
        (tmp_path / folder / "labels.csv").write_text("\n".join(["file,split,Young", *rows]))
        for number in range(len(splits)):
            (tmp_path / folder / f"{number}.jpg").touch()
    settings = [f"data.root={tmp_path / 'one'}", f"data.extra={tmp_path / 'two'},{tmp_path / 'two'}"]
    config = load_config("default.py", ["data.source=csv", *settings])
    assert [len(open_faces(config, split)) for split in ("train", "validation")] == [1 + 2 + 2, 1]
    config.data.extra = ""
    assert len(open_faces(config, "train")) == 1
