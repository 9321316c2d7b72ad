"""What a compiled TPU program's text is read for; and, where the TPU compiler is installed, a real compilation."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tools.tpu_program import COPIES, ELEMENTS, MATRIX, Program, group_size, shape_bytes

ROOT = Path(__file__).parents[2]

PROGRAM = """HloModule jit_step, is_scheduled=true, entry_computation_layout={(f32[8,128]{1,0})->f32[8,128]{1,0}}

FileNames
1 "step.py"

%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[]{:T(128)} parameter(0)
  %y = f32[]{:T(128)} parameter(1)
  ROOT %add.9 = f32[]{:T(128)} add(%x, %y)
}

%fused.conv (p0: f32[8,128], p1: f32[128,128]) -> f32[8,128] {
  %p0 = f32[8,128]{1,0:T(8,128)} parameter(0)
  %p1 = f32[128,128]{1,0:T(8,128)} parameter(1)
  %inner = f32[128,128]{1,0:T(8,128)} fusion(%p1), kind=kLoop, calls=%fused.copy
  ROOT %convolution.1 = f32[8,128]{1,0:T(8,128)} convolution(%p0, %inner), dim_labels=bf_io->bf
}

%fused.copy (p2: f32[128,128]) -> f32[128,128] {
  %p2 = f32[128,128]{1,0:T(8,128)} parameter(0)
  ROOT %copy.1 = f32[128,128]{0,1:T(8,128)} copy(%p2)
}

%fused.scatter (p3: f32[8,128]) -> f32[8,64] {
  %p3 = f32[8,128]{1,0:T(8,128)} parameter(0)
  %all-reduce.7 = f32[8,128]{1,0:T(8,128)} all-reduce(%p3), channel_id=7, replica_groups=[2,2]<=[4], to_apply=%add
  %zero = s32[]{:T(128)} constant(0)
  ROOT %dynamic-slice.1 = f32[8,64]{1,0:T(8,128)} dynamic-slice(%all-reduce.7, %zero, %zero), dynamic_slice_sizes={8,64}
}

%skip (s: (f32[8,128])) -> f32[8,128] {
  %s = (f32[8,128]{1,0:T(8,128)}) parameter(0)
  ROOT %got.0 = f32[8,128]{1,0:T(8,128)} get-tuple-element(%s), index=0
}

%penalty (t: (f32[8,128])) -> f32[8,128] {
  %t = (f32[8,128]{1,0:T(8,128)}) parameter(0)
  %got.1 = f32[8,128]{1,0:T(8,128)} get-tuple-element(%t), index=0
  %all-reduce.2 = f32[8,128]{1,0:T(8,128)} all-reduce(%got.1), channel_id=3, replica_groups={{0,1,2,3}}, to_apply=%add
  ROOT %multiply.1 = f32[8,128]{1,0:T(8,128)} multiply(%all-reduce.2, %got.1), \
backend_config={"window_config":{"estimated_cycles":"800"}}
}

%body (b: (f32[8,128])) -> (f32[8,128]) {
  %b = (f32[8,128]{1,0:T(8,128)}) parameter(0)
  %got.2 = f32[8,128]{1,0:T(8,128)} get-tuple-element(%b), index=0
  %tanh.1 = f32[8,128]{1,0:T(8,128)} tanh(%got.2), backend_config={"window_config":{"estimated_cycles":"10"}}
  ROOT %tuple.1 = (f32[8,128]{1,0:T(8,128)}) tuple(%tanh.1)
}

%condition (c: (f32[8,128])) -> pred[] {
  %c = (f32[8,128]{1,0:T(8,128)}) parameter(0)
  ROOT %true = pred[]{:T(512)} constant(true)
}

