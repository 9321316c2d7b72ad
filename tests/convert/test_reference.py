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

from a3gan_jax import pretrained
from a3gan_jax.convert import recognizers, reference
from a3gan_jax.convert.layouts import LAYOUTS, build
from a3gan_jax.convert.layouts.sface import SFACE
from a3gan_jax.convert.reference import REFERENCES, verify

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
    inputs += [np.random.default_rng(0).normal(size=(2, attributes))] if attributes else []
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
