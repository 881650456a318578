"""What is wrong with a page as people see it: how much too wide it is, and what axe-core calls critical or serious."""

import pytest

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def excess_width(page):
    """How many pixels a page scrolls sideways."""
    return page.evaluate(TOO_WIDE)


def faults_of(page):
    """All of it, one text each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    faults = [f"it is {excess} px too wide"] if (excess := excess_width(page)) > 0 else []
    return faults + [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}"
        for one in found
        if one["impact"] in ("critical", "serious")
    ]
