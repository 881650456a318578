"""Texts as labels at Hetzner, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.providers.drivers.hetzner import labels
from tests.providers.clouds.hetzner_api import LABEL_KEY, LABEL_VALUE

TEXTS = ["web", "env:prod", "a/b=c@d-e_f.g", "ends-with-", "a" + "/" * 62, "w" * 63, "web-1.example.test", "grün"]


@pytest.mark.parametrize("text", TEXTS)
def test_it_reads_back_what_it_wrote(text):
    packed = labels.packed("prov-tag-1", text)
    assert labels.unpacked(packed, "prov-tag-1") == text
    assert all(LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value) for key, value in packed.items())


@given(st.text(min_size=1, max_size=253, alphabet=st.characters(exclude_categories=["Cs"])))
def test_it_reads_back_whatever_it_wrote(text):
    test_it_reads_back_what_it_wrote(text)


def test_it_leaves_a_plain_text_as_it_is():
    assert labels.packed("prov-tag-1", "blue-2.x") == {"prov-tag-1": "blue-2.x"}


def test_it_finds_nothing_where_nothing_was_written():
    assert labels.unpacked({"prov-tag-2": "x"}, "prov-tag-1") == ""
