"""What a queue is, in a dict."""

from datetime import timedelta

MAX_DELIVERIES = 2
START = timedelta(0)


class Model:
    """The same queue as a dict: each message's state, and a line whose numbers only grow."""

    def __init__(self):
        self.messages = {}
        self.now = START
        self.line = 0
        self.claims = 0

    def last(self):
        self.line += 1
        return self.line

    def put(self, number, priority, delay):
        state, due = ("waiting", self.now + delay) if delay else ("ready", None)
        self.messages[number] = {
            "state": state, "priority": priority, "seq": self.last(), "due": due, "enqueued": self.now,
            "claim_no": 0, "by": None, "deliveries": 0, "attempt": 0, "claimed": 0,
        }  # fmt: skip

    def ready(self, suspect=None):
        """Ready messages in line; only the suspects, or only the others."""
        found = [
            number
            for number, m in self.messages.items()
            if m["state"] == "ready" and suspect in (None, m["deliveries"] > 0)
        ]
        return sorted(
            found, key=lambda number: (-self.messages[number]["priority"], self.messages[number]["seq"])
        )

    def suspects(self, count):
        """Those claimed last come first; then in line."""
        found = sorted(self.ready(suspect=True), key=lambda number: -self.messages[number]["claimed"])[:count]
        return [number for number in self.ready() if number in found]

    def due(self):
        return sorted(
            (n for n, m in self.messages.items() if m["due"] is not None and m["due"] <= self.now),
            key=lambda number: self.messages[number]["due"],
        )

    def next(self, count):
        """What get takes: ready ones in line and due ones among them, by when they came to be ready."""
        places, latest = {}, {}
        for number in self.ready()[:count]:
            m = self.messages[number]
            latest[m["priority"]] = max(latest.get(m["priority"], m["enqueued"]), m["enqueued"])
            places[number] = (-m["priority"], latest[m["priority"]], m["seq"])
        for number in [n for n in self.due() if self.is_left(n)][:count]:
            m = self.messages[number]
            places[number] = (-m["priority"], m["due"], m["seq"])
        return sorted(places, key=places.__getitem__)[:count]

    def is_left(self, number):
        m = self.messages[number]
        return m["state"] == "waiting" or (m["state"] == "claimed" and m["deliveries"] + 1 < MAX_DELIVERIES)

    def take(self, number, by, due):
        m = self.messages[number]
        m.update(state="claimed", by=by, due=due, claim_no=m["claim_no"] + 1, claimed=self.claims)

    def back(self, number, **changes):
        self.messages[number].update({"state": "ready", "by": None, "due": None, **changes})

    def lose(self, number):
        """A delivery was lost; the last one ends dead."""
        m = self.messages[number]
        spent = m["deliveries"] + 1
        self.back(number, deliveries=spent, state="dead" if spent >= MAX_DELIVERIES else "ready")
