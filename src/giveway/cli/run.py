"""``giveway run``."""

from __future__ import annotations

import click

from giveway.cli.parts import options


@click.command(
    "run",
    # Options after CMD belong to CMD, with or without `--`.
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS] --",
)
@options.priority
@click.option("-n", "--name", metavar="S", help="Name of the task. [default: derived from CMD]")
@click.option(
    "--slowdown",
    metavar="PERCENT",
    help="The tolerance: by how much less urgent programs may slow CMD down, 0% to 100%.",
)
@click.option(
    "--job",
    metavar="NAME",
    help="Processes that wait for each other give way together. [default: the run of torchrun]",
)
@click.option(
    "--whole-process",
    is_flag=True,
    help="On the CPU: gate all threads of CMD, for programs without OpenMP regions.",
)
@options.memory
@options.reserve
@options.parkable
@options.attributes
@options.device("Device to share. [default: a GPU where there is one, cuda or hip; else cpu]")
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED, metavar="CMD [ARGS]...")
def command(
    cmd: tuple[str, ...],
    priority: int | None,
    name: str | None,
    device: str | None,
    job: str | None,
    whole_process: bool,
    memory: str | None,
    reserve: str | None,
    parkable: bool | None,
    **settings: str | None,
) -> None:
    """Run a program that shares a device by priority.

    While a program of higher priority has work, CMD waits before its next launch. CMD itself is not
    changed: it has its own exit code, signals, standard input, terminal and environment. Its child
    processes share the device in the same way.

    \b
    Examples:
      giveway run --priority 10 -- python serve.py
      giveway run --priority 10 --slowdown 10% -- python serve.py
      giveway run -- python train.py --epochs 3
      giveway run --priority 10 --reserve 60GiB -- vllm serve MODEL
      giveway run --memory 50% -- python train.py
      giveway run --parkable -- python train.py
      giveway run --name nightly -- torchrun --nproc-per-node 2 train.py
      giveway run --share 30 -- python tenant.py

    Where no option states them, the environment (GIVEWAY_PRIORITY, GIVEWAY_SLOWDOWN,
    GIVEWAY_MEMORY, GIVEWAY_RESERVE, GIVEWAY_PARKABLE) decides about priority, slowdown and memory,
    then the configuration files (giveway config). Otherwise, the priority is 0, the slowdown 0%,
    memory is neither limited nor reserved, and CMD is not parkable.

    Options marked [policies] have an effect under a policy that reads them (giveway serve).

    CMD runs with GOMP_SPINCOUNT=30011 and KMP_BLOCKTIME=1, unless OMP_WAIT_POLICY, GOMP_SPINCOUNT
    or KMP_BLOCKTIME is set. Idle OpenMP workers then soon leave their cores to other programs.
    Workers of libgomp do so only while other programs share the device.
    """
    from giveway import launch
    from giveway.cli.parts.settings import choose

    task = name if name is not None else launch.derive_name(cmd) if cmd else ""
    number, given = choose(task, priority, settings, memory, reserve, parkable)
    launch.run(
        cmd,
        device=device,
        priority=number,
        name=name,
        settings=given,
        job=job,
        whole_process=whole_process,
        memory=memory,
        reserve=reserve,
        parkable=parkable,
    )
