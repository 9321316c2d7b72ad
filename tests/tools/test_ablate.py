"""Which commands an ablation runs, what it keeps, and what it prints."""

import json
import subprocess
from pathlib import Path

import pytest

from experiments.configuration import load_config
from tools import ablate

FIGURES = {
    "rows": {
        "strength 1": {
            "found": 1.0,
            "sface": {"matched": 0.25},
            "dlib": {"matched": 0.125, "matched_at_far": 0.0625, "rank1": 0.5},
        },
        "strength 0": {"psnr": 31.24},
    },
    "seed_pairs": {"dlib": {"matched": 0.75}},
    "attributes": {"kept_mean": 0.9, "strength 1": {"realised": 0.6}},
}


@pytest.fixture
def commands(monkeypatch):
    """What is run, instead of running it; ``failing`` holds modules that end with exit code 3."""
    ran, failing = [], set()

    def run(command, **_):
        ran.append(command)
        for argument in command:
            if argument.startswith("--json="):
                Path(argument.removeprefix("--json=")).write_text(json.dumps(FIGURES))
        return subprocess.CompletedProcess(command, 3 if command[2] in failing else 0)

    monkeypatch.setattr(subprocess, "run", run)
    return ran, failing


def run(tmp_path, *more):
    return ablate.main([f"--output={tmp_path}", "--root=PHOTOS", "--config=celeba_cpu.py", *more])


def test_every_variant_is_the_same_training_but_for_its_own_settings(commands, tmp_path):
    assert run(tmp_path, "--steps=70", "--config.batch_size=4") == 0
    trainings = [command for command in commands[0] if command[2] == "experiments.train"]
    configs = []
    for command in trainings:
        settings = [argument.removeprefix("--config.") for argument in command if argument.startswith("--config.")]
        configs.append(load_config("celeba_cpu.py", settings).to_dict())
    assert len({str(config) for config in configs}) == len(configs) == len(ablate.ABLATIONS)
    whole = configs[0]
    assert whole["total_steps"] == whole["optimizer"]["critic_warmup_steps"] + 70
    assert whole["batch_size"] == 4 and whole["data"]["root"] == "PHOTOS"
    for config, settings in zip(configs, ablate.ABLATIONS.values(), strict=True):
        for key in (setting.partition("=")[0] for setting in settings):
            group, name = key.split(".")
            assert not config[group][name] and whole[group][name]
            config[group][name] = whole[group][name]
        assert config == whole


def test_the_table_has_what_was_measured_and_nothing_is_measured_twice(commands, tmp_path, capsys):
    assert run(tmp_path, "--only=whole,no SCU") == 0
    assert [command[2] for command in commands[0]] == 2 * ["experiments.train", "tools.measure_anonymization"]
    assert "--split=validation" in commands[0][1]
    printed = capsys.readouterr().out
    assert "| no SCU | 1.000 | 0.250 | 0.125 | 0.062 | 0.500 | 0.750 | 0.900 | 0.600 | 31.2 dB |" in printed
    assert run(tmp_path, "--only=whole,no SCU,no AINet") == 0
    # A training that is there refuses other settings itself, so it is asked; only what is new is measured.
    again = [command[2] for command in commands[0][4:]]
    assert again == 3 * ["experiments.train"] + ["tools.measure_anonymization"]
    assert printed.strip() in capsys.readouterr().out
    assert run(tmp_path, "--only=whole", "--limit=24") == 0
    assert commands[0][-1][2] == "tools.measure_anonymization" and "--limit=24" in commands[0][-1]


def test_a_training_that_fails_ends_it(commands, tmp_path, capsys):
    commands[1].add("experiments.train")
    assert run(tmp_path, "--only=no SCU") == 3
    assert [command[2] for command in commands[0]] == ["experiments.train"]
    assert "no SCU: exit code 3 of -m experiments.train" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["--only=no SCUs", "--config.loss.gate_flor=1"])
def test_what_is_not_there_is_told_before_anything_runs(commands, tmp_path, capsys, wrong):
    with pytest.raises(SystemExit):
        run(tmp_path, wrong)
    assert not commands[0]
    assert "no variant no SCUs" in (said := capsys.readouterr().err) or "gate_floor" in said
