"""Scripts on eight simulated devices, in a process of their own: the number is fixed when JAX starts."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run_on_eight_devices(script: str, *flags: str) -> str:
    """What a Python script prints; fails with what it says if it fails. ``flags``: further ones of XLA."""
    environment = os.environ | {
        "XLA_FLAGS": " ".join(("--xla_force_host_platform_device_count=8", *flags)),
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
