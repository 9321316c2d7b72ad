"""Measurements on their way to the screen and to files."""

import json

import jax.numpy as jnp
import pytest
from clu.metrics import Average

from experiments.progress import Measurements, Writer, duration


def test_averages_count_only_the_steps_that_measure():
    measurements = Measurements(lag=2)
    for step in range(1, 7):
        values = {"loss": jnp.float32(step)}
        if step % 3 == 0:
            values["now_and_then"] = jnp.float32(10 * step)
        values["counted"] = Average(total=jnp.float32(2 * (step % 2)), count=jnp.int32(step % 2))
        measurements.add(step, values)
    assert measurements.average() == {"loss": 3.5, "now_and_then": 45.0, "counted": 2.0}
    measurements.add(7, {"loss": jnp.float32(1)})
    assert measurements.average() == {"loss": 1.0}
    assert measurements.average() == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_stops_and_names_step_and_loss(value):
    measurements = Measurements(lag=2)
    measurements.add(4, {"loss/identity": jnp.float32(value), "loss/other": jnp.float32(1)})
    measurements.add(5, {"loss/identity": jnp.float32(1)})
    with pytest.raises(FloatingPointError, match=r"step 4: loss/identity is -?(nan|inf)$"):
        measurements.add(6, {"loss/identity": jnp.float32(1)})
    measurements = Measurements(lag=2)
    measurements.add(9, {"loss/identity": jnp.float32(value)})
    with pytest.raises(FloatingPointError, match="step 9"):
        measurements.check_all()


def test_a_resumed_run_replaces_the_lines_after_its_checkpoint(tmp_path):
    writer = Writer(tmp_path, 0)
    for step in (5, 10, 15):
        writer.write(step, {"loss": step / 3})
    writer.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "lo')  # killed while writing
    writer = Writer(tmp_path, 10)
    writer.write(15, {"loss": 7.0})
    writer.close()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"step": 5, "loss": 1.66667}, {"step": 10, "loss": 3.33333}, {"step": 15, "loss": 7.0}]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2


def test_durations_are_words():
    assert [duration(s) for s in (0, 95, 3600, 7500)] == ["0 min", "2 min", "1 h 00 min", "2 h 05 min"]
