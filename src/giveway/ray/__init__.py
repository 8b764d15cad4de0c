"""Ray places work on devices, and giveway shares each device by priority.

`options` makes a Ray worker process start under giveway:

    urgent = giveway.ray.options(priority=10)
    Actor.options(**urgent).remote()
    serve.deployment(Model, ray_actor_options=urgent)

This package does not import Ray. Functions that need a cluster do.
"""

from giveway.ray.request import options, worker_resources

__all__ = ["options", "worker_resources"]
