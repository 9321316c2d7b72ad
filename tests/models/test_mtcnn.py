"""MTCNN's networks with the weights of the facenet-pytorch wheel: outputs and gradients are the package's."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from a3gan_jax.convert.layouts import LAYOUTS, LayoutError, build, state_dict
from a3gan_jax.convert.torch_file import read_checkpoint
from a3gan_jax.models.mtcnn import ceil_max_pool

#: Network and sizes of images. PNet takes any: the pooling's last window hangs over at odd heights and widths.
CASES = [("PNet", (11, 12)), ("PNet", (24, 24)), ("PNet", (37, 52)), ("PNet", (44, 51))]
CASES += [("RNet", (24, 24)), ("ONet", (48, 48))]


@pytest.fixture(scope="module")
def tensors(facenet_pytorch):
    """The wheel's file of each network, read without torch."""
    folder = Path(facenet_pytorch.__file__).parent / "data"
    return {name: read_checkpoint(folder / f"{name.lower()}.pt") for name in ("PNet", "RNet", "ONet")}


def _layout(name):
    return LAYOUTS[f"mtcnn_{name.lower()}"]


def _images(n, height, width):
    """Noise that is coarse enough to have something like features."""
    coarse = np.random.default_rng(0).uniform(-1, 1, (n, 6, 6, 3))
    return np.array(jax.image.resize(coarse, (n, height, width, 3), "linear"), np.float32)


@pytest.mark.parametrize(("name", "size"), CASES)
def test_outputs_are_torchs(peers, facenet_pytorch, tensors, name, size):
    network, arguments, variables = build(_layout(name), tensors[name])
    assert arguments == {}
    images, peer = _images(16, *size), getattr(facenet_pytorch, name)()  # which reads its file with torch
    got, wanted = peers.ours(network, variables, images), peers.theirs(peer, images)
    assert len(got) == len(wanted)
    for mine, theirs in zip(got, wanted, strict=True):
        assert peers.relative_error(mine, theirs) < 1e-5
    np.testing.assert_allclose(got[-1].sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", ["PNet", "RNet", "ONet"])
def test_the_way_back_is_bit_for_bit(tensors, name):
    back = state_dict(_layout(name), build(_layout(name), tensors[name])[2])
    assert back.keys() == tensors[name].keys()
    assert all(np.array_equal(back[key], tensors[name][key]) for key in back)


def test_no_file_fits_another_network(tensors):
    for name, other in (("PNet", "RNet"), ("RNet", "ONet"), ("ONet", "PNet")):
        with pytest.raises(LayoutError):
            build(_layout(name), tensors[other])


@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("size", [(4, 5), (6, 7), (9, 8)])
def test_pooling_is_torchs_ceil_mode(peers, window, size):
    x = -1 - np.random.default_rng(0).uniform(size=(2, *size, 3)).astype(np.float32)  # a zero at the edge would win
    wanted = peers.theirs(nn.MaxPool2d(window, 2, ceil_mode=True), x)
    np.testing.assert_array_equal(ceil_max_pool(jnp.asarray(x), window), wanted)


@pytest.mark.parametrize(("name", "size"), [("PNet", (23, 24)), ("RNet", (24, 24)), ("ONet", (48, 48))])
def test_gradient_with_respect_to_the_image_is_torchs(peers, facenet_pytorch, tensors, name, size):
    network, _, variables = build(_layout(name), tensors[name])
    images, peer = _images(2, *size), getattr(facenet_pytorch, name)()
    got = jax.jit(jax.grad(lambda x: sum((y**2).sum() for y in network.apply(variables, x))))(jnp.asarray(images))
    x = torch.from_numpy(images.transpose(0, 3, 1, 2)).clone().requires_grad_()
    sum((y**2).sum() for y in peer(x)).backward()
    assert peers.relative_error(np.asarray(got), x.grad.numpy().transpose(0, 2, 3, 1)) < 1e-5


@pytest.mark.parametrize(("name", "size"), [("PNet", 10), ("RNet", 25), ("ONet", 24)])
def test_another_image_size_is_refused(peers, tensors, name, size):
    network, _, variables = build(_layout(name), tensors[name])
    with pytest.raises(ValueError, match="this network takes"):
        network.apply(variables, peers.images(1, size))
