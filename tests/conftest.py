"""What all tests share."""

import torch

# oneDNN's gradient of a 1x1 convolution was seen to wait for ever on two threads, and aborts on one.
torch.backends.mkldnn.enabled = False
