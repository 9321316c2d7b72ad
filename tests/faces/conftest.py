import numpy as np
import pytest


@pytest.fixture
def dark():
    return np.zeros((200, 300, 3), np.uint8)
