"""Environment variables: a bad value is one sentence and no traceback, whatever loads the settings."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.environment import Environment
from tests.test_architecture import GOOD
from tests.test_readme import CONFIGURATION

ROOT = Path(__file__).parent.parent
BAD = {
    "PORT": ["70000", "-1", "abc", "0", "8083.0", "8_083", "٣"],
    "NODES": ["0", "-1", "many"],
    "WORKERS": ["-1", "0", "257", "two"],
    "LEASE_SECONDS": ["abc", "0", "1", "1e3", "99999999999999999999"],
    "KEEP_DAYS": ["-3", "nan"],
    "ORDER_LOOKUP_SECONDS": ["-1", "soon"],
    "POWER_STATE_LAG_SECONDS": ["-1", "inf"],
    "LOGIN_FAILURE_LIMIT": ["0", "x"],
    "LOGIN_COOLOFF_SECONDS": ["0", "5m"],
    "HSTS_SECONDS": ["-1", "a year"],
    "TRUSTED_PROXIES": ["yes", "-1", "11"],
    "EMULATOR_BOOT_SECONDS": ["nan", "inf", "-1", "fast"],
    "DEBUG": ["maybe", "2"],
    "EMULATOR": ["perhaps"],
    "SSL_REDIRECT": ["never"],
    "ENVIRONMENT": ["develpment", "staging"],
    "LOG_LEVEL": ["loud", "10"],
    "EMULATOR_MACHINES": ["vms"],
    "TASKSERV_PACKAGE_SOURCES": [
        "{",
        "[]",
        '{"proxy": "ftp://x"}',
        '{"debian": "http://x"}',
        '{"redis": {"keys": "x"}}',
        '{"redis": {"proxy": "http://x"}}',
        '{"proxy": "http://user:pass-word@10.0.0.5:3142", "debian": 1}',
        '{"a": 1, "proxy": "' + "http://user:pass-word-" + "x" * 300 + '@10.0.0.5"}',
    ],
    "TASKSERV_DIRECTORIES": ["srv", "/", "/srv/", "/srv/../etc", "/.ssh", "/a b", "/srv,etc"],
    "LOCAL_SUBNET": ["10.0.0.0/99", "10.0.0.1/16", "fd00::/64", "10.0.0.0/31", "everything"],
    "ALLOWED_HOSTS": ["https://api.example.com", "api.example.com:8083", "a b"],
    "CSRF_TRUSTED_ORIGINS": ["api.example.com", "https://a.example.com/path"],
    "INSTALLATION": ["-x", "a b", "x" * 64],
    "LOCAL_NETWORK": ["-x", "a b", "x" * 64],
    "DATABASE_URL": [
        "mysql://u:pass-word@h/x",
        "garbage",
        "postgres://u:pass-word@h:port/x",
        "sqlite://",
        "postgres://h",
    ],
}


def load(*command, **environment):
    """Start a command with these settings and no others."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"} | environment
    command = [sys.executable, *command]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False, umask=0o022
    )


def faults(**environment):
    """Return the sentences about an environment, of the reader that the settings use."""
    code = "from provisioning import settings"
    done = load("-c", code, ENVIRONMENT="development", **environment)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[1:]


def test_it_names_every_bad_value_at_once(tmp_path):
    for number in range(max(map(len, BAD.values()))):
        wrong = {name: values[number] for name, values in BAD.items() if number < len(values) and name != "ENVIRONMENT"}
        code, lines = faults(VAR_DIR=str(tmp_path), **wrong)
        assert code == 1
        assert sorted(line.partition(" ")[0] for line in lines) == sorted(wrong)
        for line in lines:
            name = line.partition(" ")[0]
            assert wrong[name][:60] in line or "pass-word" in wrong[name] or name == "DATABASE_URL"
            assert "; it must be " in line and "pass-word" not in line


@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "migrate"),
        ("manage.py", "worker"),
        ("manage.py", "web"),
        ("-m", "pytest", "--collect-only", "-q", "tests/test_strict.py"),
        ("-c", "import provisioning.asgi"),
    ],
    ids=["migrate", "worker", "web", "pytest", "asgi"],
)
def test_it_ends_whatever_loads_the_settings(command, tmp_path):
    done = load(*command, ENVIRONMENT="development", VAR_DIR=str(tmp_path), LEASE_SECONDS="abc")
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert "LEASE_SECONDS is 'abc'; it must be a whole number from 2 to 3600." in output
    assert "Traceback" not in output


