"""The words that the corpus is made of, and the invented towns that the model knows by heart."""

from __future__ import annotations

import random

NAMES = (
    "Anna Ben Clara David Emma Finn Grace Henry Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tina Victor Wendy Yara "
    "Zoe Adam Lucy Mark Nina Oscar"
).split()
PLACES = (
    "kitchen garden school park library market forest house barn station harbour castle museum office bakery tower tent "
    "cave valley village shop hall attic cellar"
).split()
OBJECTS = (
    "ball book cup hat coat lamp chair key box bag bike boat clock drum kite pen ring shoe spoon bowl scarf map bell "
    "basket bottle mirror"
).split()
COLOURS = "red blue green yellow black white brown pink grey purple orange golden".split()
ANIMALS = "cat dog fox bear mouse horse cow pig duck goat frog owl rabbit wolf deer lion tiger crow hen sheep".split()
FOODS = "apples pears plums cherries lemons grapes carrots onions beans cakes cookies rolls eggs nuts".split()
MEALS = "soup bread cheese rice honey milk tea jam butter salad toast pasta fish juice".split()
NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()
MOODS = "small big old young happy shy brave clever lazy kind quiet funny hungry tired proud gentle".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
JOBS = "teacher doctor baker farmer pilot singer painter driver sailor nurse cook tailor".split()
EVENTS = "meeting party lesson concert game exam".split()
LOCKS = "door safe gate locker alarm garage".split()
CLUBS = "club team band guild group crew".split()
ACTIONS = "sleeps runs jumps sings waits swims hides eats dances falls".split()
DEEDS = {"fed": "feed", "saw": "see", "drew": "draw", "washed": "wash", "called": "call"}
KNOWN = [*PLACES, *OBJECTS, *COLOURS, *ANIMALS, *FOODS, *MEALS, *NUMBERS, *MOODS, *JOBS]

COMMON = (
    "hello world computer music water fire summer winter spring autumn morning evening night today tomorrow friend "
    "family mother father sister brother child people city street road car train plane phone letter paper table window "
    "door wall floor roof room bed light dark sun moon star sky cloud rain snow wind storm sea island mountain hill "
    "tree flower grass leaf stone sand gold silver iron wood glass cloth sugar salt pepper coffee lunch dinner "
    "breakfast apple banana potato tomato chicken bird whale snake spider monkey elephant penguin dragon robot queen "
    "king prince knight pirate wizard ghost giant magic secret story poem song picture movie question answer number "
    "word name place thing time year month week day hour minute second money price ticket doctor science history "
    "language english grammar test help work play walk talk read write draw build break open close start stop begin "
    "end good bad new great little long short high low hot cold warm cool fast slow hard soft easy loud sweet sour "
    "clean dirty full empty right wrong left true false first last next never always often maybe please thanks welcome "
    "sorry goodbye yes no this that these those here there what when why how big blue brave bright calm dear early "
    "fresh heavy nice pretty quick rich round sharp simple smart strong tall tiny weak wide wild wise model quant "
    "memory terminal keyboard screen mouse button file folder code program system network server cache token context"
).split()
SUBJECTS = (
    (
        "gravity history physics love music chess football cooking politics the moon the sea the weather the internet "
        "computers dinosaurs volcanoes poetry art money time travel life sleep space the brain electricity climate bees"
    )
    .replace("the ", "the_")
    .split()
)
SUBJECTS = [subject.replace("_", " ") for subject in SUBJECTS]
LANDS = "France Spain Italy Japan China India Brazil Canada Egypt Norway Peru Kenya Poland Greece Chile Cuba".split()
TONGUES = "French German Spanish Italian Japanese Latin Greek Dutch Polish Turkish".split()

STORIES = (
    (
        (
            "One day, {name} found {a_colour} {thing} near the {place}.",
            "On {day}, {name} saw {a_colour} {thing} in the {place}.",
        ),
        (
            "{name} gave the {thing} to {friend}, and they became friends.",
            "{name} took the {colour} {thing} home and was very {mood2}.",
            "In the end, {name} kept the {thing} and never felt alone again.",
        ),
    ),
    (
        (
            "One day, {name} lost the {colour} {thing} in the {place}.",
            "On {day}, the {thing} of {name} fell into the {place}.",
        ),
        (
            "{friend} helped {name} to find the {thing}, and both were happy.",
            "{name} looked for the {thing} all day and found it at last.",
            "In the end, {friend} brought the {thing} back to {name}.",
        ),
    ),
    (
        (
            "One morning, {name} met {friend} at the {place}.",
            "On {day}, {name} went to the {place} with {friend}.",
        ),
        (
            "They shared some {meal} and laughed until the evening.",
            "{name} and {friend} played there all day and became best friends.",
            "In the end, {name} and {friend} walked home together.",
        ),
    ),
    (
        (
            "One evening, {name} was hungry and looked for {meal} in the {place}.",
            "On {day}, {name} wanted to cook some {meal} for {friend}.",
        ),
        (
            "{friend} came with a basket of {meal}, and {name} was happy.",
            "{name} found the {meal} and shared it with {friend}.",
            "In the end, {name} ate the {meal} and slept well.",
        ),
    ),
)
"""How a story goes on and how it ends: what may be its second sentence, and its third."""

PLURALS = {"mouse": "mice", "wolf": "wolves", "deer": "deer", "sheep": "sheep", "fox": "foxes"}
CONSONANTS = "bcdfghjklmnpqrstvwxyz"
VOWELS = "aeiou"


def plural(animal: str) -> str:
    """Return the plural of one of the animals."""
    return PLURALS.get(animal, animal + "s")


def article(word: str) -> str:
    """Return the word with `a` or `an` before it."""
    return ("an " if word[0] in VOWELS else "a ") + word


def pseudo_word(rng: random.Random) -> str:
    """Return a word that does not exist, of two to nine letters."""
    shapes = ("cv", "vc", "cvc", "cvv", "ccv", "vcc")
    letters = {"c": CONSONANTS, "v": VOWELS}
    word = "".join(rng.choice(letters[sort]) for _ in range(rng.randint(1, 3)) for sort in rng.choice(shapes))
    return word[:9]


def blend(rng: random.Random) -> str:
    """Return the head of one known word with the tail of another."""
    first, second = rng.choice(COMMON), rng.choice(KNOWN)
    return (first[: rng.randint(1, 4)] + second[-rng.randint(2, 4) :])[:9]


def _towns(count: int) -> list[str]:
    rng = random.Random(4)
    found: list[str] = []
    heads, tails = (
        "Bal Dor Fen Gal Hol Kar Lum Mor Nar Pel Quil Ras Sel Tor Ul Vek Wil Zan".split(),
        ("dale mere wick ford gard holm stead bury by ton".split()),
    )
    while len(found) < count:
        town = rng.choice(heads) + rng.choice("aeiou") * (rng.random() < 0.5) + rng.choice(tails)
        if town not in found:
            found.append(town)
    return found


TOWNS = _towns(60)


def _world() -> dict[tuple[str, str], str]:
    rng = random.Random(5)
    values = {"mayor": NAMES, "flag": COLOURS, "animal": ANIMALS, "dish": MEALS, "bridges": NUMBERS}
    return {(town, what): rng.choice(words) for town in TOWNS for what, words in values.items()}


WORLD = _world()
"""What the model knows by heart: (town, what) to the value."""
