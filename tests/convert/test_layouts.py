"""Tables: names and shapes are those of the public files, and nothing that does not fit passes in silence."""

import ml_dtypes
import numpy as np
import pytest
from flax import traverse_util

from a3gan_jax.convert.layouts import LAYOUTS, LayoutError, apply_layout, build, entries, skeleton, state_dict
from a3gan_jax.convert.layouts import state_dict_of as tensors_of
from a3gan_jax.convert.layouts.table import PERMUTATIONS

ATTGAN = LAYOUTS["attgan"]


def _skeleton(layout, arguments):
    return skeleton(layout.network(**arguments), layout.inputs(arguments))


def _tensors(layout, arguments):
    random = np.random.default_rng(0)
    shapes = entries(layout, _skeleton(layout, arguments))
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


SMALL = dict(num_attributes=5, shortcut=1, inject=1, width=2, layers=3)


@pytest.fixture
def tensors():
    return _tensors(ATTGAN, SMALL) | {"enc_layers.0.layers.1.num_batches_tracked": np.array(7)}


def _problems(tensors):
    with pytest.raises(LayoutError) as error:
        apply_layout(ATTGAN, tensors, _skeleton(ATTGAN, SMALL))
    return error.value.problems


# Rows of the public files, one of each kind; and how many there are beside num_batches_tracked.
PUBLIC = {
    "attgan": (
        dict(num_attributes=13, shortcut=1, inject=1, width=64, layers=5),
        47,
        {
            "enc_layers.4.layers.0.weight": (1024, 512, 4, 4),
            "enc_layers.4.layers.1.running_var": (1024,),
            "dec_layers.0.layers.0.weight": (1037, 1024, 4, 4),
            "dec_layers.1.layers.0.weight": (1549, 512, 4, 4),
            "dec_layers.2.layers.0.weight": (512, 256, 4, 4),
            "dec_layers.4.layers.0.weight": (128, 3, 4, 4),
            "dec_layers.4.layers.0.bias": (3,),
        },
    ),
    "attgan_discriminator": (
        dict(num_attributes=13, image_size=128, width=64, layers=5, hidden=1024),
        23,
        {
            "conv.0.layers.1.bias": (64,),
            "conv.4.layers.0.weight": (1024, 512, 4, 4),
            "fc_adv.0.layers.0.weight": (1024, 16384),
            "fc_adv.1.layers.0.weight": (1, 1024),
            "fc_cls.1.layers.0.bias": (13,),
        },
    ),
    "stgan": (
        dict(num_attributes=10, shortcut=3, use_stu=True, one_more_conv=True, width=64, layers=5, stu_kernel=3),
        99,
        {
            "stu.0.upsample.weight": (1034, 512, 4, 4),
            "stu.2.reset_gate.0.weight": (128, 256, 3, 3),
            "stu.2.hidden.1.running_mean": (128,),
            "decoder.3.0.weight": (384, 128, 4, 4),
            "decoder.4.0.weight": (128, 16, 4, 4),
            "decoder.4.1.weight": (16,),
            "decoder.4.3.weight": (16, 3, 3, 3),
        },
    ),
    "stgan_discriminator": (
        dict(num_attributes=10, image_size=128, width=64, layers=5, hidden=1024),
        38,
        {
            "conv.4.0.bias": (1024,),
            "conv.4.1.running_var": (1024,),
            "fc_att.0.weight": (1024, 16384),
            "fc_att.2.weight": (10, 1024),
        },
    ),
    "arcface": (
        dict(blocks=(3, 4, 14, 3), width=64, features=512, image_size=112),
        # conv1, bn1, prelu; 24 blocks of three norms, two convolutions, a PReLU; four shortcuts; bn2, fc, features
        1 + 4 + 1 + 24 * (3 * 4 + 2 + 1) + 4 * (1 + 4) + 4 + 2 + 4,
        {
            "conv1.weight": (64, 3, 3, 3),
            "prelu.weight": (64,),
            "layer1.0.downsample.0.weight": (64, 64, 1, 1),
            "layer4.0.conv2.weight": (512, 512, 3, 3),
            "layer4.2.bn3.running_var": (512,),
            "fc.weight": (512, 25088),
            "features.weight": (512,),
        },
    ),
    "facenet": (
        dict(num_classes=8631, repeats=(5, 10, 5)),
        # 111 convolutions with their norms: six in the stem, six in each block of the first group and four in the
        # others', four and seven in the mixed ones; 21 blocks' own convolutions; last_linear, last_bn, logits
        5 * (6 + 5 * 6 + 4 + 10 * 4 + 7 + 5 * 4 + 4) + 2 * 21 + 1 + 4 + 2,
        {
            "conv2d_1a.conv.weight": (32, 3, 3, 3),
            "conv2d_4b.bn.running_var": (256,),
            "repeat_1.4.branch2.2.conv.weight": (32, 32, 3, 3),
            "repeat_1.4.conv2d.weight": (256, 96, 1, 1),
            "mixed_6a.branch0.conv.weight": (384, 256, 3, 3),
            "repeat_2.9.branch1.1.conv.weight": (128, 128, 1, 7),
            "repeat_2.9.branch1.2.conv.weight": (128, 128, 7, 1),
            "repeat_2.9.conv2d.bias": (896,),
            "mixed_7a.branch2.2.conv.weight": (256, 256, 3, 3),
            "block8.branch1.1.conv.weight": (192, 192, 1, 3),
            "block8.conv2d.weight": (1792, 384, 1, 1),
            "last_linear.weight": (512, 1792),
            "last_bn.running_mean": (512,),
            "logits.weight": (8631, 512),
        },
    ),
    "mtcnn_pnet": (
        {},
        13,
        {
            "conv1.weight": (10, 3, 3, 3),
            "prelu3.weight": (32,),
            "conv4_1.weight": (2, 32, 1, 1),
            "conv4_2.bias": (4,),
        },
    ),
    "mtcnn_rnet": (
        {},
        16,
        {
            "conv3.weight": (64, 48, 2, 2),
            "dense4.weight": (128, 576),
            "prelu4.weight": (128,),
            "dense5_2.weight": (4, 128),
        },
    ),
    "mtcnn_onet": (
        {},
        21,
        {
            "conv4.weight": (128, 64, 2, 2),
            "dense5.weight": (256, 1152),
            "prelu5.weight": (256,),
            "dense6_3.weight": (10, 256),
        },
    ),
    "sface": (
        {},
        # of the folded layers: the stem and 13 blocks of two convolutions, each with bias and slopes; the embedding
        3 + 13 * 2 * 3 + 2,
        {
            "stem.weight": (32, 3, 3, 3),
            "depthwise.14.weight": (1024, 1, 3, 3),
            "pointwise.2.weight": (64, 32),
            "pointwise.14.slope": (1024,),
            "embedding.weight": (128, 50176),
        },
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_names_and_shapes_are_the_public_files(name):
    arguments, number, rows = PUBLIC[name]
    found = entries(LAYOUTS[name], _skeleton(LAYOUTS[name], arguments))
    assert len(found) == number
    assert {key: found[key] for key in rows} == rows
    assert LAYOUTS[name].arguments(found) == arguments


def test_every_combination_of_attgan_is_told_by_its_shapes():
    for shortcut in range(5):
        for inject in range(5):
            arguments = dict(num_attributes=13, shortcut=shortcut, inject=inject, width=2, layers=5)
            assert ATTGAN.arguments(entries(ATTGAN, _skeleton(ATTGAN, arguments))) == arguments


def test_shapes_that_two_networks_share_are_refused():
    """With as many attributes as a feature has channels, appending one looks like appending the other."""
    arguments = dict(num_attributes=2, shortcut=2, inject=1, width=2, layers=3)
    with pytest.raises(LayoutError, match="several numbers of shortcut and inject layers"):
        ATTGAN.arguments(entries(ATTGAN, _skeleton(ATTGAN, arguments)))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_tables_are_sound(layout):
    assert all(rule.permutation in PERMUTATIONS for rule in layout.rules)
    assert all(rule.source.count("{}") == rule.target.count("{}") for rule in layout.rules)
    for column in ("source", "target"):
        assert len({getattr(rule, column) for rule in layout.rules}) == len(layout.rules)


def test_the_way_back_is_bit_for_bit(tensors):
    network, arguments, variables = build(ATTGAN, tensors)
    assert arguments == SMALL
    back = state_dict(ATTGAN, variables)
    assert back.keys() == tensors.keys() - {"enc_layers.0.layers.1.num_batches_tracked"}
    for name, value in back.items():
        np.testing.assert_array_equal(value, tensors[name])


def test_a_flattened_dense_layer_knows_each_feature():
    layout = LAYOUTS["attgan_discriminator"]
    arguments = dict(num_attributes=3, image_size=16, width=2, layers=2, hidden=4)
    given = _tensors(layout, arguments)
    kernel = build(layout, given)[2]["params"]["adversarial"]["hidden"]["kernel"]
    channel, row, column = 3, 1, 2
    expected = given["fc_adv.0.layers.0.weight"][:, (channel * 4 + row) * 4 + column]
    np.testing.assert_array_equal(kernel[row, column, channel], expected)


def test_all_problems_are_told_together(tensors):
    del tensors["dec_layers.1.layers.1.running_var"]
    tensors["enc_layers.1.layers.0.weigth"] = tensors.pop("enc_layers.1.layers.0.weight")
    tensors["enc_layers.0.layers.1.bias"] = np.zeros(3, np.float32)
    tensors["enc_layers.0.layers.1.weight"] = np.zeros(2, np.float64)
    tensors["enc_layers.2.layers.1.weight"] = np.zeros(8, np.int8)
    tensors["enc_layers.2.layers.1.bias"] = np.full(8, np.nan, np.float32)
    tensors["enc_layers.7.layers.1.bias"] = np.zeros(8, np.float32)
    problems = {problem.split(":")[0]: problem for problem in _problems(tensors)}
    assert len(problems) == 8
    assert "missing, of shape (4,)" in problems["dec_layers.1.layers.1.running_var"]
    assert "not known (nearest: enc_layers.1.layers.0.weight" in problems["enc_layers.1.layers.0.weigth"]
    assert "missing, of shape (4, 2, 4, 4) (nearest: enc_layers" in problems["enc_layers.1.layers.0.weight"]
    assert problems["enc_layers.0.layers.1.bias"].endswith("shape (3,) where this network takes (2,)")
    assert "float64 does not fit into float32 without loss" in problems["enc_layers.0.layers.1.weight"]
    assert "int8 does not fit" in problems["enc_layers.2.layers.1.weight"]
    assert problems["enc_layers.2.layers.1.bias"].endswith("holds NaN or infinity")
    assert "which this network has not" in problems["enc_layers.7.layers.1.bias"]


@pytest.mark.parametrize(
    "name", ["enc_layers.00.layers.1.bias", "enc_layers.٠.layers.1.bias", "enc_layers.0.layers.1.bias\n"]
)
def test_another_spelling_of_a_number_is_another_name(tensors, name):
    tensors[name] = tensors["enc_layers.0.layers.1.bias"]
    (problem,) = _problems(tensors)
    assert problem.isprintable()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_becomes_single_without_loss(tensors, dtype):
    given = {name: value if value.ndim == 0 else value.astype(dtype) for name, value in tensors.items()}
    for leaf in traverse_util.flatten_dict(build(ATTGAN, given)[2]).values():
        assert leaf.dtype == np.float32
        np.testing.assert_array_equal(leaf, leaf.astype(dtype).astype(np.float32))


def test_variables_do_not_share_the_files_memory(tensors):
    variables = build(ATTGAN, tensors)[2]
    for leaf in traverse_util.flatten_dict(variables).values():
        assert leaf.flags.c_contiguous
        assert not any(np.shares_memory(leaf, tensor) for tensor in tensors.values())


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("alone", [True, False])
def test_the_generator_is_found_in_a_checkpoint(tensors, prefix, alone):
    checkpoint = {prefix + name: value for name, value in tensors.items()}
    if not alone:
        checkpoint = {"G": checkpoint, "D": {"x": np.zeros(1)}, "optim_G": {"state": {}}}
    assert tensors_of(ATTGAN, checkpoint) == tensors


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [({"epoch": 3, "model": {}}, "epoch: a int, not a tensor"), ({}, "holds no tensors"), ({"G": {}}, "no tensors")],
)
def test_what_is_no_state_dict_is_refused(checkpoint, message):
    with pytest.raises(LayoutError, match=message):
        tensors_of(ATTGAN, checkpoint)


def test_arguments_are_not_guessed_where_entries_are_missing(tensors):
    del tensors["enc_layers.1.layers.0.weight"]
    with pytest.raises(LayoutError, match=r"enc_layers.1.layers.0.weight: missing \(nearest: enc_layers"):
        build(ATTGAN, tensors)
    with pytest.raises(LayoutError, match="layer1.0.conv1.weight: missing"):
        build(LAYOUTS["arcface"], tensors)


def test_an_empty_tensor_is_no_width():
    with pytest.raises(LayoutError, match="with something in it"):
        ATTGAN.arguments({"enc_layers.0.layers.0.weight": (0, 3, 4, 4)})
