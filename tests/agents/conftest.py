import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """The networks are too small to gain from a second thread, and tests run side by side."""
    torch.set_num_threads(1)
