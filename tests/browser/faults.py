"""What is wrong with a page as people see it: how much too wide it is, and what axe-core calls critical or serious."""

import pytest

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDTHS = (1400, 420)
JUDGE = "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"


def faults_of(page, *, judge=True):
    """All of it in each width, one text each, without loading the page anew; without `judge` only what is too wide."""
    faults = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if (excess := page.evaluate(TOO_WIDE)) > 0:
            faults.append(f"{width}: it is {excess} px too wide")
        faults += [f"{width}: {fault}" for fault in (judged(page) if judge else ())]
    return faults


def judged(page):
    """What axe-core finds."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.axe_script)
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}"
        for one in page.evaluate(JUDGE)
        if one["impact"] in ("critical", "serious")
    ]
