"""The option `--database-only`: leave out the tests that use no database, for one run of them tells all about them.

Such a test asks for no fixture of a database and has no mark for one, so that pytest-django refuses it any query. Tests
of Ansible on real machines are left out too: they use a database only to get there. So are those that are done at every
cloud, but for one: they ask the same of the database at each. And so are those that make databases of both kinds.
"""

FIXTURES = {"db", "transactional_db", "database", "databases", "system"}
MACHINES = {"roles", "real_servers"}
BOTH_DATABASES = "scene"
ONE_CLOUD = "upcloud"


def pytest_addoption(parser):
    """Add the option."""
    parser.addoption("--database-only", action="store_true", help="leave out the tests that use no database")


def pytest_collection_modifyitems(config, items):
    """Leave tests out."""
    if not config.getoption("database_only"):
        return
    config.hook.pytest_deselected(items=[item for item in items if not uses_database(item)])
    items[:] = [item for item in items if uses_database(item)]


def uses_database(item):
    """Tell whether a test may use a database, the suite's own or one that a fixture of ours makes."""
    if is_on_machines(item) or is_at_another_cloud(item) or BOTH_DATABASES in item.fixturenames:
        return False
    if item.get_closest_marker("django_db") or FIXTURES & set(item.fixturenames):
        return True
    fixtures = [one for named in item._fixtureinfo.name2fixturedefs.values() for one in named]
    return any("django_db_blocker" in one.argnames and is_own(one.func) for one in fixtures)


def is_on_machines(item):
    """Tell whether a test has Ansible work on real machines."""
    return bool(MACHINES & set(item.fixturenames)) or item.path.stem.endswith("_on_machines")


def is_at_another_cloud(item):
    """Tell whether a test of every cloud is about another than the one that stands for all."""
    return hasattr(item, "callspec") and item.callspec.params.get("served", ONE_CLOUD) != ONE_CLOUD


def is_own(function):
    """Tell whether a fixture is none of pytest-django's."""
    return not function.__module__.startswith("pytest_django.")
