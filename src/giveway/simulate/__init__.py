"""Policies and the scheduler on virtual time: the same objects as in the daemon, over a model of
programs and devices.

``load`` reads what is to be simulated, ``engine`` runs it, ``figures`` says what came of it and
``plot`` draws it.
"""