ENTRY %main.1_spmd (x.1: f32[8,128], w: f32[128,128], which: s32[]) -> f32[8,128] {
  %x.1 = f32[8,128]{1,0:T(8,128)} parameter(0)
  %w = f32[128,128]{1,0:T(8,128)} parameter(1)
  %which = s32[]{:T(128)} parameter(2)
  %collective-permute-start = (f32[8,128]{1,0:T(8,128)S(1)}, f32[8,128]{1,0:T(8,128)}, \
u32[]{:S(2)}) collective-permute-start(%x.1), channel_id=1, source_target_pairs={{0,1},{1,0}}
  %fusion.1 = f32[8,128]{1,0:T(8,128)} fusion(%x.1, %w), kind=kOutput, calls=%fused.conv, \
metadata={op_name="jit(step)/Conv_0" stack_frame_id=1}, \
backend_config={"window_config":{"estimated_cycles":"1000","iteration_bounds":["1"]}}
  %collective-permute-done = f32[8,128]{1,0:T(8,128)S(1)} collective-permute-done(%collective-permute-start)
  %all-gather-start.1 = (f32[8,128]{1,0}, f32[32,128]{1,0}) all-gather-start(%fusion.1), channel_id=2, \
replica_groups=mesh['axis_0'=2,'axis_1'=4] {'axis_1'}, dimensions={0}
  %copy.2 = f32[128,128]{0,1:T(8,128)} copy(%w), backend_config={"window_config":{"estimated_cycles":"100"}}
  %all-gather-done.1 = f32[32,128]{1,0:T(8,128)} all-gather-done(%all-gather-start.1)
  %scatter = f32[8,64]{1,0:T(8,128)} fusion(%fusion.1), kind=kCustom, calls=%fused.scatter
  %tuple.2 = (f32[8,128]{1,0:T(8,128)}) tuple(%fusion.1)
  %lu = (f32[2,2]{1,0:T(2,128)S(1)}, s32[2]{0:T(128)}) custom-call(%w), custom_call_target="LuDecompositionBlock"
  %while.1 = (f32[8,128]{1,0:T(8,128)}) while(%tuple.2), condition=%condition, body=%body, \
backend_config={"known_trip_count":{"n":"5"}}
  ROOT %conditional.1 = f32[8,128]{1,0:T(8,128)} conditional(%which, %tuple.2, /*index=2*/%while.1), \
branch_computations={%penalty, %skip}
}
"""


def test_cycles_are_summed_over_the_schedule_by_kind():
    program = Program(PROGRAM, rare=0.25)
    # The loop goes round five times; the penalty runs one time in four.
    assert program.cycles == {MATRIX: 1000, COPIES: 100, ELEMENTS: 5 * 10 + 0.25 * 800}
    assert program.costliest_cycles() == 1000 + 100 + 50 + 800
    assert program.untimed() == 2  # the LU decomposition and the reduce-scatter
    assert max(program.timed(), key=lambda timed: timed[1].cycles)[1].source == "jit(step)/Conv_0"


def test_collectives_are_found_wherever_they_hide():
    size = 8 * 128 * 4
    found = {(c.kind, c.times): (c.sent, c.asynchronous, c.hidden) for c in Program(PROGRAM, rare=0.25).collectives()}
    assert found == {
        ("collective-permute", 1.0): (size, True, 1000),
        ("all-gather", 1.0): (3 * size, True, 0),  # only a copy runs meanwhile
        ("reduce-scatter", 1.0): (size / 2, False, 0),
        ("all-reduce", 0.25): (2 * 3 / 4 * size, False, 0),
    }


@pytest.mark.parametrize(
    "shape, expected",
    [
        ("f32[8,128]{1,0:T(8,128)(2,1)S(1)}", 4096),
        ("pred[]{:T(512)}", 1),
        ("s4[3]{0}", 2),
        ("(f32[]{:T(128)}, bf16[4,4,3,2]{2,3,1,0:T(2,128)S(1)}, /*index=2*/u8[5]{0})", 4 + 192 + 5),
    ],
)
def test_bytes_of_a_shape(shape, expected):
    assert shape_bytes(shape) == expected


@pytest.mark.parametrize(
    "groups, expected",
    [
        ("replica_groups=mesh['axis_0'=4,'axis_1'=2,'axis_2'=3] {'axis_0','axis_2'}, to_apply=%add", 12),
        ("replica_groups=[2,8]<=[16], to_apply=%add", 8),
        ("replica_groups={{0,4},{1,5}}", 2),
    ],
)
def test_size_of_a_group(groups, expected):
    assert group_size(groups) == expected


def test_what_cannot_be_read_is_an_error():
    with pytest.raises(ValueError, match="is_scheduled"):
        Program("HloModule jit_step\n")
    with pytest.raises(ValueError, match="while.1"):
        Program(PROGRAM.replace("known_trip_count", "other")).collectives()
    with pytest.raises(ValueError, match="replica_groups"):
        group_size("channel_id=1")
    with pytest.raises(ValueError, match="x9"):
        shape_bytes("x9[3]")


def tpu_python() -> str:
    """An interpreter that has the TPU compiler; skips the test where there is none, as on machines it is not built for.
    One that is named must have it."""
    named = os.environ.get("TPU_COMPILER_PYTHON")
    python = named or str(ROOT / ".venv-tpu" / "bin" / "python")
    asked = "import importlib.util, sys; sys.exit(importlib.util.find_spec('libtpu') is None)"
    if not Path(python).exists() or subprocess.run([python, "-c", asked]).returncode:
        if named:
            pytest.fail(f"TPU_COMPILER_PYTHON={named} is no interpreter with libtpu")
        pytest.skip("no libtpu: run make tpu-compile, or name an interpreter in TPU_COMPILER_PYTHON")
    return python


def compile_tpu(*arguments: str) -> subprocess.CompletedProcess:
    command = [tpu_python(), "-m", "tools.compile_tpu", "--topologies=v5e:2x2", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_step_is_compiled_for_four_chips(tmp_path):
    # The step of the warm-up, in which only the identity critic learns: the full one takes minutes.
    file = tmp_path / "figures.json"
    done = compile_tpu("--config=tests/experiments/tiny.py", "--at=0", "--people=16", f"--json={file}", "--slowest=3")
    assert done.returncode == 0, done.stderr[-2000:]
    (figures,) = json.loads(file.read_text())
    assert (figures["chips"], figures["global_batch"], figures["fits"]) == (4, 4, True)
    # The critic's parameters and two moments, float32, and more: the whole state is an argument.
    assert figures["memory"]["arguments"] > 3 * 4 * 128 * 16 and figures["flops_of_a_chip"] > 1e5
    assert 0 < figures["step_seconds"] < 1 and 0 < figures["mfu"] < 1
    (name,) = (kind for kind in figures["collectives"] if kind == "all-reduce")
    assert figures["collectives"][name]["sent"] > 2 * 3 / 4 * 4 * 128 * 16  # the gradient of the softmax at least
    assert "v5e:2x2" in done.stdout and done.stdout.count(" ms  ") >= 3


def test_an_unknown_setting_or_chip_is_named():
    done = compile_tpu("--config.model.bass=3")
    assert done.returncode == 2 and "model.base" in done.stderr
    done = compile_tpu("--topologies=v9:2x2")
    assert done.returncode == 2 and "v9:2x2" in done.stderr and "v5e" in done.stderr
