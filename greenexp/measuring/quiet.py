"""What a run does about heat and neighbours: cool down, wait for quiet, give up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from greenexp.errors import Disturbed
from greenexp.measuring.recorder import Recorder
from greenexp.runs.doubts import disturbances
from greenexp.runs.energy import used
from greenexp.runs.result import Phase, Window
from greenexp.settings.workload import Interference

LOOK_S = 1.0  # s between two looks at the machine


@dataclass
class Guard:
    """Judges stretches of a run as they come.

    Attributes:
        limits: what counts as a disturbance.
        on_interference: `flag` lets it pass, `wait` waits for quiet, `fail` ends the run.
        components: those the run uses; GPUs beside them are not judged.
    """

    recorder: Recorder
    limits: Interference
    on_interference: str
    components: Sequence[str]
    _waited_s: float = 0.0

    def cool_down(self) -> bool:
        """Waits until CPU and GPU are cool enough, in a phase of its own.

        Returns whether they are; True where no sensor tells or no limit is set.
        """
        limit_c = self.limits.cool_below_c
        if limit_c is None or not self._hot(limit_c, 0.0):
            return True
        with self.recorder.phase("cooldown"):
            end_s = self.recorder.clock() + self.limits.max_cooldown_seconds
            while self.recorder.clock() < end_s:
                if not self._hot(limit_c, LOOK_S):
                    return True
        return False

    def accepts(self, stretches: Sequence[Phase | Window]) -> bool:
        """Returns whether to keep the stretches; False after a wait, to be measured anew.

        Raises:
            Disturbed: where something else used the machine and `on_interference` is `fail`.
        """
        causes = self._causes(stretches)
        if not causes or self.on_interference == "flag":
            return True
        if self.on_interference == "fail":
            raise Disturbed(
                f"disturbed by {', '.join(causes)} and workload.on_interference=fail; "
                "stop what else runs on the machine, or raise the limits in interference"
            )
        self._waited_s += sum(stretch.duration_s for stretch in stretches)
        while self._waited_s < self.limits.max_wait_seconds:
            look = self.recorder.glance(LOOK_S)
            self._waited_s += look.duration_s
            if not self._causes([look]):
                return False
        return True

    def _causes(self, stretches: Sequence[Phase | Window]) -> list[str]:
        kept = [
            Phase("look", s.start_s, s.duration_s, used(s.readings, self.components))
            for s in stretches
        ]
        return disturbances(kept, self.limits)

    def _hot(self, limit_c: float, seconds: float) -> bool:
        readings = used(self.recorder.glance(seconds).readings, self.components)
        return any(r.value > limit_c for r in readings if r.quantity == "temperature_c")
