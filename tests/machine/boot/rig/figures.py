"""How long a boot takes: with the work in sequence, a first boot, and one from a
prepared image. The disks of the rig are as fast at once as later: EBS reads a new
volume's blocks late, which it does not show."""

import statistics
from pathlib import Path

from .host import Broken, wait_for
from .prepared import prepare
from .registry import REALISTIC, push_stand_ins

BASELINE = Path(__file__).resolve().parents[1] / "baseline.sh"
RUNS = 3
# Of one connection of the registry's or the mirror's, and of the machine.
CONNECTION_BYTES_PER_SECOND = 200_000_000 // 8
MACHINE_MEGABITS = 1000
MOST_OF_BASELINE = 0.8
MOST_OF_BASELINE_PREPARED = 0.2
MOST_SECONDS_PREPARED = 10
SEQUENCE, FIRST, PREPARED = "in sequence", "first boot", "prepared"
# (what it is called, the text on the console that begins it)
PHASES = (
    ("cloud-init", "running 'init-local'"),
    ("container engine", "inductiva-aws: phase container-engine"),
    ("images", "inductiva-aws: phase images"),
    ("containers, registration", "inductiva-aws: phase file-tracker"),
)


def figures(world, say):
    """Prints a table; 0 when boots are as much faster as they have to be."""
    names = push_stand_ins(world.registry, world.base_tree, REALISTIC)
    images = [f"slow.test/{name.partition('/')[2]}" for name in names]
    world.slow_down(CONNECTION_BYTES_PER_SECOND)
    # One boot that is not counted, so that the mirror has all packages.
    _measure(world, "warm-up", BASELINE, images)
    builder = prepare(world, "builder", images)
    ways = {
        SEQUENCE: {"script": BASELINE},
        FIRST: {},
        PREPARED: {"disk_of": builder},
    }
    measured = {name: [] for name in ways}
    for number in range(RUNS):
        for name, way in ways.items():
            seconds = _measure(world, f"{name}-{number}", images=images, **way)
            measured[name].append(seconds)
            whole = " ".join(f"{second:.1f}" for second in seconds)
            say(f"   {name} {number + 1}: {whole}, in all {sum(seconds):.1f} s")
    say(f"\nseconds from cloud-init's start, median of {RUNS}")
    say(f"{'':26}" + "".join(f"{name:>14}" for name in ways))
    for row, (phase, _) in enumerate(PHASES):
        medians = [
            statistics.median(run[row] for run in measured[name]) for name in ways
        ]
        say(f"{phase:26}" + "".join(f"{second:14.1f}" for second in medians))
    totals = {n: statistics.median(map(sum, measured[n])) for n in ways}
    say(f"{'registered':26}" + "".join(f"{s:14.1f}" for s in totals.values()))
    shares = {name: total / totals[SEQUENCE] for name, total in totals.items()}
    say(f"{'of the sequence':26}" + "".join(f"{s:14.2f}" for s in shares.values()))
    aims = {
        f"first boot ≤ {MOST_OF_BASELINE} of the sequence": shares[FIRST]
        <= MOST_OF_BASELINE,
        f"prepared ≤ {MOST_OF_BASELINE_PREPARED} of the sequence": shares[PREPARED]
        <= MOST_OF_BASELINE_PREPARED,
        f"prepared ≤ {MOST_SECONDS_PREPARED} s": totals[PREPARED]
        <= MOST_SECONDS_PREPARED,
    }
    for aim, is_met in aims.items():
        say(f"{'ok' if is_met else 'FAILED':6} {aim}")
    failed = sum(not is_met for is_met in aims.values())
    say(f"{len(aims) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _measure(world, name, script=None, images=None, disk_of=None):
    """The seconds of each phase of one boot."""
    machine = world.machine(name.replace(" ", "-"))
    machine.megabits = MACHINE_MEGABITS
    if disk_of:
        machine.take_disk_of(disk_of)
    try:
        machine.launch(script=script, images=images)

        def registered():
            if not machine.on:
                raise Broken(f"{name}: powered off\n{machine.console[-3000:]}")
            calls = machine.account.calls("POST /task-runner/register")
            return [call for call in calls if call["status"] == 202]

        (call, *_) = wait_for(registered, 600, f"{name} is registered")
        times = [machine.said_at(text) for _, text in PHASES]
        # The sandbox reads the same clock of this machine.
        times.append(call["ended"])
        return [later - earlier for earlier, later in zip(times, times[1:])]
    finally:
        world.discard(machine)
