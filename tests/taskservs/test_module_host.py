"""The program that runs Ansible's modules on a server: its answers, and what a run makes of it on real machines."""

import hashlib
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from runpy import run_path

import pytest

from apps.taskservs.ansible.process import END_OF_REQUESTS, PLUGINS, end_module_hosts
from tests.ssh import Client
from tests.taskservs.playing import request, role, shell

PROGRAM = PLUGINS / "remote" / "module_host.py"
PLUGIN = run_path(str(PLUGINS / "connection" / "supervised_ssh.py"))
SECONDS = 30


class Host:
    """A module host on this machine."""

    def __init__(self, archives):
        command = [sys.executable, str(PROGRAM), "the run", str(archives)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stdout.read(5) == b"ready"

    def ask(self, program, digest=PLUGIN["NO_ARCHIVE"]):
        content = program if isinstance(program, bytes) else program.encode()
        self.process.stdin.write(struct.pack(">I", len(content)) + digest + content)
        self.process.stdin.flush()
        code, said, complained = struct.unpack(">III", self.process.stdout.read(12))
        return code, self.process.stdout.read(said).decode(), self.process.stdout.read(complained).decode()


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    yield host
    host.process.stdin.close()
    assert host.process.wait(SECONDS) == 0, host.process.stderr.read()
    host.process.stdout.close()
    host.process.stderr.close()


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("print('said')", (0, "said\n", "")),
        ("import sys; sys.stderr.write('complained'); sys.exit(7)", (7, "", "complained")),
        ("import sys; print(len('x' * 10**6)); sys.exit('no such thing')", (1, "1000000\n", "no such thing\n")),
        ("print('é' * 3); raise SystemExit(None)", (0, "é" * 3 + "\n", "")),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", (137, "", "")),
        (
            "import os; os.write(1, b'a'); os.system('echo b >&2'); print(__name__, __file__)",
            (0, "a__main__ <stdin>\n", "b\n"),
        ),
        ("import atexit, sys; atexit.register(print, 'at the end'); sys.exit(3)", (3, "at the end\n", "")),
        ("import sys; print(sys.argv, sys.stdin.read() == '')", (0, "[''] True\n", "")),
        ("import __main__; x = 5; print(__main__.x)", (0, "5\n", "")),
    ],
)
def test_a_program_runs_as_if_python_had_read_it_from_its_input(host, program, answer):
    assert host.ask(program) == answer
    python = [sys.executable]
    alone = subprocess.run(python, input=program.encode(), capture_output=True, timeout=SECONDS, check=False)
    code = alone.returncode if alone.returncode >= 0 else 128 - alone.returncode
    assert (code, alone.stdout.decode(), alone.stderr.decode()) == answer


def test_a_failure_is_told_with_its_traceback(host):
    code, said, complained = host.ask("def fail():\n    raise ValueError('bad')\nfail()")
    assert (code, said) == (1, "")
    assert complained.startswith("Traceback") and complained.endswith("ValueError: bad\n")


def test_programs_know_nothing_of_each_other(host):
    host.ask("import os, sys; os.environ['LEFT'] = 'x'; os.chdir('/tmp'); os.umask(0); sys.path.append('left'); y = 1")
    assert host.ask("import os, sys; print('LEFT' in os.environ, 'left' in sys.path, 'y' in globals())") == (
        0,
        "False False False\n",
        "",
    )
    said = host.ask("import os; print(os.getcwd(), os.umask(0) != 0)")[1]
    assert said == f"{Path.cwd()} True\n"


def test_it_ends_after_an_empty_request(host):
    assert host.ask("print(1)")[0] == 0
    host.process.stdin.write(END_OF_REQUESTS)
    host.process.stdin.flush()
    assert host.process.wait(SECONDS) == 0
    assert host.process.stdout.read() == b""


