"""Changes of few rows: the same keys come and go, and many an update carries part of its row only."""
from tests.support.events import NEVER_CHANGE, EventStream, load_schemas
from tests.support.values import write_json

TABLES, KEYS = 20, 100          # 2,000 keys in all


def tables(count=TABLES):
    """Names of the widest tables, so that every kind of column is among them."""
    by_width = sorted(load_schemas().values(), key=lambda s: (-len(s["properties"]), s["table"]))
    return [s["table"] for s in by_width[:count]]


class SoakStream(EventStream):
    def __init__(self, schemas=None, **options):
        super().__init__(schemas, unique_seconds=False, **options)
        self._keys = {t: [self.values.uuid() for _ in range(KEYS)] for t in self.tables}

    def next(self):
        r = self.rng
        table = r.choice(self.tables)
        key = r.choice(self._keys[table])
        if key not in self.rows[table]:
            return self.insert(table, key)
        dice = r.random()
        if dice < 0.12:
            return self.delete(table, key)
        return self.partial_update(table, key) if dice < 0.35 else self.update(table, key)

    def partial_update(self, table, key):
        """`after` has the key and what changed: every other column is to keep its value."""
        before = self.rows[table][key]
        candidates = [c for c in self._shuffled(table) if c[0] not in NEVER_CHANGE]
        changed = {name: self.values.of(name, prop) for name, prop in candidates[:self.rng.randint(1, 4)]}
        diff = [n for n, v in changed.items() if n not in before or write_json(before[n]) != write_json(v)]
        self.rows[table][key] = {**before, **changed}
        return self._event("UPDATE", table, key, after={"id": key, **changed}, diff=diff)
