"""What all tests share."""

import torch

# PyTorch's gradient of a convolution was seen to wait for ever for a second thread, in a process that JAX shares.
torch.set_num_threads(1)
