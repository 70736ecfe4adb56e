"""Our JSON Schema validator held against Python's, over schemas and values made at random."""
import json
import os
import random
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

PROGRAM = Path(os.environ.get("EDS_BUILD", "build")) / "schemas"
SEED = 20240711
SCHEMAS = 1500
VALUES = 12

DRAFTS = {
    "http://json-schema.org/draft-04/schema#": jsonschema.Draft4Validator,
    "http://json-schema.org/draft-06/schema#": jsonschema.Draft6Validator,
    "http://json-schema.org/draft-07/schema#": jsonschema.Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
}
NAMES = ["id", "status", "total", "x1", "x2", "naïve"]
PATTERNS = ["^x", "[0-9]$", "^[a-z]+$", "a.c", "^$"]


class Maker:
    def __init__(self, draft):
        self.draft = draft
        self.random = random.Random(SEED + draft)

    def scalar(self):
        made = self.random.choice([None, True, False, 0, 1, -1, 2, 3, 10, 2.5, -0.5, 1.0, 1e3, 2**53 + 1, "", "a", "abc", "x1", "ü9", "open"])
        # 1.0 as an integer of draft 4: the other one says no
        return int(made) if isinstance(made, float) and made.is_integer() and self.draft == 0 else made

    def value(self, depth=3):
        pick = self.random.random()
        if depth == 0 or pick < 0.4:
            return self.scalar()
        if pick < 0.6:
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        return {name: self.value(depth - 1) for name in self.random.sample(NAMES, self.random.randrange(5))}

    def some(self, make, least, most):
        return [make() for _ in range(self.random.randint(least, most))]

    def keywords(self, depth):
        """What each keyword may have behind it; all those of the draft."""
        inner = lambda: self.schema(depth - 1)
        number = lambda: self.random.choice([0, 1, 2, 3, 2.5, -1, 10])
        count = lambda: self.random.randrange(4)
        names = lambda: self.random.sample(NAMES, self.random.randint(1, 2))
        kind = lambda: self.random.choice(["null", "boolean", "object", "array", "number", "string", "integer"])
        made = {
            "type": lambda: self.random.choice([kind(), sorted({kind(), kind()})]),
            "enum": lambda: self.some(lambda: self.value(1), 1, 4),
            "minimum": number, "maximum": number,
            "multipleOf": lambda: self.random.choice([1, 2, 3, 5]),
            "minLength": count, "maxLength": count, "minItems": count, "maxItems": count,
            "minProperties": count, "maxProperties": count,
            "pattern": lambda: self.random.choice(PATTERNS),
            "required": names,
            "uniqueItems": lambda: self.random.random() < 0.8,
            "properties": lambda: {name: inner() for name in names()},
            "patternProperties": lambda: {self.random.choice(PATTERNS): inner()},
            "additionalProperties": inner,
            "allOf": lambda: self.some(inner, 1, 2), "anyOf": lambda: self.some(inner, 1, 3),
            "oneOf": lambda: self.some(inner, 1, 3), "not": inner,
            "$ref": lambda: "#/definitions/shared",
        }
        if self.draft >= 1:
            made |= {"const": lambda: self.value(1), "contains": inner, "propertyNames": inner, "exclusiveMinimum": number,
                     "exclusiveMaximum": number}
        else:
            made |= {"exclusiveMinimum": lambda: True, "exclusiveMaximum": lambda: True}
        if self.draft >= 2:
            made |= {"if": inner, "then": inner, "else": inner}
        if self.draft <= 3:
            # the other one fails over a boolean beside additionalItems
            made |= {"items": lambda: {"allOf": [inner()]} if self.random.random() < 0.5 else self.some(inner, 1, 3),
                     "additionalItems": inner}
        else:
            made |= {"items": inner, "prefixItems": lambda: self.some(inner, 1, 3)}
        if self.draft <= 2:
            made["dependencies"] = lambda: {self.random.choice(NAMES): self.random.choice([names(), inner()])}
        else:
            made |= {"dependentRequired": lambda: {self.random.choice(NAMES): names()},
                     "dependentSchemas": lambda: {self.random.choice(NAMES): inner()},
                     "minContains": count, "maxContains": count}
        return made

    def schema(self, depth):
        if self.draft >= 1 and self.random.random() < 0.1:
            return self.random.random() < 0.7
        if depth == 0:
            return {"type": self.random.choice(["string", "number", "null", "object", "array"])}
        made = self.keywords(depth)
        chosen = {name: made[name]() for name in self.random.sample(sorted(made), self.random.randint(1, 4))}
        if self.draft == 0:  # there they say something about a limit, which must be there
            for flag, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
                if flag in chosen:
                    chosen[limit] = 2
        return chosen

    def root(self):
        uri = list(DRAFTS)[self.draft]
        schema = self.schema(3)
        schema = {"allOf": [schema]} if not isinstance(schema, dict) or "$ref" in schema else schema
        # what a reference leads to has none itself: it would lead in a circle
        shared = self.schema(2)
        return {"$schema": uri, **schema, "definitions": {"shared": json.loads(re.sub(r'"\$ref"', '"title"', json.dumps(shared)))}}


@pytest.fixture(scope="module")
def validator():
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        def ask(schema, values):
            program.stdin.write(json.dumps({"schema": schema, "values": values}) + "\n")
            program.stdin.flush()
            return program.stdout.readline().rstrip("\n")
        yield ask
        program.stdin.close()


@pytest.mark.parametrize("draft", range(len(DRAFTS)), ids=["draft-04", "draft-06", "draft-07", "2019-09", "2020-12"])
def test_both_say_the_same(validator, draft):
    maker = Maker(draft)
    reference = list(DRAFTS.values())[draft]
    verdicts = {"+": 0, "-": 0}
    for _ in range(SCHEMAS):
        schema = maker.root()
        reference.check_schema(schema)
        values = [maker.value() for _ in range(VALUES)]
        other = reference(schema)
        expected = "".join("+" if other.is_valid(value) else "-" for value in values)
        assert validator(schema, values) == expected, json.dumps({"schema": schema, "values": values})
        for verdict in expected:
            verdicts[verdict] += 1
    # no comparison of nothing with nothing
    assert min(verdicts.values()) > SCHEMAS


def test_a_broken_schema_is_refused_by_both(validator):
    for schema in ({"type": "text"}, {"minLength": -1}, {"pattern": "("}, {"required": "a"}, {"allOf": {}}):
        assert validator(schema, [1]).startswith("error schema.json#/" + next(iter(schema)))
