import json
import os

import pytest

from tests.support import gojson
from tests.support.natsd import ROOT

with open(os.path.join(ROOT, "tests/vectors/event-json.json"), encoding="utf-8") as f:
    CASES = json.load(f)["cases"]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_stored_json_is_that_of_the_golden_cases(case):
    payload = case["input"].encode()
    assert gojson.stored(payload).decode() == case["stored"]
    assert gojson.primary_key(gojson.envelope(payload)) == case["primaryKey"]


def test_what_is_stored_is_stored_unchanged_again():
    for case in CASES:
        assert gojson.stored(case["stored"].encode()).decode() == case["stored"]


def test_control_characters_get_the_short_escapes_go_knows():
    assert gojson.quote('a"\\\b\f\n\r\t\x01\x1f\x7f/<>&\u2028\u2029\U0001f697') == \
        '"a\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/\\u003c\\u003e\\u0026\\u2028\\u2029\U0001f697"'


def test_compacting_leaves_strings_and_invalid_bytes_alone():
    assert gojson.compact(b'{ "a b" : [ "x \\" y" , 1E+3 ,\n"\xff\xe2\x80" ] }') == \
        b'{"a b":["x \\" y",1E+3,"\xff\xe2\x80"]}'


def test_members_are_found_with_their_raw_text():
    assert gojson.members(b' {"a" : {"b":[1,{"c":2}]} , "d":"x,}" ,"a":null}') == \
        [("a", b'{"b":[1,{"c":2}]}'), ("d", b'"x,}"'), ("a", b"null")]
    assert gojson.members(b"{}") == []
