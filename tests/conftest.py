"""What all tests share."""

import os

# Before JAX starts. Most programs here run once or twice: to optimise them takes longer than they do.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import torch  # noqa: E402

# oneDNN's gradient of a 1x1 convolution was seen to wait for ever on two threads, and aborts on one.
torch.backends.mkldnn.enabled = False
