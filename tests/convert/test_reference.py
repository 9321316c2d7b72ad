"""The NumPy reference is PyTorch in double precision, and tells a right conversion from a wrong one."""

import functools
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch.nn import functional

from a3gan_jax import pretrained
from a3gan_jax.convert import recognizers, reference
from a3gan_jax.convert.layouts import LAYOUTS, build
from a3gan_jax.convert.layouts.sface import SFACE
from a3gan_jax.convert.reference import REFERENCES, operations, verify

MODELS = Path(__file__).parent.parent / "models"


def _module(name):
    """Of tests/models, where the PyTorch peers are defined beside the tests that they are for."""
    spec = importlib.util.spec_from_file_location(f"peers_{name}", MODELS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PEERS, ATTGAN, STGAN, ARCFACE, FACENET = map(
    _module, ("conftest", "test_attgan", "test_stgan", "test_arcface", "test_facenet")
)


def _random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def _torch(function, *arrays, **options):
    return function(*map(torch.from_numpy, arrays), **options).numpy()


def _assert_same(got, wanted):
    assert got.shape == wanted.shape and got.dtype == np.float64
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((3, 3), dict(padding=1)),
        ((4, 4), dict(stride=2, padding=1)),
        ((3, 3), dict(stride=2)),
        ((2, 2), dict()),
        ((1, 1), dict(stride=2)),
        ((1, 7), dict(padding=(0, 3))),
        ((7, 1), dict(padding=(3, 0))),
        ((3, 3), dict(stride=2, padding=1, groups=2)),
        ((3, 3), dict(padding=1, groups=6)),
    ],
)
@pytest.mark.parametrize("size", [(8, 8), (9, 11)])
def test_convolution_is_torchs(kernel, options, size):
    x, bias = _random(2, 6, *size), _random(12)
    weight = _random(12, 6 // options.get("groups", 1), *kernel, seed=1)
    for given in ((x, weight), (x, weight, bias)):
        _assert_same(operations.conv2d(*given, **options), _torch(functional.conv2d, *given, **options))


def test_a_convolution_of_other_channels_is_refused():
    with pytest.raises(ValueError, match="1 groups of 3 channels cannot see 4 channels"):
        operations.conv2d(_random(1, 4, 5, 5), _random(2, 3, 3, 3))


@pytest.mark.parametrize(("side", "options"), [(4, dict(stride=2, padding=1)), (3, dict(padding=1)), (3, dict())])
def test_transposed_convolution_is_torchs(side, options):
    x, weight, bias = _random(2, 3, 5, 4), _random(3, 7, side, side, seed=1), _random(7)
    for given in ((x, weight), (x, weight, bias)):
        got = operations.conv_transpose2d(*given, **options)
        _assert_same(got, _torch(functional.conv_transpose2d, *given, **options))


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5, 6)])
def test_batch_norm_is_torchs(shape):
    x, (weight, bias, mean), variance = _random(*shape), _random(3, 3), np.array([0.3, 1.0, 2.0])
    for epsilon in (1e-5, 1e-3):
        wanted = _torch(functional.batch_norm, x, mean, variance, weight, bias, eps=epsilon)
        _assert_same(operations.batch_norm(x, weight, bias, mean, variance, epsilon), wanted)
    tensors = {"n.weight": weight, "n.bias": bias, "n.running_mean": mean, "n.running_var": variance}
    wanted = _torch(functional.batch_norm, x, mean, variance, weight, bias)
    _assert_same(operations.batch_norm_named(x, tensors, "n"), wanted)


def test_instance_norm_is_torchs():
    x, (weight, bias, mean), variance = 3 + _random(2, 3, 5, 6), _random(3, 3), np.array([0.3, 1.0, 2.0])
    own = functional.instance_norm(*map(torch.from_numpy, (x,)), weight=torch.tensor(weight), bias=torch.tensor(bias))
    _assert_same(operations.instance_norm(x, weight, bias), own.numpy())
    running = _torch(functional.instance_norm, x, mean, variance, weight, bias, use_input_stats=False)
    _assert_same(operations.batch_norm(x, weight, bias, mean, variance), running)


def test_dense_layer_and_activations_are_torchs():
    x, weight, bias, slopes = _random(2, 6), _random(4, 6, seed=1), _random(4), np.array([0.1, 0.2, 0.3, -0.5])
    _assert_same(operations.linear(x, weight, bias), _torch(functional.linear, x, weight, bias))
    _assert_same(operations.linear(x, weight), _torch(functional.linear, x, weight))
    for shape in ((3, 4), (3, 4, 2, 5)):
        x = 20 * _random(*shape)
        _assert_same(operations.prelu(x, slopes), _torch(functional.prelu, x, slopes))
        _assert_same(operations.softmax(x), _torch(functional.softmax, x, dim=1))
        _assert_same(operations.leaky_relu(x), _torch(functional.leaky_relu, x))
        _assert_same(operations.leaky_relu(x, 0.2), _torch(functional.leaky_relu, x, negative_slope=0.2))
        _assert_same(operations.relu(x), _torch(functional.relu, x))
        _assert_same(operations.sigmoid(100 * x), _torch(torch.sigmoid, 100 * x))
    _assert_same(operations.unit(x[..., 0, 0]), _torch(functional.normalize, x[..., 0, 0]))


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 2), (2, 3), (3, 1)])
@pytest.mark.parametrize("size", [(4, 5), (6, 7), (10, 11)])
def test_maximum_is_torchs(window, stride, ceil_mode, size):
    x = _random(2, 3, *size) - 5  # below zero, which padding with zeros would hide
    wanted = _torch(functional.max_pool2d, x, kernel_size=window, stride=stride, ceil_mode=ceil_mode)
    _assert_same(operations.max_pool(x, window, stride, ceil_mode=ceil_mode), wanted)


