"""Simulation of policies on virtual time. The scheduler and the policies are those of the daemon;
programs and devices are models.

``load`` reads a scenario, ``engine`` runs it on a ``machine``, ``figures`` computes the results and
``plot`` draws them.
"""
