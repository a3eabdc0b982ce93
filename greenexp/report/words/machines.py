"""Which machine for a model: figures side by side, and what may and may not be read off them."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.quantities import CARBON, COST, ENERGY, LATENCY, THROUGHPUT, TOP1, Quantity
from greenexp.report.words import format as wording
from greenexp.report.words.captions import sentences
from greenexp.study.basis import energy_basis
from greenexp.study.study import Cell, Deployment, Machines, Study

SHOWN = (LATENCY, THROUGHPUT, ENERGY, COST, CARBON, TOP1)
ESTIMATE, OF_ESTIMATE = "estimate", "of an estimate"
KEPT, ADVISED, NONE = "no tactic is advised", "advised there", "no baseline was measured"
APART = (
    "Each machine measured by itself: figures stand side by side, and no difference and no ratio "
    "between machines is claimed. An interval says how far the blocks of one machine differ."
)


def columns(study: Study) -> list[Quantity]:
    """Returns the quantities that are shown of each machine, in order."""
    known = {quantity.name: quantity for quantity in study.quantities}
    return [known[name] for name in SHOWN if name in known]


def title(machines: Machines) -> str:
    """Returns the heading of a model's machines."""
    return f"{machines.model} on {machines.dataset}: which machine"


def caption(machines: Machines) -> str:
    """Returns what the figures are, and what stands against reading more into them."""
    cells = _cells(machines)
    holds = sorted({cell.cost_holds for cell in cells if cell.cost_holds})
    sources = wording.sources(cells)
    workloads = {deployment.setting.workload for deployment in machines.deployments}
    unpriced = any(COST not in cell.quantities for cell in cells)
    alone = any(cell.blocks < 2 for cell in cells)
    return sentences(
        f"{machines.model} on {machines.dataset}: each machine with the tactic that is advised "
        "there, else the baseline; cheapest first, by USD per million images. Intervals are 95 %.",
        APART,
        "A figure without an interval is of one block." if alone else "",
        f"Dollars hold different parts ({'; '.join(holds)}), so their order says little."
        if len(holds) > 1
        else "",
        "What has no dollars stands last." if unpriced else "",
        f"Energy is from different sources ({'; '.join(sources)}), whose joules are not alike."
        if len(sources) > 1
        else "",
        "An estimate is made of utilization and rated power, and is no measurement."
        if any(estimated(cell) for cell in cells)
        else "",
        f"The workloads differ ({'; '.join(sorted(workloads))})." if len(workloads) > 1 else "",
    )


def machine(deployment: Deployment) -> str:
    """Returns what the device is called that ran."""
    return deployment.setting.machine or wording.ABSENT


def place(deployment: Deployment) -> str:
    """Returns preset and workload, and what else tells a machine's settings apart."""
    own = deployment.setting
    return " · ".join(filter(None, [own.hardware, own.workload, own.varied]))


def tactic(deployment: Deployment) -> str:
    """Returns what would be deployed."""
    return wording.ABSENT if deployment.cell is None else deployment.cell.tactic


def why(deployment: Deployment) -> str:
    """Returns why that would be deployed."""
    if deployment.cell is None:
        return NONE
    why = ADVISED if deployment.is_advised else KEPT
    doubts = ", ".join(deployment.cell.doubts)
    return f"{why}; flagged: {doubts}" if doubts else why


def estimated(cell: Cell) -> bool:
    """Tells whether a cell's joules are an estimate, at least in part."""
    made_of = energy_basis([cell.energy_source])
    return made_of is not None and made_of.holds_estimates


def figure(deployment: Deployment, name: str) -> str:
    """Returns a figure of what would be deployed."""
    known = None if deployment.cell is None else deployment.cell.quantities.get(name)
    if name == TOP1:
        return wording.fraction(None if known is None else known.value)
    return wording.quantity(known)


def span(deployment: Deployment, name: str) -> str:
    """Returns its interval; nothing without one, nor of top-1, which is the same in each block."""
    cell = deployment.cell
    known = None if cell is None or name == TOP1 else cell.quantities.get(name)
    return wording.quantity_span(known)


def remark(deployment: Deployment, name: str) -> str:
    """Returns where joules are from, what dollars hold, and what is made of an estimate."""
    cell = deployment.cell
    if cell is None or name not in cell.quantities:
        return ""
    holds = cell.cost_holds or ""
    words = {
        ENERGY: [ESTIMATE if estimated(cell) else "", cell.energy_source or ""],
        COST: [holds, OF_ESTIMATE if estimated(cell) and "electricity" in holds else ""],
        CARBON: [OF_ESTIMATE if estimated(cell) else ""],
    }
    return ", ".join(filter(None, words.get(name, [])))


def _cells(machines: Machines) -> Sequence[Cell]:
    known = (deployment.cell for deployment in machines.deployments)
    return [cell for cell in known if cell is not None]


def energy(machines: Machines) -> str:
    """Returns what the column of energy is called."""
    return wording.energy_name(_cells(machines))
