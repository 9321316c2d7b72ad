"""InsightFace's arcface_torch: the backbone IResNet."""

from a3gan_jax.convert.reference.operations import (
    Array,
    Tensors,
    batch_norm_named,
    conv2d,
    count,
    flatten,
    linear,
    prelu,
)


def iresnet(tensors: Tensors, images: Array) -> tuple[Array, ...]:
    """Images (N, 3, S, S) in [-1, 1] -> embeddings (N, D), not normalised."""
    x = conv2d(images, tensors["conv1.weight"], padding=1)
    x = prelu(batch_norm_named(x, tensors, "bn1"), tensors["prelu.weight"])
    for stage in (1, 2, 3, 4):
        for block in range(count(tensors, f"layer{stage}.{{}}.conv1.weight")):
            x = _block(tensors, f"layer{stage}.{block}", x)
    x = linear(flatten(batch_norm_named(x, tensors, "bn2")), tensors["fc.weight"], tensors["fc.bias"])
    return (batch_norm_named(x, tensors, "features"),)


def _block(tensors: Tensors, name: str, x: Array) -> Array:
    """The first block of a stage, which has a downsample, halves the map; the others add their input as it is."""
    halves = f"{name}.downsample.0.weight" in tensors
    y = conv2d(batch_norm_named(x, tensors, f"{name}.bn1"), tensors[f"{name}.conv1.weight"], padding=1)
    y = prelu(batch_norm_named(y, tensors, f"{name}.bn2"), tensors[f"{name}.prelu.weight"])
    y = conv2d(y, tensors[f"{name}.conv2.weight"], stride=2 if halves else 1, padding=1)
    y = batch_norm_named(y, tensors, f"{name}.bn3")
    if not halves:
        return y + x
    x = conv2d(x, tensors[f"{name}.downsample.0.weight"], stride=2)
    return y + batch_norm_named(x, tensors, f"{name}.downsample.1")
