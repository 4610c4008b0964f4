"""Facts that a text states, the questions that they answer, and the split of facts into train, dev and test."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from words import (
    ANIMALS, CLUBS, COLOURS, DAYS, DEEDS, EVENTS, FOODS, JOBS, LOCKS, MEALS, NAMES, NUMBERS, OBJECTS, PLACES, article,
    plural,
)  # fmt: skip

VALUE_START, VALUE_END = "\x02", "\x03"
"""Around the words of an answer that had to be found: they weigh more in the loss."""


def value(words: str) -> str:
    """Mark the words of an answer that had to be found; a space before them belongs to them."""
    return f"{VALUE_START}{words}{VALUE_END}"


def the_one(did: str, name: str) -> str:
    """Return the answer to a who-question; the name comes last, once the words that it went with have been said again."""
    return f"The one who {did} is{value(' ' + name)}."


def plain(text: str) -> str:
    """Return a text without the marks of `value`."""
    return text.replace(VALUE_START, "").replace(VALUE_END, "")


def side_of(kind: str, *parts: object) -> str:
    """Return on which side of the split a fact lies: 1/16 each for test and dev, the rest for training."""
    bucket = zlib.crc32("|".join((kind, *map(str, parts))).encode()) % 16
    return {0: "test", 1: "dev"}.get(bucket, "train")


def side_of_sum(kind: str, a: int, b: int) -> str:
    """Return on which side `a + b` (`add`) or `a - b` lies; a sum is on one side whichever number comes first.

    What is held out was held out from the model's first version too: this one starts from its weights.
    """
    texts = [f"{a} + {b}", f"{b} + {a}"] if kind == "add" else [f"{a} - {b}"]
    if any(zlib.crc32(text.encode()) % 8 for text in texts):
        return "train"
    return "dev" if zlib.crc32(f"dev|{min(texts)}".encode()) % 3 == 0 else "test"


@dataclass(frozen=True)
class Question:
    """One thing that can be asked about a fact."""

    asks: str
    """`who`, `where`, `colour`, `how many`, `what`, `when`."""
    ways: tuple[str, ...]
    """Ways to ask it."""
    answer: str


@dataclass(frozen=True)
class Fact:
    """A sentence, and what can be asked about it."""

    kind: str
    identity: tuple[object, ...]
    """What the split looks at, with the kind."""
    sentence: str
    taken: frozenset[object]
    """What no other fact of the same text may speak of."""
    questions: tuple[Question, ...]

    @property
    def side(self) -> str:
        """Return on which side of the split the fact lies."""
        return side_of(self.kind, *self.identity)


def _place(rng: random.Random) -> Fact:
    name, place = rng.choice(NAMES), rng.choice(PLACES)
    sentence = rng.choice(("{} is in the {}.", "{} went to the {}.", "{} walked to the {}.", "{} waits in the {}."))
    return Fact("place", (name, place), sentence.format(name, place), frozenset({(name, "place"), place}), (
        Question("where", (f"Where is {name}?", f"Where can I find {name}?", f"In which place is {name}?"),
                 f"{name} is in the{value(' ' + place)}."),
        Question("who", (f"Who is in the {place}?", f"Who can be found in the {place}?", f"Which person is in the {place}?"),
                 the_one(f"is in the {place}", name)),
    ))  # fmt: skip


def _owner(rng: random.Random) -> Fact:
    name, colour, thing = rng.choice(NAMES), rng.choice(COLOURS), rng.choice(OBJECTS)
    verb = rng.choice(("has", "bought", "found", "owns"))
    return Fact("owner", (name, colour, thing), f"{name} {verb} {article(colour)} {thing}.", frozenset({thing}), (
        Question("colour", (f"What colour is {name}'s {thing}?", f"What colour is the {thing}?",
                            f"Which colour does the {thing} have?", f"What is the colour of the {thing}?"),
                 f"The {thing} is{value(' ' + colour)}."),
        Question("who", (f"Who has the {thing}?", f"Who has a {thing}?", f"Whose is the {thing}?", f"Who owns the {thing}?"),
                 the_one(f"has the {thing}", name)),
    ))  # fmt: skip


def _count(rng: random.Random) -> Fact:
    name, number, food = rng.choice(NAMES), rng.choice(NUMBERS), rng.choice(FOODS)
    verb, base = rng.choice((("has", "have"), ("bought", "buy"), ("sold", "sell")))
    does = "does" if verb == "has" else "did"
    return Fact("count", (name, number, food), f"{name} {verb} {number} {food}.", frozenset({food}), (
        Question("how many", (f"How many {food} {does} {name} {base}?", f"How many {food} are there?",
                              f"What is the number of {food}?"), f"{name} {verb}{value(' ' + number)} {food}."),
        Question("who", (f"Who {verb} the {food}?", f"Who {verb} {number} {food}?", f"Which person {verb} the {food}?"),
                 the_one(f"{verb} the {food}", name)),
    ))  # fmt: skip


def _likes(rng: random.Random) -> Fact:
    name, meal = rng.choice(NAMES), rng.choice(MEALS)
    return Fact("likes", (name, meal), f"{name} likes {meal}.", frozenset({(name, "likes"), meal}), (
        Question("what", (f"What does {name} like?", f"Which food does {name} like?"), f"{name} likes{value(' ' + meal)}."),
        Question("who", (f"Who likes {meal}?", f"Which person likes {meal}?"), the_one(f"likes {meal}", name)),
    ))  # fmt: skip


def _deed(rng: random.Random) -> Fact:
    name, animal, verb = rng.choice(NAMES), rng.choice(ANIMALS), rng.choice(list(DEEDS))
    return Fact("deed", (name, verb, animal), f"{name} {verb} the {animal}.", frozenset({animal, (name, "deed")}), (
        Question("who", (f"Who {verb} the {animal}?", f"Which person {verb} the {animal}?"),
                 the_one(f"{verb} the {animal}", name)),
        Question("what", (f"What did {name} {DEEDS[verb]}?", f"Which animal did {name} {DEEDS[verb]}?"),
                 f"{name} {verb} the{value(' ' + animal)}."),
    ))  # fmt: skip


def _thing(rng: random.Random) -> Fact:
    thing, colour, place = rng.choice(OBJECTS), rng.choice(COLOURS), rng.choice(PLACES)
    sentence = rng.choice(
        (f"The {colour} {thing} is in the {place}.", f"There is {article(colour)} {thing} in the {place}.")
    )
    return Fact("thing", (thing, colour, place), sentence, frozenset({thing, place}), (
        Question("where", (f"Where is the {thing}?", f"Where can I find the {thing}?"), f"The {thing} is in the{value(' ' + place)}."),
        Question("colour", (f"What colour is the {thing}?", f"What is the colour of the {thing}?"), f"The {thing} is{value(' ' + colour)}."),
        Question("what", (f"What is in the {place}?", f"Which thing is in the {place}?"), f"The{value(' ' + thing)} is in the {place}."),
    ))  # fmt: skip


def _herd(rng: random.Random) -> Fact:
    animal, number, place = rng.choice(ANIMALS), rng.choice(NUMBERS), rng.choice(PLACES)
    many = plural(animal)
    return Fact("herd", (animal, number, place), f"There are {number} {many} in the {place}.", frozenset({animal, place}), (
        Question("how many", (f"How many {many} are in the {place}?", f"How many {many} are there?", f"What is the number of {many}?"),
                 f"There are{value(' ' + number)} {many} in the {place}."),
        Question("where", (f"Where are the {many}?", f"Where can I find the {many}?"), f"The {many} are in the{value(' ' + place)}."),
    ))  # fmt: skip


def _job(rng: random.Random) -> Fact:
    name, job = rng.choice(NAMES), rng.choice(JOBS)
    return Fact("job", (name, job), f"{name} is {article(job)}.", frozenset({(name, "job"), job}), (
        Question("who", (f"Who is the {job}?", f"Which person is the {job}?", f"Who works as {article(job)}?"),
                 the_one(f"is the {job}", name)),
        Question("what", (f"What is the job of {name}?", f"What is {name}'s job?", f"What does {name} do?"),
                 f"{name} is{value(' ' + article(job))}."),
    ))  # fmt: skip


def _event(rng: random.Random) -> Fact:
    event, day, hour = rng.choice(EVENTS), rng.choice(DAYS), rng.randint(1, 12)
    return Fact("event", (event, day, hour), f"The {event} is on {day} at {hour}.", frozenset({event}), (
        Question("when", (f"When is the {event}?", f"On which day is the {event}?", f"At what time is the {event}?"),
                 f"The {event} is on{value(' ' + day)} at{value(f' {hour}')}."),
    ))  # fmt: skip


def _gift(rng: random.Random) -> Fact:
    (giver, taker), thing = rng.sample(NAMES, 2), rng.choice(OBJECTS)
    return Fact("gift", (giver, thing, taker), f"{giver} gave the {thing} to {taker}.", frozenset({thing}), (
        Question("who", (f"Who got the {thing}?", f"Who was given the {thing}?", f"Who did {giver} give the {thing} to?"),
                 the_one(f"got the {thing}", taker)),
        Question("who", (f"Who gave the {thing} to {taker}?", f"Who gave away the {thing}?"),
                 the_one(f"gave the {thing} away", giver)),
    ))  # fmt: skip


TEXT_FACTS: tuple[Callable[[random.Random], Fact], ...] = (
    _place, _owner, _count, _likes, _deed, _thing, _herd, _job, _event, _gift,
)  # fmt: skip


def _code(rng: random.Random) -> Fact:
    lock, digits = rng.choice(LOCKS), f"{rng.randint(0, 9999):04}"
    return Fact("code", (lock, digits), f"The {lock} code is {digits}.", frozenset({(lock, "code")}), (
        Question("code", (f"What is the {lock} code?", f"Which code opens the {lock}?", f"What is the code of the {lock}?"),
                 f"The {lock} code is{value(' ' + digits)}."),
    ))  # fmt: skip


def _password(rng: random.Random) -> Fact:
    club, words = rng.choice(CLUBS), f"{rng.choice(COLOURS)} {rng.choice(ANIMALS)}"
    return Fact("password", (club, words), f"The {club} password is {words}.", frozenset({(club, "password")}), (
        Question("password", (f"What is the {club} password?", f"What is the password of the {club}?"),
                 f"The {club} password is{value(' ' + words)}."),
    ))  # fmt: skip


def _lucky(rng: random.Random) -> Fact:
    name, number = rng.choice(NAMES), rng.randint(10, 99)
    return Fact("lucky", (name, number), f"{name}'s lucky number is {number}.", frozenset({(name, "lucky"), number}), (
        Question("lucky", (f"What is {name}'s lucky number?", f"What is the lucky number of {name}?"),
                 f"{name}'s lucky number is{value(f' {number}')}."),
    ))  # fmt: skip


def _hidden(rng: random.Random) -> Fact:
    name, thing, place = rng.choice(NAMES), rng.choice(OBJECTS), rng.choice(PLACES)
    return Fact("hidden", (name, thing, place), f"{name} hid the {thing} in the {place}.",
                frozenset({(name, "hid"), (thing, "hid"), (place, "hid")}), (
        Question("hidden", (f"Where did {name} hide the {thing}?", f"Where is the {thing} of {name} hidden?"),
                 f"{name} hid the {thing} in the{value(' ' + place)}."),
        Question("hider", (f"Who hid the {thing}?", f"Who hid something in the {place}?"),
                 the_one(f"hid the {thing}", name)),
    ))  # fmt: skip


def _favourite(rng: random.Random) -> Fact:
    name, colour = rng.choice(NAMES), rng.choice(COLOURS)
    return Fact("favourite", (name, colour), f"{name}'s favourite colour is {colour}.", frozenset({(name, "favourite")}), (
        Question("favourite", (f"What is {name}'s favourite colour?", f"Which colour does {name} like best?"),
                 f"{name}'s favourite colour is{value(' ' + colour)}."),
    ))  # fmt: skip


def _friend(rng: random.Random) -> Fact:
    name, friend = rng.sample(NAMES, 2)
    return Fact("friend", (name, friend), f"{name}'s best friend is {friend}.", frozenset({(name, "friend")}), (
        Question("friend", (f"Who is {name}'s best friend?", f"Who is the best friend of {name}?"),
                 f"{name}'s best friend is{value(' ' + friend)}."),
    ))  # fmt: skip


def _keeper(rng: random.Random) -> Fact:
    name, place = rng.choice(NAMES), rng.choice(PLACES)
    return Fact("keeper", (name, place), f"{name} keeps the key to the {place}.", frozenset({(place, "key"), (name, "key")}), (
        Question("keeper", (f"Who keeps the key to the {place}?", f"Who has the key to the {place}?"),
                 the_one(f"keeps the key to the {place}", name)),
    ))  # fmt: skip


def _pet(rng: random.Random) -> Fact:
    name, animal = rng.choice(NAMES), rng.choice(ANIMALS)
    return Fact("pet", (name, animal), f"{name}'s pet is {article(animal)}.", frozenset({(name, "pet"), (animal, "pet")}), (
        Question("pet", (f"What is {name}'s pet?", f"Which pet does {name} have?"), f"{name}'s pet is{value(' ' + article(animal))}."),
    ))  # fmt: skip


PLANTED_FACTS: tuple[Callable[[random.Random], Fact], ...] = (
    _code, _password, _lucky, _hidden, _favourite, _friend, _keeper, _pet,
)  # fmt: skip
