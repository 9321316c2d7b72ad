"""STGAN: outputs are PyTorch's, with and without transfer units, for every kind of last layer."""

import numpy as np
import pytest
import torch
from torch import nn

K, WIDTH = 6, 8


def _gate(inputs, outputs, kernel, activation):
    conv = nn.Conv2d(inputs, outputs, kernel, 1, (kernel - 1) // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), activation)


class Unit(nn.Module):
    def __init__(self, k, channels, kernel):
        super().__init__()
        self.upsample = nn.ConvTranspose2d(2 * channels + k, channels, 4, 2, 1, bias=False)
        self.reset_gate = _gate(2 * channels, channels, kernel, nn.Sigmoid())
        self.update_gate = _gate(2 * channels, channels, kernel, nn.Sigmoid())
        self.hidden = _gate(2 * channels, channels, kernel, nn.Tanh())

    def forward(self, feature, state, a):
        tiled = a[:, :, None, None].expand(-1, -1, *state.shape[2:])
        hat = self.upsample(torch.cat([state, tiled], 1))
        r, u = (gate(torch.cat([feature, hat], 1)) for gate in (self.reset_gate, self.update_gate))
        state = r * hat
        return (1 - u) * hat + u * self.hidden(torch.cat([feature, state], 1)), state


class Generator(nn.Module):
    """With the names and the order of layers of STGAN-pytorch's generator."""

    def __init__(self, shortcut, stu, one_more_conv, k=K, width=WIDTH, layers=5, kernel=3):
        super().__init__()
        self.shortcut, self.use_stu, self.layers = shortcut, stu, layers
        widths = [width * 2**i for i in range(layers)]
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for inputs, outputs in zip([3, *widths], widths, strict=False):
            conv = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
            self.encoder.append(nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)))
        if stu:
            self.stu = nn.ModuleList(Unit(k, widths[-1 - i], kernel) for i in range(1, shortcut + 1))
        for i in range(layers):
            inputs = widths[-1] + k if i == 0 else widths[-i] + (widths[-1 - i] if i <= shortcut else 0)
            if i < layers - 1:
                outputs, rest = widths[-1 - i], []
            elif one_more_conv:
                outputs, rest = width // 4, [nn.ConvTranspose2d(width // 4, 3, 3, 1, 1, bias=False), nn.Tanh()]
            else:
                self.decoder.append(nn.Sequential(nn.ConvTranspose2d(inputs, 3, 4, 2, 1, bias=False), nn.Tanh()))
                break
            conv = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
            self.decoder.append(nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(), *rest))

    def forward(self, x, a):
        features = []
        for layer in self.encoder:
            x = layer(x)
            features.append(x)
        state = x
        x = self.decoder[0](torch.cat([x, a[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1))
        for i in range(1, self.layers):
            if i <= self.shortcut:
                feature = features[-1 - i]
                if self.use_stu:
                    feature, state = self.stu[i - 1](feature, state, a)
                x = torch.cat([x, feature], 1)
            x = self.decoder[i](x)
        return x


class Discriminator(nn.Module):
    """With the names and the order of layers of STGAN-pytorch's discriminator."""

    def __init__(self, size, k=K, width=2, layers=5, hidden=6):
        super().__init__()
        blocks, channels = [], 3
        for i in range(layers):
            conv = nn.Conv2d(channels, width * 2**i, 4, 2, 1)
            channels = width * 2**i
            norm = nn.InstanceNorm2d(channels, affine=True, track_running_stats=True)
            blocks.append(nn.Sequential(conv, norm, nn.LeakyReLU(0.2)))
        self.conv = nn.Sequential(*blocks)
        flat = channels * (size // 2**layers) ** 2
        self.fc_adv = nn.Sequential(nn.Linear(flat, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1))
        self.fc_att = nn.Sequential(nn.Linear(flat, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, k))

    def forward(self, x):
        x = self.conv(x).flatten(1)
        return self.fc_adv(x), self.fc_att(x)


def _difference(n, k=K):
    return np.random.default_rng(1).integers(-1, 2, (n, k)).astype(np.float32)


@pytest.mark.parametrize(
    ("shortcut", "stu", "one_more_conv"),
    [(3, True, True), (4, True, False), (1, True, True), (2, False, True), (4, False, False), (0, False, True)],
)
def test_generator_is_torchs(peers, shortcut, stu, one_more_conv):
    peer = peers.randomised(Generator(shortcut, stu, one_more_conv))
    network, arguments, variables = peers.converted("stgan", peer)
    expected = dict(shortcut=shortcut, use_stu=stu, one_more_conv=one_more_conv, width=WIDTH, layers=5)
    assert arguments == expected | dict(num_attributes=K) | (dict(stu_kernel=3) if stu else {})
    inputs = peers.images(2, 64), _difference(2)
    assert peers.relative_error(peers.ours(network, variables, *inputs), peers.theirs(peer, *inputs)) < 1e-5


def test_generator_is_torchs_at_128_pixels_in_both_forms(peers):
    peer = peers.randomised(Generator(2, True, False, k=13, width=2, kernel=5))
    network, arguments, variables = peers.converted("stgan", peer)
    assert (arguments["num_attributes"], arguments["stu_kernel"]) == (13, 5)
    inputs = peers.images(1, 128), _difference(1, 13)
    wanted = peers.theirs(peer, *inputs)
    for form in ("lax", "matmul"):
        assert peers.relative_error(peers.ours(network.clone(conv=form), variables, *inputs), wanted) < 1e-5


@pytest.mark.parametrize("size", [128, 384])
def test_discriminator_is_torchs(peers, size):
    peer = peers.randomised(Discriminator(size))
    faces = peers.images(3, size)
    network, arguments, variables = peers.converted("stgan_discriminator", peer)
    assert arguments == dict(num_attributes=K, image_size=size, width=2, layers=5, hidden=6)
    for got, want in zip(peers.ours(network, variables, faces), peers.theirs(peer, faces), strict=True):
        assert peers.relative_error(got, want) < 1e-5


def test_what_the_networks_do_not_take_is_refused(peers):
    generator, _, variables = peers.converted("stgan", Generator(1, False, True))
    with pytest.raises(ValueError, match="7 attributes given, this generator takes 6"):
        generator.apply(variables, peers.images(1, 32), _difference(1, 7))
    with pytest.raises(ValueError, match="must be from 0 to 4"):
        generator.clone(shortcut=5).apply(variables, peers.images(1, 32), _difference(1))
