"""The emulated cloud from a test's side: everything goes over HTTP, so it may run in any process."""

import re

import httpx

CREDENTIALS = ("emulator", "emulator")
TOKEN = "ucat_emulator"
DEBIAN = "01000000-0000-4000-8000-000020070100"


def server_body(hostname="web-1.example.test", **changes):
    """A create that the API accepts; `changes` replace attributes, None takes one away."""
    server = {
        "zone": "de-fra1",
        "title": hostname or "unnamed",
        "hostname": hostname,
        "plan": "2xCPU-4GB",
        "metadata": "yes",
        "login_user": {"username": "root", "create_password": "no", "ssh_keys": {"ssh_key": []}},
        "labels": {"label": []},
        "networking": {
            "interfaces": {
                "interface": [
                    {"type": "public", "ip_addresses": {"ip_address": [{"family": "IPv4"}]}},
                    {"type": "utility", "ip_addresses": {"ip_address": [{"family": "IPv4"}]}},
                ]
            }
        },
        "storage_devices": {
            "storage_device": [{"action": "clone", "storage": DEBIAN, "title": f"{hostname} root", "size": 80}]
        },
    } | changes
    return {"server": {name: value for name, value in server.items() if value is not None}}


def label_list(labels):
    """Labels as the API spells a server's."""
    return {"label": [{"key": key, "value": value} for key, value in labels.items()]}


class Cloud:
    """A running emulator and its knobs; `root` is where `/emulator/` is mounted."""

    credentials = CREDENTIALS
    token = TOKEN

    def __init__(self, root):
        self.root = root.rstrip("/")
        self.http = httpx.Client(timeout=30, trust_env=False, verify=False)  # plain HTTP: no certificates to load

    @property
    def url(self):
        """The endpoint a driver is given."""
        return f"{self.root}/1.3"

    def close(self):
        self.http.close()

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def request(self, method, path, **kwargs):
        """Call the API itself, as an ordinary client does; counts as a call."""
        return self.http.request(method, self.url + path, auth=CREDENTIALS, **kwargs)

    def create(self, hostname="web-1.example.test", labels=None, **changes):
        """Make a server past the driver, such as somebody else's; gives its details."""
        body = server_body(hostname, **{"labels": label_list(labels or {})} | changes)
        return self.request("POST", "/server", json=body).raise_for_status().json()["server"]

    def control(self, method, path, json=None):
        answer = self.http.request(method, f"{self.root}/control/{path}", json=json)
        assert answer.is_success, answer.text
        return answer.json()

    def servers(self):
        """Every server there is, in full detail, oldest first; not counted as a call."""
        return self.http.get(f"{self.root}/").raise_for_status().json()["servers"]

    def disks(self):
        """Every disk there is, attached or left behind; not counted as a call."""
        return self.http.get(f"{self.root}/").raise_for_status().json()["disks"]

    def events(self, event=None):
        """What was ever committed: create, stop, start, restart, delete."""
        return [one for one in self.control("GET", "ledger")["events"] if event in (None, one["event"])]

    def creates(self, server_id=None):
        """The creates ever committed; with `server_id`, those that carry it as the value of any label."""
        found = self.events("create")
        return [one for one in found if server_id is None or str(server_id) in label_values(one)]

    def deletes(self):
        """The deletes ever committed."""
        return self.events("delete")

    def calls(self, method=None, path_regex=""):
        """How many calls were made, such as `calls("POST", r"/server$")`."""
        return sum(
            one["count"]
            for one in self.control("GET", "ledger")["calls"]
            if method in (None, one["method"]) and re.search(path_regex, one["path"])
        )

    # ── spoiling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def fault(self, action, *, method="POST", path=r"/server$", body="", times=1, **more):
        """Spoil the next `times` calls that match (None: all of them), whatever their method when it is None."""
        rule = {"action": action, "path": path, "body": body, "times": times} | ({"method": method} if method else {})
        return self.control("POST", "faults", rule | more)

    def refuse_next(self, code, status=409, method="POST", path=r"/server$", times=1, body=""):
        """Answer an error of the API and do nothing."""
        error = {"error": {"error_code": code, "error_message": f"The emulator was told to answer {code}."}}
        self.fault("respond", method=method, path=path, times=times, body=body, status=status, json=error)

    def respond_next(
        self, status, json=None, text="", content_type=None, headers=None, method="POST", path=r"/server$", times=1
    ):
        """Answer anything at all and do nothing."""
        more = {"status": status, "headers": headers or {}}
        more |= {"json": json} if json is not None else {"text": text}
        more |= {"content_type": content_type} if content_type else {}
        self.fault("respond", method=method, path=path, times=times, **more)

    def limit_rate_next(self, retry_after=None, method="POST", path=r"/server$", times=1):
        """Answer 429 without a body, with or without `Retry-After`."""
        headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        self.respond_next(429, headers=headers, method=method, path=path, times=times)

    def break_gateway_next(self, method="POST", path=r"/server$", times=1):
        """Answer 502 in HTML, as something in between does."""
        html = "<html><body><h1>502 Bad Gateway</h1></body></html>"
        self.respond_next(502, text=html, content_type="text/html", method=method, path=path, times=times)

    def lose_next_answer(self, method="POST", path=r"/server$", times=1, commit=True, body=""):
        """Do the work (unless `commit` is false) and break the connection before the answer is whole."""
        action = "drop_after_commit" if commit else "drop"
        self.fault(action, method=method, path=path, times=times, body=body)

    def hang_next(self, seconds, method="POST", path=r"/server$", times=1, after_commit=False):
        """Answer late, by so many seconds before the work or after it."""
        action = "hang_after_commit" if after_commit else "hang"
        self.fault(action, method=method, path=path, times=times, seconds=seconds)

    def shorten_next_list(self, keep=0, total=None, path=r"/server$", times=1):
        """Leave out all but `keep` items of a list; the count in the header stays true unless `total` replaces it."""
        more = {"total": total} if total is not None else {}
        self.fault("short_list", method="GET", path=path, times=times, keep=keep, **more)

    def faults(self):
        """The fault rules, with how often each still applies."""
        return self.control("GET", "faults")["faults"]

    def heal(self):
        """Forget all fault rules."""
        self.control("DELETE", "faults")

    def set(self, **settings):
        """Turn knobs, such as `set(boot_seconds=5, zones_full=["de-fra1"])`."""
        return self.control("POST", "settings", settings)["settings"]

    def vanish(self, uuid):
        """Take a server and its disks away behind everybody's back."""
        self.control("POST", f"servers/{uuid}/vanish")

    def reset(self):
        """Forget everything."""
        self.control("POST", "reset")


def label_values(event):
    return [label["value"] for label in event["labels"]]
