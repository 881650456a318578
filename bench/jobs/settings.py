"""The project's settings, and what one contender needs beside them; BENCH_PEER names it, none prepares for all."""

import os

from provisioning import settings as ours
from provisioning import unused_imports
from provisioning.settings import *  # noqa: F403

PEER = os.environ.get("BENCH_PEER", "")
REDIS = "redis://127.0.0.1:6379/15"
INSTALLED_APPS = [*ours.INSTALLED_APPS, "bench.jobs"]
HUEY = {"huey_class": "huey.RedisHuey", "name": "bench", "url": REDIS, "immediate": False, "results": False}

if PEER == "stock":
    Q_CLUSTER = {"name": "stock", "orm": "default", "workers": 2}
if PEER in ("", "procrastinate") and ours.DATABASES["default"]["ENGINE"].endswith("postgresql"):
    unused_imports.show()  # it needs one of them
    INSTALLED_APPS.append("procrastinate.contrib.django")
    PROCRASTINATE_IMPORT_PATHS = ["bench.peers.procrastinate"]
