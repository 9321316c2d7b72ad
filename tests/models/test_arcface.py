"""IResNet: embeddings are PyTorch's, and gradients reach the image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from a3gan_jax.convert.layouts import LAYOUTS, skeleton
from a3gan_jax.models.arcface import BLOCKS, IResNet


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, downsample):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = downsample

    def forward(self, x):
        y = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x))))))
        return y + (x if self.downsample is None else self.downsample(x))


class PeerIResNet(nn.Module):
    """With the names and the order of layers of arcface_torch's iresnet."""

    def __init__(self, blocks, width=4, features=8, size=32):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        channels = width
        for stage, number in enumerate(blocks):
            out, layers = width * 2**stage, []
            for block in range(number):
                if block:
                    layers.append(Block(out, out, 1, None))
                else:
                    shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, 2, bias=False), nn.BatchNorm2d(out))
                    layers.append(Block(channels, out, 2, shortcut))
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
            channels = out
        self.bn2 = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(channels * (size // 16) ** 2, features)
        self.features = nn.BatchNorm1d(features)

    def forward(self, x):
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.features(self.fc(self.dropout(torch.flatten(self.bn2(x), 1))))


@pytest.fixture(scope="module")
def small(peers):
    peer = peers.randomised(PeerIResNet(BLOCKS[18]))
    return peer, *peers.converted("arcface", peer)


@pytest.mark.parametrize("form", ["lax", "matmul"])
def test_embeddings_are_torchs(peers, small, form):
    peer, network, arguments, variables = small
    assert arguments == dict(blocks=(2, 2, 2, 2), width=4, features=8, image_size=32)
    faces = peers.images(3, 32)
    got = peers.ours(network.clone(conv=form), variables, faces)
    assert peers.relative_error(got, peers.theirs(peer, faces)) < 1e-5


def test_embeddings_are_torchs_at_112_pixels(peers):
    peer = peers.randomised(PeerIResNet((1, 1, 1, 2), size=112))
    network, arguments, variables = peers.converted("arcface", peer)
    assert arguments["image_size"] == 112
    faces = peers.images(2, 112)
    assert peers.relative_error(peers.ours(network, variables, faces), peers.theirs(peer, faces)) < 1e-5


@pytest.mark.parametrize("depth", BLOCKS)
def test_every_depth_is_told_by_its_file_and_filled_whole(peers, depth):
    peer = PeerIResNet(BLOCKS[depth], width=2, features=4)
    network, arguments, variables = peers.converted("arcface", peer)  # raises unless every entry and every leaf is used
    assert arguments["blocks"] == BLOCKS[depth]
    layers = [name for name, module in peer.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    # conv1 and two in a block give the depth its number, together with the dense layer; four shortcuts come on top.
    assert len(layers) == 2 + 2 * sum(BLOCKS[depth]) + 4
    assert sum(x.size for x in jax.tree.leaves(variables)) == sum(
        x.size for name, x in peers.tensors(peer).items() if not name.endswith("num_batches_tracked")
    )


def test_the_public_size():
    """43.6 million weights in IResNet-50, as its file has; (512, 25088) is the dense layer that the layout expects."""
    shapes = skeleton(IResNet(), LAYOUTS["arcface"].inputs(dict(image_size=112)))
    assert shapes["params"]["fc"]["kernel"].shape == (7, 7, 512, 512)
    assert round(sum(x.size for x in jax.tree.leaves(shapes["params"])) / 1e6, 1) == 43.6


@pytest.mark.parametrize("form", ["lax", "matmul"])
def test_gradient_with_respect_to_the_image_is_torchs(peers, small, form):
    peer, network, _, variables = small
    faces, direction = peers.images(2, 32), np.random.default_rng(1).normal(size=(2, 8)).astype(np.float32)
    network = network.clone(conv=form)
    got = jax.jit(jax.grad(lambda x: (network.apply(variables, x) * direction).sum()))(jnp.asarray(faces))
    x = torch.from_numpy(faces.transpose(0, 3, 1, 2)).clone().requires_grad_()
    (peer(x) * torch.from_numpy(direction)).sum().backward()
    assert peers.relative_error(np.asarray(got), x.grad.numpy().transpose(0, 2, 3, 1)) < 1e-5


def test_another_image_size_is_refused(peers, small):
    _, network, _, variables = small
    with pytest.raises(ValueError, match=r"takes \(N, 32, 32, 3\)"):
        network.apply(variables, peers.images(1, 48))
