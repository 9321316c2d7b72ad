"""SFace of OpenCV's model zoo: the graph of its ONNX file, whose arrays are read with their weights dequantised."""

from a3gan_jax.convert.reference.operations import Array, Tensors, batch_norm, conv2d, flatten, linear, prelu

#: The depthwise convolutions that halve the map.
HALVING = (3, 5, 7, 13)
LAST = 14


def sface(tensors: Tensors, images: Array) -> tuple[Array, ...]:
    """RGB images (N, 3, 112, 112) from 0 to 255 -> embeddings (N, 128), not normalised."""
    x = (images - tensors["scalar_op1"]) * tensors["scalar_op2"]
    x = _layer(tensors, "conv_1", x)
    for number in range(2, LAST + 1):
        x = _layer(tensors, f"conv_{number}_dw", x, stride=2 if number in HALVING else 1, depthwise=True)
        x = _layer(tensors, f"conv_{number}", x, side=1)
    x = flatten(_norm(tensors, "bn1", x, 2e-5))
    x = linear(x, tensors["pre_fc1_weight_dequantized"], tensors["pre_fc1_bias_dequantized"])
    return (_norm(tensors, "fc1", x, 2e-5),)


def _layer(tensors: Tensors, name: str, x: Array, *, stride: int = 1, side: int = 3, depthwise: bool = False) -> Array:
    """Convolution, BatchNorm, PReLU. The file keeps a kernel as (O, I side side)."""
    weight = tensors[f"{name}_conv2d_weight_dequantized"]
    weight = weight.reshape(len(weight), -1, side, side)
    groups = x.shape[1] if depthwise else 1
    x = conv2d(x, weight, stride=stride, padding=side // 2, groups=groups)
    return prelu(_norm(tensors, f"{name}_batchnorm", x, 1e-3), tensors[f"{name}_relu_gamma"])


def _norm(tensors: Tensors, name: str, x: Array, epsilon: float) -> Array:
    entries = ("gamma", "beta", "moving_mean", "moving_var")
    return batch_norm(x, *(tensors[f"{name}_{entry}"] for entry in entries), epsilon)
