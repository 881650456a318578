"""Secret values in texts, however they are written."""

from base64 import b64encode
from urllib.parse import quote

import pytest

from apps.system.hidden_values import HiddenValues

SECRET = 'pass "word" & more/ü'


@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "somebody:"])
@pytest.mark.parametrize("after", ["", "!", "?!"])
def test_it_hides_base64_of_a_text_that_holds_the_secret(before, after):
    written = b64encode(f"{before}{SECRET}{after}".encode()).decode()
    shown = HiddenValues([SECRET]).hide_text(f"Authorization is {written}.")
    kept = shown.partition("Authorization is ")[2].replace("•••", "").rstrip("=.")
    assert "•••" in shown
    assert len(kept) <= len(b64encode(before.encode())) + len(b64encode(after.encode())) + 2


@pytest.mark.parametrize("write", [str, quote, repr, lambda text: f"<{text}>"])
def test_it_hides_other_ways_to_write_it(write):
    assert HiddenValues(["correct/horse"]).hide_text(f"x {write('correct/horse')} y").count("•••") == 1