def test_it_takes_an_empty_variable_for_one_that_is_not_given(tmp_path):
    code = "from provisioning import settings as s; print({n: repr(getattr(s, n)) for n in dir(s) if n.isupper()})"
    empty = dict.fromkeys(set(listed()) - {"VAR_DIR", "ENVIRONMENT"}, " ")
    shown = []
    for given_ in ({}, empty):
        done = load("-c", code, ENVIRONMENT="development", VAR_DIR=str(tmp_path), **given_)
        assert done.returncode == 0, done.stderr
        names = eval(done.stdout)
        del names["DATABASES"]  # has the number of the process in its name for tests
        shown.append(names)
    assert shown[0] == shown[1]
    assert load("-c", code, ENVIRONMENT="", VAR_DIR="", DATABASE_URL="").stderr.count("system.E00") == 2


@pytest.mark.parametrize(("given", "found"), [("debug", "DEBUG"), ("Warning", "WARNING"), ("INFO", "INFO")])
def test_it_takes_log_levels_in_any_case(given, found):
    environment = Environment({"LOG_LEVEL": given})
    assert environment.choice("LOG_LEVEL", "", ["DEBUG", "INFO", "WARNING"]) == found


@given(st.text(max_size=60))
def test_it_has_a_sentence_for_any_text(text):
    environment = Environment(dict.fromkeys("abcdefgh", text))
    environment.integer("a", 1, minimum=0, maximum=9)
    environment.number("b", 1.0, minimum=0, maximum=9)
    environment.flag("c", False)
    environment.network("d", "10.0.0.0/16")
    environment.database("e", Path("/x"))
    environment.hosts("f", [])
    environment.origins("g")
    environment.choice("h", "x", ["x", "y"])
    assert all(len(fault) < 500 and "; it must be " in fault for fault in environment.faults)


# ── what no deployment may have ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 60}, "SECRET_KEY"),
        ({"SECRET_KEY": "development-only-secret-key-that-no-deployment-may-use"}, "SECRET_KEY"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "api.example.com,*"}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"CREDENTIALS_KEYS": "x"}, "CREDENTIALS_KEYS"),
        ({"DEBUG": "true"}, "DEBUG"),
        ({"EMULATOR": "true"}, "EMULATOR"),
    ],
)
def test_it_refuses_an_unsafe_deployment(changes, name, tmp_path):
    done = load("-c", "from provisioning import settings", VAR_DIR=str(tmp_path), **GOOD | changes)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()[1:]
    assert line.startswith((name, f"The first of {name}")) and "Traceback" not in done.stderr
    for secret in ("short", "a" * 40):
        assert f"{secret} " not in line.replace("shorter", "")


def test_it_names_an_old_key_that_can_be_guessed_and_starts_all_the_same(tmp_path):
    keys = "Zk3v-9sLq2_xT7wYb8RnUc5JhE1dGf6P,x"
    environment = GOOD | {"VAR_DIR": str(tmp_path), "CREDENTIALS_KEYS": keys}
    done = load("manage.py", "check", "--deploy", "--fail-level", "WARNING", **environment)
    assert done.returncode == 0 and "system.I001" in done.stderr


def test_it_collects_static_files_with_secrets_of_the_build_only(tmp_path):
    done = load("manage.py", "collectstatic", "--no-input", "--verbosity", "0", VAR_DIR=str(tmp_path), **GOOD)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "static" / "admin" / "css" / "base.css").exists()


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def rights(folder):
    """Return what is readable by others below a folder, itself included."""
    return [path for path in [folder, *folder.rglob("*")] if stat.S_IMODE(path.lstat().st_mode) & 0o077]


def test_it_keeps_its_files_from_other_users(tmp_path):
    var = tmp_path / "new" / "var"
    environment = {"ENVIRONMENT": "development", "VAR_DIR": str(var)}
    assert load("manage.py", "showmigrations", **environment).returncode == 0
    assert (var / "provisioning.sqlite3").exists() and rights(var) == []


def test_it_tightens_what_an_earlier_version_left_and_nothing_else(tmp_path):
    for name, inside, becomes in (("var", "provisioning.sqlite3", 0o700), ("home", "letter.txt", 0o755)):
        folder = tmp_path / name
        folder.mkdir(mode=0o755)
        (folder / inside).write_text("x")
        (folder / inside).chmod(0o644)
        done = load("-c", "from provisioning import settings", ENVIRONMENT="development", VAR_DIR=str(folder))
        assert done.returncode == 0
        assert stat.S_IMODE(folder.stat().st_mode) == becomes
        assert stat.S_IMODE((folder / inside).stat().st_mode) == (0o600 if becomes == 0o700 else 0o644)


# ── docs/configuration.md ─────────────────────────────────────────────────────────────────────────────────────────────
def listed():
    """Return the page's rules by variable."""
    lines = CONFIGURATION.splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[-1] for row in cells}


def test_it_lists_what_is_allowed():
    done = load("-c", "from provisioning import settings as s; print(s.env.allowed)", ENVIRONMENT="development")
    rules = eval(done.stdout)
    assert {name: listed()[name][: len(rule)] for name, rule in rules.items()} == rules
