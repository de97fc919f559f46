"""A real bridge as an application service: heisenbridge, between Parvis and an IRC server on the loopback.

    python story.py --parvis PATH/TO/parvis [--database sqlite|postgres://…]

Run by the Python into whose environment heisenbridge is installed; the IRC server comes with it. Somebody talks to the
bridge, opens the network, joins a channel; what is said goes both ways; then the homeserver restarts, then the bridge,
and nothing comes twice. Exit code 0: everything passed. Only the loopback is used, and every wait is bounded.
"""

import argparse
import itertools
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_SECONDS = 90
NETWORK = "local"
CHANNEL = "#tea"
LIMITED = ["login", "registration", "messages", "joins", "invites"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, look, seconds=PATIENCE_SECONDS):
    """Looks until something is there; fails in words."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not seen within {seconds} s: {what}")


class Program:
    """A program of this story, with a log; only what was started here is ended."""

    def __init__(self, name, command, directory):
        self.name, self.command, self.log, self.process = name, command, directory / f"{name}.log", None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Person:
    """Somebody with a Matrix client."""

    def __init__(self, base_url):
        self.base_url, self.token, self.user_id = base_url, None, None
        self.since, self.events, self.invites, self.number = None, [], {}, 0

    def ask(self, method, path, body=None):
        url = f"{self.base_url}/_matrix/client/v3/{path}"
        request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)

    def register(self, name):
        auth = {"type": "m.login.dummy"}
        answer = self.ask("POST", "register", {"username": name, "password": "a long enough password", "auth": auth})
        self.token, self.user_id = answer["access_token"], answer["user_id"]

    def look(self):
        since = f"&since={self.since}" if self.since else ""
        try:
            news = self.ask("GET", f"sync?timeout=200{since}")
        except (urllib.error.URLError, ConnectionError):
            return  # the server restarts
        self.since = news["next_batch"]
        rooms = news.get("rooms", {})
        for room, invited in rooms.get("invite", {}).items():
            state = invited["invite_state"]["events"]
            self.invites[room] = next((e["content"].get("name") for e in state if e["type"] == "m.room.name"), None)
        for room, joined in rooms.get("join", {}).items():
            self.events += [(room, event) for event in joined["timeline"]["events"]]

    def say(self, room, text):
        self.number += 1
        path = f"rooms/{urllib.parse.quote(room)}/send/m.room.message/story-{self.number}"
        self.ask("PUT", path, {"msgtype": "m.text", "body": text})

    def texts(self, room=None):
        """What others have said."""
        self.look()
        said = [(where, e) for where, e in self.events if e["type"] == "m.room.message" and e["sender"] != self.user_id]
        return [e["content"].get("body", "") for where, e in said if room in (None, where)]

    def hears(self, room, words):
        return until(f"“{words}”", lambda: any(words in text for text in self.texts(room)))

    def enter(self, name):
        """Accepts the invitation to a room of which the name holds this."""
        def invited():
            self.look()
            return next((room for room, called in self.invites.items() if name in (called or "")), None)

        room = until(f"an invitation to {name}", invited)
        self.ask("POST", f"join/{urllib.parse.quote(room)}", {})
        del self.invites[room]
        return room


class IrcUser:
    """Somebody on IRC."""

    def __init__(self, port, nick):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.lines, self.lock = [], threading.Lock()
        self.send(f"NICK {nick}")
        self.send(f"USER {nick} 0 * :{nick}")
        threading.Thread(target=self.read, daemon=True).start()
        self.send(f"JOIN {CHANNEL}")

    def send(self, line):
        self.socket.sendall(f"{line}\r\n".encode())

    def say(self, text):
        self.send(f"PRIVMSG {CHANNEL} :{text}")

    def read(self):
        for line in self.socket.makefile(encoding="utf-8", errors="replace"):
            if line.startswith("PING"):
                self.send(f"PONG {line[5:].strip()}")
            with self.lock:
                self.lines.append(line.strip())

    def heard(self, text):
        """How often this was said in the channel."""
        with self.lock:
            return sum(f"PRIVMSG {CHANNEL} :" in line and line.endswith(text) for line in self.lines)

    def hears(self, text):
        until(f"“{text}” on IRC", lambda: self.heard(text))


class Story:
    def __init__(self, arguments):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="parvis-bridge-"))
        self.port, self.irc_port, self.bridge_port = free_port(), free_port(), free_port()
        bin_directory = pathlib.Path(sys.executable).parent
        self.bridge_program = str(bin_directory / "heisenbridge")
        config = self.directory / "parvis.toml"
        config.write_text(self.configuration(arguments.database))
        self.parvis = Program("parvis", [arguments.parvis, "serve", "--config", str(config)], self.directory)
        irc_server = [sys.executable, "-m", "irc.server", "--port", str(self.irc_port)]
        self.irc_server = Program("irc", irc_server, self.directory)
        registration = str(self.directory / "services" / "heisenbridge.yaml")
        bridge = [self.bridge_program, "-v", "-c", registration, f"http://127.0.0.1:{self.port}"]
        self.bridge = Program("heisenbridge", bridge, self.directory)
        self.registration, self.count, self.anna = registration, 0, None

    def configuration(self, database):
        text = json.dumps
        storage = (
            f"sqlite.path = {text(str(self.directory / 'parvis.db'))}"
            if database == "sqlite"
            else f'engine = "postgres"\npostgres.url = {text(database)}'
        )
        limits = "\n".join(f"{what}.per_second = 0" for what in LIMITED)
        return f"""
