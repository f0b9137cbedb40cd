"""How long a first boot takes, and against what."""

import statistics
from pathlib import Path

from .host import Broken, wait_for
from .registry import REALISTIC, push_stand_ins

BASELINE = Path(__file__).resolve().parents[1] / "baseline.sh"
RUNS = 3
# Of one connection of the registry's or the mirror's, and of the machine.
CONNECTION_BYTES_PER_SECOND = 200_000_000 // 8
MACHINE_MEGABITS = 1000
MOST_OF_BASELINE = 0.8
# (what it is called, the text on the console that begins it)
PHASES = (
    ("cloud-init", "running 'init-local'"),
    ("container engine", "inductiva-aws: phase container-engine"),
    ("images", "inductiva-aws: phase images"),
    ("containers, registration", "inductiva-aws: phase file-tracker"),
)


def figures(world, say):
    """Prints a table; 0 when user-data.sh is as much faster as it has to be."""
    names = push_stand_ins(world.registry, world.base_tree, REALISTIC)
    images = [f"slow.test/{name.partition('/')[2]}" for name in names]
    world.slow_down(CONNECTION_BYTES_PER_SECOND)
    scripts = {"user-data.sh": None, "in sequence": BASELINE}
    # One boot that is not counted, so that the mirror has all packages.
    _measure(world, "warm-up", BASELINE, images)
    measured = {name: [] for name in scripts}
    for number in range(RUNS):
        for name, script in scripts.items():
            seconds = _measure(world, f"{name}-{number}", script, images)
            measured[name].append(seconds)
            whole = " ".join(f"{second:.1f}" for second in seconds)
            say(f"   {name} {number + 1}: {whole}, in all {sum(seconds):.1f} s")
    say(f"\nseconds from cloud-init's start, median of {RUNS}")
    say(f"{'':26}" + "".join(f"{name:>14}" for name in scripts))
    for row, (phase, _) in enumerate(PHASES):
        medians = [
            statistics.median(run[row] for run in measured[name]) for name in scripts
        ]
        say(f"{phase:26}" + "".join(f"{second:14.1f}" for second in medians))
    totals = [statistics.median(map(sum, measured[name])) for name in scripts]
    say(f"{'registered':26}" + "".join(f"{second:14.1f}" for second in totals))
    share = totals[0] / totals[1]
    say(f"{'of the sequence':26}{share:14.2f}{f'≤ {MOST_OF_BASELINE}':>14}")
    passed = share <= MOST_OF_BASELINE
    say("1 passed, 0 failed" if passed else "0 passed, 1 failed")
    return 0 if passed else 1


def _measure(world, name, script, images):
    """The seconds of each phase of one boot."""
    machine = world.machine(name.replace(" ", "-"))
    machine.megabits = MACHINE_MEGABITS
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
