#!/usr/bin/env python3
"""Asks Synapse what it makes of forked rooms, and compares that with what Parvis made of them.

Run with the Python of an environment in which Synapse is installed. Reads the JSON lines that parvis-witness
prints (see its main.rs). Everything goes through Synapse's own functions: events and their ids, the rules, the
difference of the auth chains, the conflicted subgraph and the resolution. Nothing is stored: all events are
given as not yet persisted.
"""

import argparse
import collections
import json
import sys

from synapse import event_auth
from synapse.api.errors import SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict
from synapse.state.v2 import resolve_events_with_store
from synapse.storage.databases.main.event_federation import StateDifference

# How many differences are shown in full.
SHOWN = 3


class NoClock:
    async def sleep(self, duration):
        return None


class NoStore:
    """Holds nothing, since every event is given with the question."""

    async def get_events(self, event_ids, allow_rejected=False):
        return {}

    async def get_auth_chain_difference(self, room_id, state_sets, conflicted_state, additional):
        return StateDifference(set(), None if conflicted_state is None else set())


def finished(coroutine):
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the coroutine waits for something")


class Witness:
    def __init__(self):
        self.counts = collections.Counter()
        self.differences = 0

    def read(self, line):
        if "room" in line:
            self.room, self.version = line["room"], KNOWN_ROOM_VERSIONS[line["version"]]
            self.seed, self.events = line["seed"], {}
            self.counts["rooms"] += 1
        elif "event" in line:
            event = make_event_from_dict(line["event"], self.version)
            self.expect("event id", line["event_id"], event.event_id, line["event"])
            self.events[line["event_id"]] = event
            self.counts["events"] += 1
        elif "attempt" in line:
            self.attempt(line)
        elif "fork" in line:
            self.fork(line)

    def attempt(self, line):
        event = make_event_from_dict(line["attempt"], self.version)
        state = [self.events[event_id] for event_id in line["before"]]
        try:
            event_auth.check_state_dependent_auth_rules(event, state)
            allowed, why = True, None
        except SynapseError as error:
            allowed, why = False, error.msg
        self.expect("verdict", line["allowed"], allowed, {"event": line["attempt"], "why": why})
        self.counts["allowed" if allowed else "forbidden"] += 1

    def fork(self, line):
        states = [{(kind, key): event_id for kind, key, event_id in state} for state in line["fork"]]
        resolved = finished(
            resolve_events_with_store(
                NoClock(), self.room, self.version, states, dict(self.events), NoStore()
            )
        )
        theirs = sorted([kind, key, event_id] for (kind, key), event_id in resolved.items())
        self.expect("resolution", sorted(line["resolved"]), theirs, None)
        self.counts["forks"] += 1
        self.counts["sides"] += len(states)
        keys = set().union(*states)
        conflicted = sum(len({state.get(key) for state in states}) > 1 for key in keys)
        self.counts["conflicted keys"] += conflicted
        self.counts["forks in conflict"] += conflicted > 0

    def expect(self, what, ours, theirs, about):
        if ours == theirs:
            return
        self.differences += 1
        if self.differences > SHOWN:
            return
        print(f"DIFFERENCE in {what}: room version {self.version.identifier}, seed {self.seed}")
        if isinstance(ours, list):
            ours, theirs = [x for x in ours if x not in theirs], [x for x in theirs if x not in ours]
        print(f"  Parvis:  {json.dumps(ours)}\n  Synapse: {json.dumps(theirs)}\n  {json.dumps(about)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", help="the file with the lines")
    parser.add_argument("--expect-differences", action="store_true", help="fail if there are none")
    arguments = parser.parse_args()

    witnesses = collections.defaultdict(Witness)
    with open(arguments.lines) as lines:
        for text in lines:
            line = json.loads(text)
            if "room" in line:
                witness = witnesses[line["version"]]
            witness.read(line)
    for version, witness in witnesses.items():
        counts = ", ".join(f"{count} {name}" for name, count in witness.counts.items())
        print(f"room version {version}: {counts}; {witness.differences} differences")
    differences = sum(witness.differences for witness in witnesses.values())
    if arguments.expect_differences:
        print("the comparison notices a wrong resolution" if differences else "NOTHING WAS NOTICED")
        return differences == 0
    forks = sum(witness.counts["forks"] for witness in witnesses.values())
    if forks == 0:
        print("there was nothing to compare")
    return differences > 0 or forks == 0


if __name__ == "__main__":
    sys.exit(main())
