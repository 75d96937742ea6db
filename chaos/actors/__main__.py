"""`python -m chaos.actors ROLE INDEX SEED [EVIL …]`: one process."""

import sys

import django

django.setup()

from chaos.actors import asker, flood, producer, takers  # noqa: E402 - models are there only now

ROLES = {
    "producer": lambda index, seed, *evils: producer.produce(int(index), seed, evils),
    "asker": lambda index, seed: asker.ask(int(index), seed),
    "taker": lambda *_: takers.take(),
    "receiver": lambda *_: takers.receive(),
    "leaser": lambda *_: takers.lease(),
    "flood": lambda index, *_: flood.flood(int(index)),
    "orderly": lambda *_: takers.order(),
}

role, *rest = sys.argv[1:]
ROLES[role](*rest)
