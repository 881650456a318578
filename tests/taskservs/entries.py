"""An entry of a catalog, written into a directory."""

import yaml

ENTRY = {
    "name": "motd",
    "title": "A greeting",
    "description": "Greets who logs in.",
    "category": "system",
    "versions": ["1"],
    "default_version": "1",
    "systems": ["debian-12"],
    "servers": {"min": 1, "max": 10},
    "roles": ["server"],
    "requires": [],
    "conflicts": [],
    "endpoints": [],
    "needs": [],
    "options": {
        "text": {"type": "string", "pattern": "^[A-Za-z ]{1,40}$", "default": "Hello", "description": "What it says."}
    },
}
WRITE = {
    "name": "Write it",
    "ansible.builtin.copy": {"content": "{{ motd_text }}\n", "dest": "/etc/motd", "mode": "0644"},
}


def write(folder, *, name="motd", tasks=(WRITE,), defaults=None, **changes):
    """Write an entry; gives its directory."""
    directory = folder / name
    for part in ("tasks", "defaults"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    entry = {**ENTRY, "name": name, **changes}
    (directory / "taskserv.yaml").write_text(yaml.safe_dump(entry, sort_keys=False))
    given = {f"{name}_version": "1", f"{name}_text": "Hello"} if defaults is None else defaults
    (directory / "defaults" / "main.yml").write_text(yaml.safe_dump(given))
    for file in ("install", "configure", "start", "verify", "remove"):
        (directory / "tasks" / f"{file}.yml").write_text(yaml.safe_dump(list(tasks)))
    return directory