def test_hosts_that_do_not_end_are_not_waited_for(tmp_path):
    for name in ("host-1.requests", "host-1.answers", "host-2.requests", "host-2.answers"):
        os.mkfifo(tmp_path / name)
    deaf = [os.open(tmp_path / f"host-1.{end}", os.O_RDWR) for end in ("requests", "answers")]
    os.write(deaf[1], b"what nobody has read")
    end_module_hosts(tmp_path, seconds=0.2)
    assert os.read(deaf[0], 100) == END_OF_REQUESTS
    for number in deaf:
        os.close(number)


def test_both_ends_mean_the_same():
    here, there = PLUGIN, run_path(str(PROGRAM))
    assert len(here["NO_ARCHIVE"]) == there["DIGEST_BYTES"]
    for name in ("READY", "NOT_HOSTED", "TAKEN_OVER"):
        assert here[name] == there[name], name
    assert here["REASON"].encode() == there["REASON"]
    assert f"cat {there['HOLDER']}" in here["SCRIPT"]
    cache = here["CACHE"]
    assert f'Path("{here["ARCHIVES"]}", digest)'.encode() in cache
    assert f"sys.exit({here['NOT_CACHED']})".encode() in cache and here["COMPLAINT"] in cache


def test_what_a_program_leaves_running_delays_no_answer(host):
    code, said, _ = host.ask("import subprocess; print(subprocess.Popen(['sleep', '60']).pid)")
    assert code == 0
    subprocess.run(["kill", said.strip()], check=True)


def test_much_is_read_and_said(host):
    code, said, _ = host.ask(f"text = '{'x' * 10**6}'\nprint(text * 5)")
    assert (code, len(said)) == (0, 5 * 10**6 + 1)


def test_a_command_of_ansibles_own_has_a_shell_with_its_signals(host):
    assert host.ask(PLUGIN["shell_program"]("yes | head -n 1; exit 3")) == (3, "y\n", "")


def test_a_file_of_ansibles_own_is_written_whole(host, tmp_path):
    content = bytes(range(256)) * 100 + "'é\n".encode()
    assert host.ask(PLUGIN["file_program"](f"{tmp_path}/it's", content)) == (0, "", "")
    assert (tmp_path / "it's").read_bytes() == content and (tmp_path / "it's").stat().st_mode & 0o777 == 0o600
    assert host.ask(PLUGIN["file_program"](f"{tmp_path}/no/such", content))[0] == 1


# ── what modules import ───────────────────────────────────────────────────────────────────────────────────────────────
# It stands for Ansible's: who imported it, and what it says.
COMMON = "import os\nBY, SAYS = os.getpid(), {!r}\n"
USUAL = COMMON.format("the same")
ASK = """
import os, sys
sys.path.insert(0, {archive!r})
from ansible.module_utils import basic
from ansible.modules import mine
print("host" if basic.BY == os.getppid() else "itself", basic.SAYS, mine.NAME)
"""


@pytest.fixture
def use(host, tmp_path):
    """Return a function that has the host run a program from an archive of its own; it gives what the program says."""

    def used(name, common=USUAL):
        packages = ["ansible", "ansible/modules", "ansible/module_utils", "ansible/module_utils/_internal"]
        loader = "ansible/module_utils/_internal/_ansiballz"
        files = dict.fromkeys([f"{each}/__init__.py" for each in [*packages, loader]] + [f"{loader}/_loader.py"], "")
        files |= {"ansible/module_utils/basic.py": common, "ansible/modules/mine.py": f"NAME = {name!r}"}
        digest = hashlib.sha256(name.encode()).digest()
        with zipfile.ZipFile(tmp_path / digest.hex(), "w") as archive:
            for each, content in files.items():
                archive.writestr(each, content)
        code, said, complained = host.ask(ASK.format(archive=archive.filename), digest)
        assert code == 0, complained
        return said.strip()

    return used


def test_the_host_imports_for_all_what_all_import(use):
    assert [use("one"), use("two"), use("one")] == ["host the same one", "host the same two", "host the same one"]


def test_an_archive_with_other_files_imports_its_own(use):
    assert [use("one"), use("two", COMMON.format("other")), use("three")] == [
        "host the same one",
        "itself other two",
        "host the same three",
    ]


