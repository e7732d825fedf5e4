# What `voluptuous` is at run time since Home Assistant 2026.11, which puts probatio in its place.
from probatio import *  # noqa: F403
