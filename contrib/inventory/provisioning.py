#!/usr/bin/env python3
"""Ansible inventory script: the servers that Provisioning knows, in groups.

    ansible-inventory -i provisioning.py --graph
    ansible -i provisioning.py tag_web -m ping --private-key …

It needs Python 3.8 or newer, nothing else. Environment:

    PROVISIONING_URL        where the service is, such as https://provisioning.example.com
    PROVISIONING_TOKEN      an access token of a user who has `server_read`; or else
    PROVISIONING_USERNAME   and
    PROVISIONING_PASSWORD   to log in with
    PROVISIONING_WORKSPACE  only this workspace, its hosts named by their host names alone (optional)
    PROVISIONING_TIMEOUT    seconds to wait for an answer (optional, 30)
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request


class Failed(Exception):
    """Why there is no inventory, in a sentence."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the token is meant for one service only."""

    def redirect_request(self, *args):
        """Return nothing, which makes an error of the answer."""


def main():
    """Print what was asked for; returns the exit code."""
    parser = argparse.ArgumentParser(description="Ansible inventory of the servers that Provisioning knows.")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--list", action="store_true", help="all groups and all hosts' variables")
    wanted.add_argument("--host", metavar="NAME", help="one host's variables")
    options = parser.parse_args()
    try:
        inventory = fetch()
    except Failed as failure:
        sys.stderr.write(f"provisioning.py: {failure}\n")
        return 1
    variables = inventory["_meta"]["hostvars"]
    answer = inventory if options.list else variables.get(options.host, {})
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 0


def fetch():
    """Return the inventory. Raises Failed."""
    token = os.environ.get("PROVISIONING_TOKEN") or log_in()
    workspace = os.environ.get("PROVISIONING_WORKSPACE")
    query = "?" + urllib.parse.urlencode({"workspace": workspace}) if workspace else ""
    inventory = ask("/v1/inventory" + query, headers={"Authorization": f"Bearer {token}"})
    if not isinstance(inventory, dict) or "hostvars" not in inventory.get("_meta", {}):
        raise Failed("the answer is no inventory; does PROVISIONING_URL name the service?")
    return inventory


def log_in():
    """Return a token for user name and password. Raises Failed."""
    names = {"username": "PROVISIONING_USERNAME", "password": "PROVISIONING_PASSWORD"}
    given = {field: os.environ.get(name, "") for field, name in names.items()}
    if not all(given.values()):
        raise Failed("set PROVISIONING_TOKEN, or PROVISIONING_USERNAME and PROVISIONING_PASSWORD")
    return ask("/v1/auth/login", body=given)["token"]


def ask(path, *, body=None, headers=None):
    """Return the service's answer. Raises Failed."""
    base = os.environ.get("PROVISIONING_URL", "").rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise Failed("set PROVISIONING_URL to where the service is, such as https://provisioning.example.com")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
        base + path, data=data, headers={"Content-Type": "application/json", **(headers or {})}
    )
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=patience()) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise Failed(f"{base} answered {error.code}: {reason(error)}") from None
    except OSError as error:
        raise Failed(f"{base} cannot be reached: {getattr(error, 'reason', error)}") from None
    except ValueError:
        raise Failed(f"{base} answered something that is not JSON") from None


def patience():
    """Return how many seconds an answer may take. Raises Failed."""
    try:
        return float(os.environ.get("PROVISIONING_TIMEOUT", "30"))
    except ValueError:
        raise Failed("PROVISIONING_TIMEOUT is not a number of seconds") from None


def reason(error):
    """Return the service's own sentence about a refusal, or the status' name."""
    try:
        return json.load(error)["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return error.reason


if __name__ == "__main__":
    sys.exit(main())