@pytest.mark.parametrize("fails", ["raise SystemExit(1)", "1 / 0", "import no_such_module"])
def test_what_the_host_cannot_import_is_left_to_each(use, fails):
    only_here = f"import os, sys\nif len(sys.argv) > 2:\n    {fails}\n{COMMON.format('alone')}"
    assert [use("one", only_here), use("two", only_here)] == ["itself alone one", "itself alone two"]


# ── on machines ───────────────────────────────────────────────────────────────────────────────────────────────────────
# The process that has forked the module which runs the shell.
LOOK = "awk '{print $4}' /proc/$PPID/stat >>/root/parents"


def look(name):
    return shell(f"Look {name}", LOOK)


@pytest.fixture
def play(ansible, real_servers, tmp_path):
    """Return a function that runs tasks on a machine without an error; it gives the parents that they have seen."""
    [server] = real_servers("web-01")
    ssh = Client.of(server.workspace, tmp_path)

    def played(*tasks):
        ssh.run(server, "rm -f /root/parents /root/broken /root/counted")
        operation = ansible.play(request(role(tmp_path, install=list(tasks)), [server]))
        assert operation.result["error"] == ""
        return ssh.run(server, "cat /root/parents").split()

    played.say = lambda command: ssh.run(server, command)
    yield played
    ssh.run(server, "rm -f /root/parents /root/broken /root/counted")


@pytest.mark.slow
def test_one_process_runs_the_modules_of_a_run_and_ends_with_it(play):
    for _ in range(2):
        seen = play(look("once"), look("twice"), look("again"))
        assert len(seen) == 3 and len(set(seen)) == 1
        assert play.say(f"ls -d /proc/{seen[0]} 2>&1 || true").startswith("ls: cannot access")


@pytest.mark.slow
def test_files_arrive_whole_and_small_ones_start_nothing_of_their_own(play, tmp_path):
    files = {"small": bytes(range(256)) * 100, "large": os.urandom(PLUGIN["LARGEST_HOSTED_FILE"] + 1)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def copy(name, mode):
        arguments = {"src": str(tmp_path / name), "dest": f"/root/copied-{name}", "mode": mode}
        return {"name": f"Copy {name}", "ansible.builtin.copy": arguments}

    def scopes():
        return int(play.say("journalctl --quiet --output=cat | grep -c 'Started provisioning-.*scope'"))

    before = scopes()
    play(look("first"), copy("small", "0640"))
    assert scopes() == before + 1, "the one of the module host"
    play(look("first"), copy("large", "0600"))
    for name, content in files.items():
        assert play.say(f"sha256sum </root/copied-{name}").split()[0] == hashlib.sha256(content).hexdigest()
    assert play.say("stat --format=%a /root/copied-small /root/copied-large").split() == ["640", "600"]
    assert play.say("ls -A /root/.ansible/tmp") == ""
    play.say("rm /root/copied-small /root/copied-large")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("breaks", "times"),
    [
        pytest.param("kill -9 $(awk '{print $4}' /proc/$PPID/stat)", 2, id="killed"),
        pytest.param("touch $(readlink -f /usr/bin/python3)", 1, id="another Python"),
        pytest.param("systemctl restart ssh", 1, id="SSH restarted"),
    ],
)
def test_a_run_goes_on_whatever_becomes_of_it(play, breaks, times):
    once = f"echo x >>/root/counted; test -e /root/broken || {{ touch /root/broken; {breaks}; }}"
    before, after, at_last = play(look("before"), shell("Break it", once), look("after"), look("at last"))
    assert play.say("wc -l </root/counted").strip() == str(times)
    assert (before == after) is ("restart" in breaks)
    assert (after == at_last) is ("touch" not in breaks), "another Python's library is not used"


@pytest.mark.slow
def test_an_interrupted_answer_is_not_taken_for_the_next_one(play):
    slow = shell("Take too long", "sleep 3; echo late", timeout=1, ignore_errors=True)
    before, after, at_last = play(look("before"), slow, look("after"), look("at last"))
    assert len({before, after, at_last}) == 3, "each by a command of its own"
