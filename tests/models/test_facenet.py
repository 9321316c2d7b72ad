"""InceptionResnetV1: embeddings, logits and gradients are those of the package facenet-pytorch."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

from a3gan_jax.convert.layouts import LAYOUTS, LayoutError, build, state_dict

CLASSES = 7


@pytest.fixture(scope="module")
def inception(facenet_pytorch):
    return facenet_pytorch.InceptionResnetV1


def _measured(peer: nn.Module, images: np.ndarray) -> nn.Module:
    """Statistics near those of the images in each BatchNorm, no two alike.

    With any others hardly anything of the image arrives at the end of a network as deep as this, whatever it does.
    """
    generator = torch.Generator().manual_seed(1)
    norms = [layer for layer in peer.modules() if isinstance(layer, nn.modules.batchnorm._NormBase)]
    for norm in norms:
        norm.momentum = 1.0  # the statistics of the next batch
        norm.train()
    with torch.no_grad():
        peer(torch.from_numpy(images.transpose(0, 3, 1, 2)).contiguous())
        for norm in norms:
            mean, variance = norm.running_mean, norm.running_var
            mean += variance.sqrt() * torch.empty_like(mean).uniform_(-0.3, 0.3, generator=generator)
            variance *= torch.empty_like(mean).uniform_(0.5, 1.5, generator=generator)
    return peer.eval()


@pytest.fixture(scope="module")
def short(peers, inception):
    """Fewer blocks in the three groups, without a classifier: the peer, and what is converted from it."""
    peer = inception(pretrained=None)
    peer.repeat_1, peer.repeat_2, peer.repeat_3 = peer.repeat_1[:2], peer.repeat_2[:1], peer.repeat_3[:1]
    peer = _measured(peers.randomised(peer), peers.images(6, 80, seed=1))
    return peer, *peers.converted("facenet", peer)


def test_embeddings_and_logits_are_torchs(peers, inception):
    peer = peers.randomised(inception(pretrained=None, classify=True, num_classes=CLASSES))
    peer = _measured(peer, peers.images(4, 160, seed=1))
    network, arguments, variables = peers.converted("facenet", peer)
    assert arguments == dict(num_classes=CLASSES, repeats=(5, 10, 5))
    faces, classifier = peers.images(2, 160), SimpleNamespace(apply=functools.partial(network.apply, classify=True))
    assert peers.relative_error(peers.ours(classifier, variables, faces), peers.theirs(peer, faces)) < 1e-5
    peer.classify = False
    got, wanted = peers.ours(network, variables, faces), peers.theirs(peer, faces)
    assert peers.relative_error(got, wanted) < 1e-5
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, rtol=1e-6)


def test_the_blocks_are_counted_and_other_sizes_go_in(peers, short):
    peer, network, arguments, variables = short
    assert arguments == dict(num_classes=None, repeats=(2, 1, 1))
    faces = np.random.default_rng(0).uniform(-1, 1, (2, 75, 90, 3)).astype(np.float32)
    wanted = peers.theirs(peer, faces)
    assert wanted[0] @ wanted[1] < 0.9, "the embedding hardly depends on the image: the comparison would say nothing"
    assert peers.relative_error(peers.ours(network, variables, faces), wanted) < 1e-5


def test_gradient_with_respect_to_the_image_is_torchs(peers, short):
    peer, network, _, variables = short
    faces, direction = peers.images(2, 80), np.random.default_rng(1).normal(size=(2, 512)).astype(np.float32)
    got = jax.jit(jax.grad(lambda x: (network.apply(variables, x) * direction).sum()))(jnp.asarray(faces))
    x = torch.from_numpy(faces.transpose(0, 3, 1, 2)).clone().requires_grad_()
    (peer(x) * torch.from_numpy(direction)).sum().backward()
    assert peers.relative_error(np.asarray(got), x.grad.numpy().transpose(0, 2, 3, 1)) < 1e-5


def test_a_classifier_is_told_by_its_entries(peers, short):
    layout, tensors = LAYOUTS["facenet"], peers.tensors(short[0])
    classifier = {"logits.weight": np.ones((CLASSES, 512), np.float32), "logits.bias": np.ones(CLASSES, np.float32)}
    network, arguments, variables = build(layout, tensors | classifier)
    assert arguments == dict(num_classes=CLASSES, repeats=(2, 1, 1))
    back = state_dict(layout, variables)
    assert back.keys() == {name for name in tensors if not name.endswith("num_batches_tracked")} | classifier.keys()
    assert all(np.array_equal(back[name], (tensors | classifier)[name]) for name in back)
    for name in classifier:
        with pytest.raises(LayoutError, match=f"{name}: missing"):
            build(layout, tensors | {name: classifier[name] for name in classifier.keys() - {name}})


def test_what_it_does_not_take_is_refused(peers, short):
    _, network, _, variables = short
    with pytest.raises(ValueError, match="from 75 pixels up"):
        network.apply(variables, peers.images(1, 74))
    with pytest.raises(ValueError, match="no classifier"):
        network.apply(variables, peers.images(1, 75), classify=True)
