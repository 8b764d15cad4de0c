"""Ray places, giveway shares: `options` makes a Ray worker process start under giveway.

    urgent = giveway.ray.options(priority=10)
    Actor.options(**urgent).remote()
    serve.deployment(Model, ray_actor_options=urgent)

Ray itself is imported by what needs a cluster, not by this package.
"""

from giveway.ray.request import options, worker_resources

__all__ = ["options", "worker_resources"]