def test_mean_and_order_of_features_are_torchs():
    x = _random(2, 3, 4, 5)
    _assert_same(operations.global_avg_pool(x), _torch(functional.adaptive_avg_pool2d, x, output_size=1)[..., 0, 0])
    _assert_same(operations.flatten(x), _torch(torch.flatten, x, start_dim=1))


@pytest.fixture(scope="module")
def facenet_pytorch():
    """The package. Its detector alone needs torchvision, which a plain module stands for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torchvision.transforms", SimpleNamespace(functional=None))
        patch.setitem(sys.modules, "torchvision.ops.boxes", SimpleNamespace(batched_nms=None))
        return importlib.import_module("facenet_pytorch")


def _short(classes=None):
    """InceptionResnetV1 with few blocks, and statistics with which an image arrives at its end."""

    def made(package):
        peer = package.InceptionResnetV1(classify=classes is not None, num_classes=classes)
        peer.repeat_1, peer.repeat_2, peer.repeat_3 = peer.repeat_1[:2], peer.repeat_2[:1], peer.repeat_3[:1]
        return FACENET._measured(PEERS.randomised(peer), PEERS.images(4, 80, seed=1))

    return made


def _of_attgan(*arguments):
    return lambda _: PEERS.randomised(ATTGAN.Generator(*arguments))


def _of_stgan(*arguments):
    return lambda _: PEERS.randomised(STGAN.Generator(*arguments))


#: Case -> (package -> PyTorch module), side of the images, attributes. A case is a layout, and what of it.
CASES = {
    "attgan": (_of_attgan(1, 1), 64, 5),
    "attgan, nothing appended": (_of_attgan(0, 0), 32, 5),
    "attgan, features": (_of_attgan(4, 2), 32, 5),
    "attgan, attributes": (_of_attgan(1, 4), 32, 5),
    "attgan_discriminator": (lambda _: PEERS.randomised(ATTGAN.Discriminator(64)), 64, None),
    "stgan": (_of_stgan(3, True, True), 64, 6),
    "stgan, every unit": (_of_stgan(4, True, False), 32, 6),
    "stgan, no units": (_of_stgan(2, False, True), 32, 6),
    "stgan, nothing appended": (_of_stgan(0, False, False), 32, 6),
    "stgan_discriminator": (lambda _: PEERS.randomised(STGAN.Discriminator(64)), 64, None),
    "arcface": (lambda _: PEERS.randomised(ARCFACE.PeerIResNet((2, 1, 3, 1))), 32, None),
    "facenet": (_short(7), 80, None),
    "facenet, no classifier": (_short(), 91, None),
    "mtcnn_pnet": (lambda package: package.PNet(), 25, None),
    "mtcnn_rnet": (lambda package: package.RNet(), 24, None),
    "mtcnn_onet": (lambda package: package.ONet(), 48, None),
}
ONE_OF_EACH = [case for case in CASES if "," not in case]


def _layout(case):
    return LAYOUTS[case.split(",")[0]]


@functools.cache
def _tensors(case, package):
    return {name: np.array(value) for name, value in PEERS.tensors(CASES[case][0](package)).items()}


def _outputs_of_torch(peer, inputs):
    inputs = [torch.from_numpy(x) for x in inputs]
    with torch.no_grad():
        outputs = peer.double()(*inputs)
        if getattr(peer, "classify", False):
            peer.classify = False
            outputs = peer(*inputs), outputs
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize("case", CASES)
def test_reference_is_the_torch_module_in_double_precision(case, facenet_pytorch):
    module, size, attributes = CASES[case]
    inputs = [np.random.default_rng(0).uniform(-1, 1, (2, 3, size, size))]
    inputs += [_random(2, attributes)] if attributes else []
    got = REFERENCES[_layout(case).name](_tensors(case, facenet_pytorch), *inputs)
    for ours, theirs in zip(got, _outputs_of_torch(module(facenet_pytorch), inputs), strict=True):
        assert theirs.std() > 1e-3
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-12 * float(theirs.abs().max()))


@pytest.fixture(scope="module")
def sface():
    file = pretrained.wheel_file(*recognizers.SFACE_FILE, install=recognizers.SFACE_PACKAGE)
    return pretrained.read_onnx(file)


@pytest.fixture(scope="module")
def sface_arrays(sface):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in sface.graph.initializer}


def test_reference_of_sface_is_the_onnx_graph(sface, sface_arrays):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(sface.SerializeToString(), options, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).uniform(0, 255, (1, 3, 112, 112)).astype(np.float32)
    wanted = session.run(["fc1"], {"data": images})[0]
    (got,) = REFERENCES["sface"](sface_arrays, images.astype(np.float64))
    assert np.abs(got - wanted).max() < 1e-5 * np.abs(wanted).max()


def _error_of_outputs(got, wanted):
    return max(np.abs(g - w).max() / np.abs(w).max() for g, w in zip(got, wanted, strict=True))


@pytest.mark.parametrize("case", ONE_OF_EACH)
def test_every_array_and_every_tap_of_a_kernel_tells_in_the_output(case, facenet_pytorch):
    """On the input of ``verify``, turning an array around, or just the kernels in it, is an error it would see."""
    tensors, layout = _tensors(case, facenet_pytorch), _layout(case)
    inputs = [x.astype(np.float64) for x in reference.random_inputs(layout, tensors, 0)]
    inputs = [x.transpose(0, 3, 1, 2) if x.ndim == 4 else x for x in inputs]
    wanted = REFERENCES[layout.name](tensors, *inputs)
    names = [name for name, value in tensors.items() if value.ndim]
    for name in names[:: 60 if case == "facenet" else 1]:  # FaceNet is slow, and made of many alike
        value = tensors[name]
        for changed in (np.flip(value, 0), np.flip(value, (2, 3)) if value.ndim == 4 else value):
            if not np.array_equal(changed, value):
                got = REFERENCES[layout.name]({**tensors, name: changed}, *inputs)
                assert _error_of_outputs(got, wanted) > 1e-4, name


@pytest.mark.parametrize("case", ONE_OF_EACH)
def test_a_right_conversion_is_verified(case, facenet_pytorch):
    tensors = _tensors(case, facenet_pytorch)
    network, _, variables = build(_layout(case), tensors)
    assert 0 < verify(_layout(case), tensors, network, variables) < 1e-5


def test_a_right_conversion_of_sface_is_verified(sface_arrays):
    network, _, variables = build(SFACE, sface_arrays)
    assert 0 < verify(SFACE, sface_arrays, network, variables) < 1e-5


def test_half_precision_is_verified():
    tensors = {name: value.astype(np.float16) for name, value in _tensors("arcface", None).items()}
    network, _, variables = build(LAYOUTS["arcface"], tensors)
    assert 0 < verify(LAYOUTS["arcface"], tensors, network, variables) < 1e-5


def _swap(first, second):
    def changed(tensors):
        tensors[first], tensors[second] = tensors[second], tensors[first]

    return changed


def _flip(name):
    def changed(tensors):
        tensors[name] = tensors[name][:, :, ::-1, ::-1]

    return changed


def _transpose(name):
    def changed(tensors):
        tensors[name] = tensors[name].transpose(0, 1, 3, 2)

    return changed


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        ("attgan", _swap("enc_layers.1.layers.1.running_mean", "enc_layers.1.layers.1.bias")),
        ("attgan", _flip("enc_layers.4.layers.0.weight")),
        ("stgan", _swap("stu.1.reset_gate.0.weight", "stu.1.update_gate.0.weight")),
        ("arcface", _transpose("layer4.0.conv2.weight")),
        ("mtcnn_onet", _transpose("conv4.weight")),
    ],
)
def test_a_wrong_conversion_is_told(case, wrong, facenet_pytorch):
    tensors = _tensors(case, facenet_pytorch)
    changed = dict(tensors)
    wrong(changed)
    network, _, variables = build(_layout(case), changed)
    assert verify(_layout(case), tensors, network, variables) > 1e-3


def test_a_nan_is_no_small_error():
    tensors = _tensors("attgan_discriminator", None)
    network, _, variables = build(LAYOUTS["attgan_discriminator"], tensors)
    variables["params"]["adversarial"]["output"]["bias"][0] = np.nan  # the first of two outputs
    assert np.isnan(verify(LAYOUTS["attgan_discriminator"], tensors, network, variables))


def test_outputs_that_say_nothing_or_have_another_shape_are_refused():
    tensors = _tensors("arcface", None)
    network, _, variables = build(LAYOUTS["arcface"], tensors)
    nothing = {name: value * (name not in ("features.weight", "features.bias")) for name, value in tensors.items()}
    with pytest.raises(ValueError, match="zero everywhere"):
        verify(LAYOUTS["arcface"], nothing, network, variables)
    fewer = [f"features.{entry}" for entry in ("weight", "bias", "running_mean", "running_var")]
    narrow = tensors | {name: tensors[name][:4] for name in ("fc.weight", "fc.bias", *fewer)}
    with pytest.raises(ValueError, match=r"output is \(2, 8\), the reference's is \(2, 4\)"):
        verify(LAYOUTS["arcface"], narrow, network, variables)


def test_every_layout_has_a_reference():
    assert REFERENCES.keys() == LAYOUTS.keys()
