"""The project's settings, with kinds of operation that misbehave."""

from provisioning.settings import *  # noqa: F403
from provisioning.settings import INSTALLED_APPS

INSTALLED_APPS = ["tests.operations.probes", *INSTALLED_APPS]
