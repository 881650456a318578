"""docs/security.md claims nothing without a test, and names only tests that are there."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
TEXT = (HERE / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))
CLAIMS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| Claim")]


@pytest.mark.parametrize("name", NAMED)
def test_it_names_tests_that_exist(name):
    path, _, function = name.partition("::")
    assert (HERE / path).is_file(), name
    if function:
        assert re.search(rf"^def {function}\(", (HERE / path).read_text(), re.MULTILINE), name


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim[2:60])
def test_it_names_a_test_for_each_claim(claim):
    assert re.search(r"`tests/[\w/]+\.py", claim.rstrip(" |").rpartition("|")[2]), claim


def test_it_has_every_section():
    sections = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert sections == [
        "Roles and permissions",
        "Logins and tokens",
        "Login limiter and proxies",
        "Secrets at rest",
        "Work that a client can cause",
        "Headers and content security policy",
        "What is logged",
        "Reporting a problem",
    ]
