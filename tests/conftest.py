"""What all tests share."""

import pytest
import torch

# oneDNN's gradient of a 1x1 convolution was seen to wait for ever on two threads, and aborts on one.
torch.backends.mkldnn.enabled = False

#: Files that take minutes: they begin first, so that no worker is left alone with one in the end.
DEAR = (
    "test_sharded_steps.py",
    "test_train_cluster.py",
    "test_train.py",
    "test_steps.py",
    "test_train_colab_tpu.py",
    "test_compile_tpu.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: DEAR.index(item.path.name) if item.path.name in DEAR else len(DEAR))