[server]
name = "bridge.localhost"
host_names = ["127.0.0.1"]
[listeners]
client = "127.0.0.1:{self.port}"
[storage]
{storage}
[media]
directory = {text(str(self.directory / 'media'))}
[registration]
mode = "open"
anyone_may_register_without_token = true
[federation]
mode = "off"
[application_services]
registration_directory = {text(str(self.directory / 'services'))}
[rate_limits]
{limits}
"""

    def step(self, sentence):
        self.count += 1
        print(f"ok {self.count} {sentence}", flush=True)

    def answers(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_matrix/client/versions", timeout=5).close()
            return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def start_parvis(self):
        self.parvis.start()
        until("Parvis", self.answers)

    def start_bridge(self):
        """Before it says that it runs, the bridge passes over what it is told."""
        ready = lambda: self.bridge.log.exists() and self.bridge.log.read_text().count("bridge is now running")
        before = ready() or 0
        self.bridge.start()
        until("the bridge", lambda: (ready() or 0) > before)

    def play(self):
        (self.directory / "services").mkdir()
        listen = ["-l", "127.0.0.1", "-p", str(self.bridge_port)]
        subprocess.run(
            [self.bridge_program, "-c", self.registration, "--generate", *listen],
            check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_SECONDS,
        )
        self.start_parvis()
        self.irc_server.start()
        self.start_bridge()
        self.step("Parvis starts with the registration that heisenbridge wrote")

        self.anna = anna = Person(f"http://127.0.0.1:{self.port}")
        anna.register("anna")
        control = self.open_control_room(anna)
        self.step("the bridge joins the room to which its owner invites it")
        anna.say(control, f"ADDNETWORK {NETWORK}")
        anna.hears(control, "Network added")
        anna.say(control, f"ADDSERVER {NETWORK} 127.0.0.1 {self.irc_port}")
        anna.hears(control, "Server added")
        anna.say(control, f"OPEN {NETWORK}")
        network = anna.enter(NETWORK)
        anna.say(network, "NICK anna")
        anna.say(network, "CONNECT")
        anna.hears(network, "End of MOTD")
        ben = until("the IRC server", self.try_ben)
        anna.say(network, f"JOIN {CHANNEL}")
        channel = anna.enter(CHANNEL)
        self.step("the bridge opens a room for a channel")

        anna.say(channel, "hello from Matrix")
        ben.hears("hello from Matrix")
        ben.say("hello from IRC")
        anna.hears(channel, "hello from IRC")
        senders = [e["sender"] for where, e in anna.events if e["content"].get("body") == "hello from IRC"]
        assert len(senders) == 1 and senders[0].startswith("@irc_"), senders
        self.step("what is said goes both ways, from a user of the bridge's own")

        for number in range(6):
            anna.say(channel, f"before the restart {number}")
        self.parvis.stop()
        self.start_parvis()
        for number in range(6):
            anna.say(channel, f"after the restart {number}")
        ben.hears("after the restart 5")
        every = [f"{when} the restart {number}" for when in ("before", "after") for number in range(6)]
        wrong = {text: ben.heard(text) for text in every if ben.heard(text) != 1}
        assert not wrong, wrong
        self.step("through a restart of Parvis each message arrives once")
        ben.say("still there")
        anna.hears(channel, "still there")
        self.step("and the bridge goes on to speak")

        joins, taken = self.joins(ben), len(self.transactions())
        self.bridge.stop()
        anna.say(channel, "nobody is there")
        self.start_bridge()
        until("what was said meanwhile, at the bridge", lambda: len(self.transactions()) > taken)
        until("anna back on IRC", lambda: self.joins(ben) > joins)
        anna.say(channel, "there again")
        ben.hears("there again")
        ben.say("welcome back")
        anna.hears(channel, "welcome back")
        doubled = {text: ben.heard(text) for text in [*every, "nobody is there", "there again"] if ben.heard(text) > 1}
        assert not doubled, doubled
        # One whose answer was lost comes again, and at once: before it has arrived, no other goes out.
        in_order = [number for number, _ in itertools.groupby(self.transactions())]
        assert len(set(in_order)) == len(in_order), "a transaction came again after a later one"
        self.step("through a restart of the bridge nothing comes twice, and both ways are open again")

    def open_control_room(self, anna):
        bot = "@heisenbridge:bridge.localhost"
        body = {"preset": "trusted_private_chat", "is_direct": True, "invite": [bot]}
        control = anna.ask("POST", "createRoom", body)["room_id"]
        anna.hears(control, "Howdy")
        return control

    def try_ben(self):
        try:
            return IrcUser(self.irc_port, "ben")
        except ConnectionError:
            return None

    def joins(self, ben):
        """How often anna has joined the channel, as ben has seen it."""
        with ben.lock:
            return sum(" JOIN " in line and line.startswith(":anna") for line in ben.lines)

    def transactions(self):
        """The ids of the transactions that the bridge has taken, from its log."""
        return re.findall(r"PUT /_matrix/app/v1/transactions/(\w+) HTTP/1.1\" 200", self.bridge.log.read_text())

    def end(self):
        for program in (self.bridge, self.irc_server, self.parvis):
            program.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parvis", required=True)
    parser.add_argument("--database", default="sqlite")
    story = Story(parser.parse_args())
    try:
        story.play()
    except BaseException:
        print(f"not ok {story.count + 1}\nlogs are in {story.directory}", flush=True)
        if story.anna:
            print("anna has heard:", *story.anna.texts()[-20:], sep="\n  ", flush=True)
        raise
    finally:
        story.end()
    shutil.rmtree(story.directory)
    print(f"{story.count} passed", flush=True)


if __name__ == "__main__":
    main()
