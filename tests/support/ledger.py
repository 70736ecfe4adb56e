"""The order of arrival at one destination, held against what was published.

A destination takes events in stream order.  After a crash it may be given again what was in
flight, and nothing else; what it refuses is missing there and stands in its quarantine instead.
"""
import json
import os


def stored_ids(path):
    """Ids of the events in a store of the fault driver, in the order in which they came."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [json.loads(line)["id"] for line in f if line.endswith("\n")]


def history_problems(stored, wanted, crashes=0, in_flight=8192):
    """What is wrong with a list of stored ids; [] when nothing is.

    `wanted`: the ids that must be there, in order.  `crashes`: how often the sequence may
    begin again at an earlier event, `in_flight`: how many events earlier at most.
    """
    place = {event: n for n, event in enumerate(wanted)}
    if len(place) != len(wanted):
        return ["the published ids are not unique, so nothing can be said"]
    problems, again, last, furthest = [], 0, -1, -1
    for line, event in enumerate(stored, 1):
        at = place.get(event)
        if at is None:
            problems.append(f"line {line}: {event}, which nobody should have sent there")
            continue
        if at > furthest + 1:
            problems.append(f"line {line}: event {at} comes before the events {furthest + 1} to {at - 1}")
        elif at != last + 1:
            again += 1
            if at > last:
                problems.append(f"line {line}: from event {last} forward to {at}, which was there before")
            elif last - at >= in_flight:
                problems.append(f"line {line}: back from event {last} to {at}, but {in_flight} at most are in flight")
        last, furthest = at, max(furthest, at)
    if furthest != len(wanted) - 1:
        problems.append(f"the last {len(wanted) - 1 - furthest} of {len(wanted)} events are missing")
    if again > crashes:
        problems.append(f"events came again {again} times, {crashes} crashes allow that only so often")
    return problems[:20] + ([f"... and {len(problems) - 20} more"] if len(problems) > 20 else [])


def quarantined_ids(lab, name):
    """Ids of the events in a destination's quarantine, as `edsctl quarantine export` gives them."""
    done = lab.edsctl("--json", "quarantine", "export", name)
    assert done.returncode == 0, f"edsctl quarantine export: {done.stdout}{done.stderr}"
    answer = json.loads(done.stdout)
    assert answer["next"] == 0, "more is set aside than one answer holds"
    return [json.loads(item["payload"])["id"] for item in answer["items"]]


def destination_problems(lab, fault, events, crashes=0, poisoned=()):
    """Everything that is wrong at a fault destination after `events`, of which `poisoned` had to be set aside."""
    bad = {e.id for e in poisoned}
    problems = history_problems(stored_ids(fault.store_path), [e.id for e in events if e.id not in bad], crashes)
    aside = quarantined_ids(lab, fault.name)
    wanted = [e.id for e in events if e.id in bad]
    if aside != wanted:
        problems.append(f"set aside: {aside} instead of {wanted}")
    return [f"{fault.name}: {p}" for p in problems]
