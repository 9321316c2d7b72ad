"""facenet-pytorch's three networks of MTCNN. Each gives boxes first, then probabilities."""

from a3gan_jax.convert.reference.operations import Array, Tensors, conv2d, linear, max_pool, prelu, softmax


def pnet(tensors: Tensors, images: Array) -> tuple[Array, ...]:
    """(N, 3, H, W) -> box offsets (N, 4, H', W'), probabilities (N, 2, H', W')."""
    x = max_pool(_conv(tensors, 1, images), 2, 2, ceil_mode=True)
    x = _conv(tensors, 3, _conv(tensors, 2, x))
    scores, boxes = (conv2d(x, tensors[f"{n}.weight"], tensors[f"{n}.bias"]) for n in ("conv4_1", "conv4_2"))
    return boxes, softmax(scores)


def rnet(tensors: Tensors, images: Array) -> tuple[Array, ...]:
    """(N, 3, 24, 24) -> box offsets (N, 4), probabilities (N, 2)."""
    x = max_pool(_conv(tensors, 1, images), 3, 2, ceil_mode=True)
    x = max_pool(_conv(tensors, 2, x), 3, 2, ceil_mode=True)
    x = _dense(tensors, 4, _flatten(_conv(tensors, 3, x)))
    scores, boxes = (linear(x, tensors[f"{n}.weight"], tensors[f"{n}.bias"]) for n in ("dense5_1", "dense5_2"))
    return boxes, softmax(scores)


def onet(tensors: Tensors, images: Array) -> tuple[Array, ...]:
    """(N, 3, 48, 48) -> box offsets (N, 4), landmarks (N, 10), probabilities (N, 2)."""
    x = max_pool(_conv(tensors, 1, images), 3, 2, ceil_mode=True)
    x = max_pool(_conv(tensors, 2, x), 3, 2, ceil_mode=True)
    x = max_pool(_conv(tensors, 3, x), 2, 2, ceil_mode=True)
    x = _dense(tensors, 5, _flatten(_conv(tensors, 4, x)))
    names = ("dense6_1", "dense6_2", "dense6_3")
    scores, boxes, landmarks = (linear(x, tensors[f"{n}.weight"], tensors[f"{n}.bias"]) for n in names)
    return boxes, landmarks, softmax(scores)


def _conv(tensors: Tensors, number: int, x: Array) -> Array:
    x = conv2d(x, tensors[f"conv{number}.weight"], tensors[f"conv{number}.bias"])
    return prelu(x, tensors[f"prelu{number}.weight"])


def _dense(tensors: Tensors, number: int, x: Array) -> Array:
    x = linear(x, tensors[f"dense{number}.weight"], tensors[f"dense{number}.bias"])
    return prelu(x, tensors[f"prelu{number}.weight"])


def _flatten(x: Array) -> Array:
    """(N, C, H, W) -> (N, W H C), the channel changing fastest and the column slowest."""
    return x.transpose(0, 3, 2, 1).reshape(len(x), -1)
