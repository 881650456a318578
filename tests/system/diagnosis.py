"""The doctor's findings, by name."""

from apps.system.doctor import Check, checks, outcome


def found(name):
    """What the probe of that name finds: level, what was found, and what to do; of each of several parts."""
    [probe] = [probe for probe in checks() if probe.name == name]
    return [(str(finding.level), finding.found, finding.advice) for finding in findings(probe)]


def findings(probe):
    for item in outcome(probe):
        yield from findings(item) if isinstance(item, Check) else [item]
