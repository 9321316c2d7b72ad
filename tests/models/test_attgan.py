"""AttGAN: outputs are PyTorch's, for every place where features and attributes are appended."""

import numpy as np
import pytest
import torch
from torch import nn

K, WIDTH = 5, 4


class _Block(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class Generator(nn.Module):
    """With the names and the order of layers of AttGAN-PyTorch's generator."""

    def __init__(self, shortcut, inject, k=K, width=WIDTH, layers=5):
        super().__init__()
        self.shortcut, self.inject, self.layers = shortcut, inject, layers
        self.enc_layers, self.dec_layers = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for i in range(layers):
            conv = nn.Conv2d(channels, width * 2**i, 4, 2, 1, bias=False)
            channels = width * 2**i
            self.enc_layers.append(_Block(conv, nn.BatchNorm2d(channels), nn.LeakyReLU()))
        channels += k
        for i in range(layers - 1):
            out = width * 2 ** (layers - 1 - i)
            conv = nn.ConvTranspose2d(channels, out, 4, 2, 1, bias=False)
            self.dec_layers.append(_Block(conv, nn.BatchNorm2d(out), nn.ReLU()))
            channels = out + (out // 2 if shortcut > i else 0) + (k if inject > i else 0)
        self.dec_layers.append(_Block(nn.ConvTranspose2d(channels, 3, 4, 2, 1), nn.Tanh()))

    def forward(self, x, a):
        def tiled(like):
            return a[:, :, None, None].expand(-1, -1, *like.shape[2:])

        features = []
        for layer in self.enc_layers:
            x = layer(x)
            features.append(x)
        x = torch.cat([x, tiled(x)], 1)
        for i, layer in enumerate(self.dec_layers):
            x = layer(x)
            if self.shortcut > i:
                x = torch.cat([x, features[self.layers - 2 - i]], 1)
            if self.inject > i:
                x = torch.cat([x, tiled(x)], 1)
        return x


class Discriminator(nn.Module):
    """With the names and the order of layers of AttGAN-PyTorch's discriminators."""

    def __init__(self, size, k=K, width=WIDTH, layers=5, hidden=6):
        super().__init__()
        blocks, channels = [], 3
        for i in range(layers):
            conv = nn.Conv2d(channels, width * 2**i, 4, 2, 1, bias=False)
            channels = width * 2**i
            blocks.append(_Block(conv, nn.InstanceNorm2d(channels, affine=True), nn.LeakyReLU()))
        self.conv = nn.Sequential(*blocks)
        flat = channels * (size // 2**layers) ** 2
        self.fc_adv = nn.Sequential(_Block(nn.Linear(flat, hidden), nn.LeakyReLU()), _Block(nn.Linear(hidden, 1)))
        self.fc_cls = nn.Sequential(_Block(nn.Linear(flat, hidden), nn.LeakyReLU()), _Block(nn.Linear(hidden, k)))

    def forward(self, x):
        x = self.conv(x).flatten(1)
        return self.fc_adv(x), self.fc_cls(x)


def _attributes(n, k=K):
    return np.random.default_rng(1).uniform(-0.5, 0.5, (n, k)).astype(np.float32)


# 25 combinations hold for the arguments; those whose network is compiled are the public ones and the extremes.
@pytest.mark.parametrize(("shortcut", "inject"), [(0, 0), (1, 0), (1, 1), (4, 4), (2, 3)])
def test_generator_is_torchs(peers, shortcut, inject):
    peer = peers.randomised(Generator(shortcut, inject))
    network, arguments, variables = peers.converted("attgan", peer)
    assert arguments == dict(num_attributes=K, shortcut=shortcut, inject=inject, width=WIDTH, layers=5)
    inputs = peers.images(2, 64), _attributes(2)
    wanted = peers.theirs(peer, *inputs)
    assert peers.relative_error(peers.ours(network, variables, *inputs), wanted) < 1e-5


@pytest.mark.parametrize("size", [128, 384])
def test_conv_forms_share_parameters_at_the_public_sizes(peers, size):
    peer = peers.randomised(Generator(1, 1, width=2))
    network, _, variables = peers.converted("attgan", peer)
    inputs = peers.images(1, size), _attributes(1)
    wanted = peers.theirs(peer, *inputs)
    for form in ("lax", "matmul"):
        assert peers.relative_error(peers.ours(network.clone(conv=form), variables, *inputs), wanted) < 1e-5


@pytest.mark.parametrize("size", [128, 384])
def test_discriminator_is_torchs(peers, size):
    peer = peers.randomised(Discriminator(size, width=2))
    faces = peers.images(3, size)
    network, arguments, variables = peers.converted("attgan_discriminator", peer)
    assert arguments == dict(num_attributes=K, image_size=size, width=2, layers=5, hidden=6)
    wanted = peers.theirs(peer, faces)
    for form in ("lax", "matmul"):
        for got, want in zip(peers.ours(network.clone(conv=form), variables, faces), wanted, strict=True):
            assert peers.relative_error(got, want) < 1e-5


def test_what_the_networks_do_not_take_is_refused(peers):
    generator, _, variables = peers.converted("attgan", Generator(1, 0))
    with pytest.raises(ValueError, match="7 attributes given, this generator takes 5"):
        generator.apply(variables, peers.images(1, 32), _attributes(1, 7))
    with pytest.raises(ValueError, match="must be from 0 to 4"):
        generator.clone(inject=5).apply(variables, peers.images(1, 32), _attributes(1))
    discriminator, _, variables = peers.converted("attgan_discriminator", Discriminator(64, width=2))
    with pytest.raises(ValueError, match=r"takes \(N, 64, 64, 3\)"):
        discriminator.apply(variables, peers.images(1, 32))
