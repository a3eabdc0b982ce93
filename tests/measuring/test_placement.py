"""What a pass allocates lies elsewhere in each window, where the workload asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from greenexp.measuring import isolation
from greenexp.measuring.allocator import keep_freed_memory
from greenexp.measuring.placement import BLOCKS, LARGEST_BYTES, Placement
from greenexp.settings.workload import Workload

TIMEOUT_S = 120.0
DRAWS = 30


def addresses_of_passes(path: str) -> None:
    """Writes where the results of passes lie: of passes in place, and after a draw each."""
    keep_freed_memory()
    layer = torch.nn.Sequential(torch.nn.Linear(64, 4096), torch.nn.ReLU())
    pixels = torch.ones(100, 64)
    placement = Placement()

    def address() -> int:
        for _ in range(3):
            logits = layer(pixels)
        return int(logits.data_ptr())

    with torch.inference_mode():
        address()
        still = {address() for _ in range(DRAWS)}
        drawn = set()
        for _ in range(DRAWS):
            placement.draw()
            drawn.add(address())
    Path(path).write_text(json.dumps([len(still), len(drawn)]), encoding="utf-8")


def test_draws_move_what_a_pass_allocates(tmp_path: Path) -> None:
    file = tmp_path / "addresses"
    assert isolation.call(addresses_of_passes, str(file), timeout_s=TIMEOUT_S).kind == "returned"
    still, drawn = json.loads(file.read_text())
    assert still <= 3
    assert drawn > DRAWS / 2


def test_draws_hold_bounded_memory_and_leave_the_seeds_of_the_user() -> None:
    placement = Placement()
    torch.manual_seed(0)
    state = torch.get_rng_state()
    for _ in range(3):
        placement.draw()
    held = placement._blocks
    assert len(held) == BLOCKS // 2
    assert all(block.nbytes <= LARGEST_BYTES for block in held)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("shuffle_memory", "device", "drawn"),
    [(True, "cpu", True), (True, "cuda", False), (False, "cpu", False)],
)
def test_it_is_drawn_on_a_cpu_where_it_is_asked_for(
    shuffle_memory: bool, device: str, drawn: bool
) -> None:
    workload = Workload(shuffle_memory=shuffle_memory)
    assert (Placement.of(workload, device) is not None) is drawn
