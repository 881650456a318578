"""The doctor's findings, by name."""

from apps.system.doctor import Probe, outcome, probes


def found(name):
    """What the probe of that name finds: level, what was found, and what to do; of each of several parts."""
    [probe] = [probe for probe in probes() if probe.name == name]
    return [(str(finding.level), finding.found, finding.advice) for finding in findings(probe)]


def findings(probe):
    for item in outcome(probe):
        yield from findings(item) if isinstance(item, Probe) else [item]
