"""A failed task as one sentence."""

from apps.system.hidden_values import HiddenValues
from apps.taskservs.ansible.report import Report, summary


def test_it_leaves_out_the_command_line_of_apt():
    command = "'/usr/bin/apt-get -y -o \"Dpkg::Options::=--force-confold\" install 'mariadb-server=1:10.11'' failed: "
    said = "E: You don't have enough free space in /var/cache/apt/archives/."
    assert summary({"msg": f"{command}{said}\n", "rc": 100}) == said


def test_it_finds_the_line_that_says_what_is_wrong():
    said = 'psql: error: connection to server at "127.0.0.1" failed: FATAL:  password authentication failed'
    more = 'password retrieved from file "/etc/postgresql/provisioning.pgpass"'
    assert summary({"msg": "non-zero return code", "stderr": f"{said}\n{more}\n"}) == f"{said}."
    assert summary({"stderr": "trying\nno such host\n"}) == "no such host."


def test_it_says_which_url_could_not_be_fetched_and_why():
    output = {"msg": "Request failed", "url": "http://10.0.0.5/redis.asc", "response": "HTTP Error 404: Not Found"}
    assert summary(output) == "http://10.0.0.5/redis.asc: HTTP Error 404: Not Found."


def task_event(**facts):
    """Return the callback's event of a task on web-01."""
    known = {"event": "task", "host": "web-01", "play": "nginx", "task": "Write", "action": "copy", "paths": []}
    more = {"services": [], "service": "", "output": {}, "diff": "", "is_counted": False, "hidden": False}
    return known | more | facts


def test_it_logs_what_an_assertion_has_to_say():
    report = Report(["web-01"], HiddenValues(["hush-hush"]), check_mode=False)
    report.receive(task_event(state="ok", said="Fewer than hush-hush"))
    [line] = report.take_lines()
    assert (line.level, line.message) == ("warning", "web-01: Fewer than •••.")


def test_a_diff_shows_no_password_that_was_there_before():
    report = Report(["web-01"], HiddenValues(["new-one"]), check_mode=True)
    report.receive(task_event(state="changed", diff="-http://me:old-one@10.0.0.5\n+http://me:new-one@10.0.0.5"))
    assert report.changes[0]["diff"] == "-http://me:•••@10.0.0.5\n+http://me:•••@10.0.0.5"


def failed_service(log, hidden=()):
    """Return the error of a server on which a service could not be restarted, having written this log."""
    report = Report(["web-01"], HiddenValues(hidden), check_mode=False)
    output = {"msg": "Unable to restart service nginx: Job failed.\nSee its status.\n", "service_log": log}
    event = {"task": "Restart nginx", "action": "systemd_service", "diff": "", "paths": [], "service": "nginx"}
    facts = {"host": "web-01", "play": "nginx", "state": "failed", "is_counted": False, "hidden": False}
    report.receive({"event": "task", "output": output, **event, **facts})
    [line] = report.take_lines()
    assert line.message == report.hosts["web-01"]["error"]
    return line.message


def test_it_says_what_a_service_that_does_not_start_has_written_last():
    start = 'web-01: "Restart nginx" failed: Unable to restart service nginx: Job failed.'
    assert failed_service("") == start
    log = "one\ntwo\n\nbad value\nno\nbad value\n"
    assert failed_service(log) == f"{start} The log of nginx ends: two | no | bad value."
    assert failed_service("requirepass one two\n", ["one two"]) == f"{start} The log of nginx ends: requirepass •••."


def test_it_keeps_what_a_service_has_written_short_secrets_hidden_first():
    secret = "s" * 400
    said = failed_service(f"{'a' * 200}\n{'b' * 200}\n")
    assert "a" * 200 not in said and said.endswith("b" * 200 + ".")
    said = failed_service("c" * 250 + secret, [secret])
    assert "ss" not in said.partition("ends: ")[2]
    assert len(failed_service("d" * 2000)) < 450
