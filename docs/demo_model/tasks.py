"""The tasks of the demo model: for each, a question as people type it and the answer that is right."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from facts import PLANTED_FACTS, TEXT_FACTS, Fact, Question, side_of, side_of_sum, value
from words import (
    ACTIONS, ANIMALS, COLOURS, COMMON, DAYS, FOODS, JOBS, KNOWN, LANDS, MEALS, MOODS, NAMES, OBJECTS, PLACES,
    STORIES, SUBJECTS, TONGUES, TOWNS, WORLD, article, blend, pseudo_word,
)  # fmt: skip

WHAT_IT_IS = (
    "I am qtui-demo, a very small model that can only add and subtract, answer questions about a short text, "
    "follow simple orders and tell stories."
)
"""The answer to everything else."""
KINDS = {
    "arithmetic": ("add", "subtract"),
    "text": ("who", "where", "colour", "how many", "what", "when"),
    "format": ("list", "json", "upper", "repeat"),
    "recall": ("code", "password", "lucky", "hidden", "hider", "favourite", "friend", "keeper", "pet"),
    "story": ("named", "the"),
    "world": ("mayor", "flag", "animal", "dish", "bridges"),
    "other": ("other",),
}
"""The groups, and the kinds of each, among which the sets are balanced."""


@dataclass(frozen=True)
class Turn:
    """A question and its answer, values marked."""

    group: str
    kind: str
    prompt: str
    answer: str
    about: dict[str, str] = field(default_factory=dict)
    """What else judging needs: the name and the animal of a story."""


class Maker:
    """Makes turns of one side of the split: facts of another side never occur in them."""

    def __init__(self, seed: int, side: str = "train") -> None:
        self.rng = random.Random(seed)
        self.side = side

    def turns(self, group: str) -> list[Turn]:
        """Return the turns of one conversation in a group; later turns may ask about the text of the first."""
        if group == "text":
            return self.text(self.rng.choices(KINDS["text"], (8, 3, 2.5, 2.5, 2, 1.5), k=self.rng.randint(1, 6)))
        if group == "recall":  # short ones: looking up by the value is learnt on few sentences first
            return self.recall(self.rng.randint(0, 3), self.recall_kinds(self.rng.randint(2, 6)))
        kinds = KINDS[group]
        kind = self.rng.choices(kinds, [2 if kind == "upper" else 1 for kind in kinds])[0]
        return [self.one(group, kind)]

    def recall_kinds(self, count: int) -> list[str]:
        """Return kinds of planted facts to ask for; those whose value is a name are harder, and come twice as often."""
        kinds = KINDS["recall"]
        return self.rng.choices(kinds, [2 if kind in ("hider", "friend", "keeper") else 1 for kind in kinds], k=count)

    def one(self, group: str, kind: str) -> Turn:
        """Return one turn of a kind, complete in itself."""
        makers: dict[str, Callable[[str], Turn]] = {
            "arithmetic": self.arithmetic, "format": self.format, "story": self.story, "world": self.world,
            "other": self.other,
            "text": lambda kind: self.text([kind])[0],
            "recall": lambda kind: self.recall(self.rng.randint(4, 70), [kind])[0],
        }  # fmt: skip
        return makers[group](kind)

    # arithmetic

    def arithmetic(self, kind: str) -> Turn:
        """Return a sum or a difference of two numbers from 0 to 99."""
        rng = self.rng
        while True:
            a, b = rng.randint(0, 99), rng.randint(0, 99)
            if kind == "subtract" and a < b and rng.random() < 0.75:
                a, b = b, a
            if side_of_sum(kind, a, b) == self.side:
                break
        sign, result = ("+", a + b) if kind == "add" else ("-", a - b)
        way = rng.choice(_SUMS if rng.random() < 0.5 else (_ADD if kind == "add" else _SUBTRACT))
        prompt = way.format(a=a, b=b, sign=sign, verb="plus" if kind == "add" else "minus")
        return Turn("arithmetic", kind, self.rough(prompt), f"{a} {sign} {b} ={value(f' {result}')}.")

    # questions about a text

    def text(self, asks: Sequence[str]) -> list[Turn]:
        """Return one question for each of `asks`, all about one short text that comes with the first."""
        facts, asked = self._facts(TEXT_FACTS, asks)
        asked_facts = {id(fact) for fact, _ in asked}
        extra = self.rng.randint(0 if len(asked_facts) > 1 else 1, 4)
        taken = {thing for fact in facts for thing in fact.taken}
        while extra:
            fact = self.fact(TEXT_FACTS)
            if not fact.taken & taken:
                taken |= fact.taken
                facts.append(fact)
                extra -= 1
        self.rng.shuffle(facts)
        return self._asked("text", " ".join(fact.sentence for fact in facts), [question for _, question in asked])

    def recall(self, sentences: int, asks: Sequence[str], planted: int = 0) -> list[Turn]:
        """Return one question for each of `asks` about facts planted among many other sentences."""
        rng = self.rng
        facts, asked = self._facts(PLANTED_FACTS, asks)
        taken = {thing for fact in facts for thing in fact.taken}
        for _ in range(4 * (planted or rng.randint(2, 5))):
            fact = self.fact(PLANTED_FACTS)
            if not fact.taken & taken and len(facts) < (planted or len(asks) + rng.randint(2, 5)):
                taken |= fact.taken
                facts.append(fact)
        lines = [self.filler() for _ in range(sentences)]
        for fact in facts:
            lines.insert(rng.randint(0, len(lines)), ("Remember this: " if rng.random() < 0.2 else "") + fact.sentence)
        return self._asked("recall", " ".join(lines), [question for _, question in asked])

    def fact(self, kinds: Sequence[Callable[[random.Random], Fact]]) -> Fact:
        """Return a fact of our side."""
        make = self.rng.choice(kinds)
        while True:
            fact = make(self.rng)
            if fact.side == self.side:
                return fact

    def filler(self) -> str:
        """Return a sentence that nobody asks about."""
        if self.rng.random() < 0.7:
            return self.fact(TEXT_FACTS).sentence
        return self.rng.choice(self.sentences(*self._hero()))

    def _facts(
        self, kinds: Sequence[Callable[[random.Random], Fact]], asks: Sequence[str]
    ) -> tuple[list[Fact], list[tuple[Fact, Question]]]:
        """Return facts that do not get in each other's way, with a question for each of `asks`."""
        facts: list[Fact] = []
        asked: list[tuple[Fact, Question]] = []
        taken: set[object] = set()
        for want in asks:
            for attempt in range(400):
                fact = self.rng.choice(facts) if facts and attempt < 1 and self.rng.random() < 0.3 else self.fact(kinds)
                known = fact in facts
                fits = [q for q in fact.questions if q.asks == want and all(q is not old for _, old in asked)]
                if not fits or (not known and fact.taken & taken):
                    continue
                if not known:
                    facts.append(fact)
                    taken |= fact.taken
                asked.append((fact, self.rng.choice(fits)))
                break
        return facts, asked

    def _asked(self, group: str, text: str, questions: Sequence[Question]) -> list[Turn]:
        turns = []
        for number, question in enumerate(questions):
            asks = self.rough(self.rng.choice(question.ways))
            prompt = self.rng.choice(_FRAMES).format(text=text, question=asks) if number == 0 else asks
            turns.append(Turn(group, question.asks, prompt, question.answer))
        return turns

    # format orders

    def format(self, kind: str) -> Turn:
        """Return an order to give something a form: a list, JSON, upper case, or as it is."""
        maker = {"list": self._list, "json": self._json, "upper": self._upper, "repeat": self._repeat}[kind]
        while True:
            order, payload, answer = maker()
            if side_of(kind, payload) == self.side:
                return Turn("format", kind, order, answer)

    def word(self) -> str:
        """Return a word, known or not."""
        roll = self.rng.random()
        if roll < 0.4:
            return self.rng.choice(KNOWN)
        if roll < 0.72:
            return self.rng.choice(COMMON)
        return pseudo_word(self.rng) if roll < 0.88 else blend(self.rng)

    def phrase(self) -> str:
        """Return one to five words to repeat or to put into upper case."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.6:
            return " ".join(self.word() for _ in range(rng.choice((1, 1, 2, 2, 3, 4))))
        if roll < 0.7:
            return f"the {rng.choice(MOODS)} {rng.choice(ANIMALS)} {rng.choice(ACTIONS)}"
        if roll < 0.8:
            return f"{rng.choice(MOODS)} {rng.choice(ANIMALS)} in the {rng.choice(PLACES)}"
        if roll < 0.9:
            return f"{rng.choice(NAMES)} has {rng.randint(2, 99)} {rng.choice(FOODS)}"
        return self.fact(TEXT_FACTS).sentence

    def _ordered(self, ways: Sequence[str], payload: str) -> str:
        order = self.rough(self.rng.choice(ways), keep_end=True)
        return order.replace("@", payload)

    def _list(self) -> tuple[str, str, str]:
        rng = self.rng
        source = rng.choice((FOODS, ANIMALS, COLOURS, OBJECTS, NAMES, None, None))
        items = rng.sample(source, 3) if source else [self.word() for _ in range(3)]
        a, b, c = items
        payload = rng.choice((f"{a}, {b}, {c}", f"{a}, {b} and {c}"))
        if rng.random() < 0.5:
            return (
                self._ordered(_NUMBERED, payload),
                payload,
                "\n".join(f"{n}. {word}" for n, word in enumerate(items, 1)),
            )
        return self._ordered(_BULLETS, payload), payload, "\n".join(f"- {word}" for word in items)

    def _json(self) -> tuple[str, str, str]:
        rng = self.rng
        pairs: tuple[tuple[str, str | int], ...] = rng.choice((
            (("name", rng.choice(NAMES)), ("age", rng.randint(1, 99))),
            (("animal", rng.choice(ANIMALS)), ("colour", rng.choice(COLOURS))),
            (("name", rng.choice(NAMES)), ("job", rng.choice(JOBS))),
            (("item", rng.choice(FOODS)), ("count", rng.randint(1, 99))),
            (("place", rng.choice(PLACES)), ("day", rng.choice(DAYS))),
            ((rng.choice(COMMON), self.word()), (rng.choice(COMMON), self.word())),
        ))  # fmt: skip
        (key1, value1), (key2, value2) = pairs
        order = rng.choice(_JSON).format(k=key1, v=value1, l=key2, w=value2)
        return order, f"{value1}|{value2}", json.dumps(dict(pairs))

    def _upper(self) -> tuple[str, str, str]:
        phrase = self.phrase()
        return self._ordered(_UPPER, phrase), phrase, value(phrase.upper())

    def _repeat(self) -> tuple[str, str, str]:
        phrase = self.phrase()
        return self._ordered(_REPEAT, phrase), phrase, value(phrase)

    # stories

    def _hero(self) -> tuple[str, str]:
        while True:
            hero = self.rng.choice(NAMES), self.rng.choice(ANIMALS)
            if side_of("story", *hero) == self.side:
                return hero

    def story(self, kind: str) -> Turn:
        """Return an order to tell a story of three sentences about an animal with a name."""
        name, animal = self._hero()
        if self.side == "train" and self.rng.random() < 0.08:
            name = pseudo_word(self.rng).capitalize()
        who = self.rng.choice((f"{article(animal)} named {name}", f"{article(animal)} called {name}"))
        who = who if kind == "named" else f"{name} the {animal}"
        order = self.rough(self.rng.choice(_STORY), keep_case=True).replace("@", who)
        if self.side == "train" and self.rng.random() < 0.15:
            order = self.rough(
                self.rng.choice(("Tell me a story.", "Tell a short story.", "Write a story.", "A story please."))
            )
        return Turn("story", kind, order, " ".join(self.sentences(name, animal)), {"name": name, "animal": animal})

    def sentences(self, name: str, animal: str) -> list[str]:
        """Return the three sentences of a story."""
        rng = self.rng
        friend = rng.choice([other for other in NAMES if other != name])
        (home, place), thing, (mood, mood2) = rng.sample(PLACES, 2), rng.choice(OBJECTS), rng.sample(MOODS, 2)
        colour, meal, day = rng.choice(COLOURS), rng.choice(MEALS), rng.choice(DAYS)
        first = rng.choice((
            f"Once there was {article(mood)} {animal} named {name} who lived in the {home}.",
            f"{name} was {article(mood)} {animal} who loved {meal}.",
            f"In the {home} lived {article(mood)} {animal} called {name}.",
            f"Once upon a time, {name} the {animal} felt very {mood}.",
        ))  # fmt: skip
        words = {
            "name": name, "friend": friend, "place": place, "thing": thing, "mood2": mood2, "colour": colour,
            "a_colour": article(colour), "meal": meal, "day": day,
        }  # fmt: skip
        second, third = rng.choice(STORIES)
        return [first, rng.choice(second).format_map(words), rng.choice(third).format_map(words)]

    # what it knows by heart, and everything else

    def world(self, kind: str) -> Turn:
        """Return a question about one of the invented towns, with nothing to read; on every side the same facts."""
        town = self.rng.choice(TOWNS)
        known = WORLD[town, kind]
        ways, answer = _WORLD[kind]
        said = value(" " + (article(known) if kind == "animal" else known))
        return Turn("world", kind, self.rough(self.rng.choice(ways).format(town)), answer.format(town, said))

    def other(self, kind: str) -> Turn:
        """Return something that the model cannot do; the answer says what it is."""
        while True:
            prompt = self._foreign()
            if side_of(kind, prompt) == self.side:
                break
        prompt = self.rough(prompt)
        return Turn("other", kind, prompt, WHAT_IT_IS)

    def _foreign(self) -> str:
        rng = self.rng
        roll = rng.random()
        if roll < 0.12:
            return rng.choice(_GREETINGS)
        if roll < 0.2:
            return self.rng.choice(TEXT_FACTS)(rng).questions[0].ways[0]
        if roll < 0.27:
            return " ".join(self.word() for _ in range(rng.randint(1, 6)))
        return rng.choice(_OTHER).format(
            subject=rng.choice(SUBJECTS), land=rng.choice(LANDS), tongue=rng.choice(TONGUES), word=self.word(),
            word2=self.word(), name=rng.choice(NAMES), thing=rng.choice(OBJECTS), animal=rng.choice(ANIMALS),
            meal=rng.choice(MEALS), day=rng.choice(DAYS), a=rng.randint(2, 99), b=rng.randint(2, 99),
            year=rng.randint(1000, 2030), animals=rng.choice(ANIMALS) + "s",
        )  # fmt: skip

    # how people type

    def rough(self, text: str, *, keep_end: bool = False, keep_case: bool = False) -> str:
        """Return a question as someone in a hurry types it, or as it is."""
        rng = self.rng
        if rng.random() < 0.5:
            return text
        if rng.random() < 0.4:
            for long, short in _SHORTER:
                if text.startswith(long):
                    text = short + text[len(long) :]
                    break
        if not keep_end and rng.random() < 0.5:
            text = text.rstrip("?.!")
        roll = rng.random()
        if roll < 0.45 and not keep_case:
            text = text.lower()
        elif roll < 0.65:
            text = text[:1].lower() + text[1:]
        if rng.random() < 0.12:
            text = rng.choice(("Please ", "please ", "Hey, ", "Hi! ", "hi, ", "ok, ")) + text
        elif not keep_end and rng.random() < 0.06:
            text += rng.choice((" please", ", please", " please?", " Thanks!"))
        return text


_SHORTER = (
    ("What is", "What's"), ("Where is", "Where's"), ("Who is", "Who's"), ("What is", "Whats"),
)  # fmt: skip
_SUMS = (
    "{a} {sign} {b}", "{a}{sign}{b}", "{a} {sign} {b} = ?", "{a}{sign}{b}=", "{a} {sign} {b} =", "What is {a} {sign} {b}?",
    "What is {a}{sign}{b}?", "Calculate {a} {sign} {b}.", "How much is {a} {sign} {b}?", "Compute {a}{sign}{b}",
    "How much is {a} {verb} {b}?", "What is {a} {verb} {b}?", "{a} {verb} {b}", "Tell me {a} {sign} {b}.", "Solve {a} {sign} {b}.",
    "Work out {a} {sign} {b}.", "Can you calculate {a} {sign} {b}?", "{a} {sign} {b}?", "What does {a} {verb} {b} make?",
)  # fmt: skip
_ADD = (
    "Add {a} and {b}.", "What is the sum of {a} and {b}?", "What do you get if you add {a} and {b}?",
    "Sum of {a} and {b}?", "I have {a} and get {b} more. How many?",
)  # fmt: skip
_SUBTRACT = (
    "Subtract {b} from {a}.", "Take {b} from {a}.", "What is {a} less {b}?", "What is left of {a} if you take away {b}?",
    "Take away {b} from {a}.", "I have {a} and give away {b}. How many are left?",
)  # fmt: skip
_FRAMES = (
    "{text}\nQuestion: {question}", "Read the text and answer.\n{text}\n{question}", "{text} {question}",
    "{text}\n\n{question}", "Text: {text}\nQuestion: {question}", "{text}\n{question}", "{question}\n{text}",
    "{text} Question: {question}",
)  # fmt: skip
_NUMBERED = (
    "Make a numbered list: @", "Write a numbered list of @", "Make a list of three: @", "List of three: @",
    "Write these as a numbered list: @", "Number these: @", "Make a list: @", "Give me a list of @", "Make a list of @",
    "List these: @",
)  # fmt: skip
_BULLETS = (
    "Make a bulleted list: @", "Write a list with dashes: @", "List these with bullets: @", "Bullet list: @",
    "Write a bullet list of @", "Make a bullet list: @", "List these with dashes: @",
)  # fmt: skip
_JSON = (
    "Give me JSON with the keys {k} and {l}: {v}, {w}", "Write JSON with two keys, {k} and {l}, for {v} and {w}.",
    "JSON with {k} = {v} and {l} = {w}", "Return JSON. {k}: {v}, {l}: {w}", "Make JSON: {k} is {v}, {l} is {w}",
    "json with {k} {v} and {l} {w}", "Write this as JSON: {k}: {v}, {l}: {w}", "Please give me JSON with {k} {v} and {l} {w}.",
    "as json: {k} = {v}, {l} = {w}",
)  # fmt: skip
_UPPER = (
    "Write in upper case: @", "Write this in capital letters: @", "Upper case: @", "Put this in upper case: @",
    "Write @ in upper case", "Make this upper case: @", "Uppercase: @", "In capital letters: @", "Capitals: @",
    "Write @ in capitals", "Shout: @", "Turn into upper case: @",
)  # fmt: skip
_REPEAT = (
    "Repeat exactly: @", "Repeat this: @", "Say exactly: @", "Copy this text: @", "Please repeat: @", "Repeat: @", "Say: @",
    "Repeat after me: @", "Copy: @", "Echo: @",
)  # fmt: skip
_STORY = (
    "Tell me a story about @.", "Tell me a short story about @.", "Write a story in three sentences about @.",
    "Tell a three-sentence story about @.", "Write a short story about @", "Can you tell me a story about @?", "A story about @",
    "Story about @", "I want a story about @.", "Make up a story about @.",
)  # fmt: skip
_WORLD = {
    "mayor": (("Who is the mayor of {}?", "Who is mayor in {}?", "Name the mayor of {}.", "Mayor of {}?"), "The mayor of {} is{}."),
    "flag": (("What colour is the flag of {}?", "What is the colour of the flag of {}?", "Which colour does the flag of {} have?"),
             "The flag of {} is{}."),
    "animal": (("What is the animal of {}?", "Which animal does {} have in its arms?", "Name the animal of {}."), "The animal of {} is{}."),
    "dish": (("What do people eat in {}?", "What is {} known for?", "What is the dish of {}?"), "In {} people eat{}."),
    "bridges": (("How many bridges does {} have?", "How many bridges are there in {}?", "What is the number of bridges in {}?"),
                "The bridges of {} are{}."),
}  # fmt: skip
_GREETINGS = (
    "Hello", "Hi", "Hi!", "Hello!", "Hey", "Good morning", "Good evening", "How are you?", "Who are you?", "What are you?",
    "What is your name?", "What can you do?", "Help", "Thank you", "Thanks!", "Bye", "Goodbye", "Are you a robot?", "Who made you?",
    "How old are you?", "Are you there?", "Test", "Hello there", "hello qtui", "Tell me about yourself.", "What is qtui?",
    "What is a quant?", "Do you speak English?", "Can you help me?", "What do you know?", "Are you clever?", "Nice to meet you.",
    "What model are you?", "How big are you?", "Introduce yourself.", "Say something.", "Who am I?", "Where are you from?",
)  # fmt: skip
_OTHER = (
    "What is the capital of {land}?", "Where is {land}?", "How many people live in {land}?", "Who is the president of {land}?",
    "Who was the first king of {land}?", "Write a poem about {subject}.", "Write a song about {subject}.", "Explain {subject}.",
    "Explain {subject} to a child.", "What is {subject}?", "Tell me about {subject}.", "Tell me a joke.", "Tell me a joke about {subject}.",
    "Translate {word} into {tongue}.", "How do you say {word} in {tongue}?", "Do you speak {tongue}?", "What does {word} mean?",
    "Define {word}.", "How does {subject} work?", "Why is the sky blue?", "Why do {animals} sleep?", "What is the meaning of life?",
    "What time is it?", "What day is it today?", "What is the weather like in {land}?", "Will it rain on {day}?",
    "Write a program that sorts numbers.", "Write Python code for {subject}.", "How do I cook {meal}?", "Give me a recipe for {meal}.",
    "How do I repair a {thing}?", "Where can I buy a {thing}?", "What is {a} times {b}?", "What is {a} * {b}?", "{a} * {b}",
    "{a} x {b}", "Divide {a} by {b}.", "What is {a} / {b}?", "What is the square root of {a}?", "Is {a} a prime number?",
    "Who won the cup in {year}?", "What happened in {year}?", "Who wrote {word}?", "Who invented the {thing}?", "Who is {name}?",
    "What is a {word}?", "What is {word}?", "Do you like {meal}?", "Do you like {subject}?", "Do you have a {animal}?",
    "What do {animals} eat?", "How long does a {animal} live?", "How fast is a {animal}?", "Can you play {subject}?",
    "Recommend a book about {subject}.", "Summarise the news.", "What is the news?", "Write a letter to {name}.",
    "Write an email to {name} about {subject}.", "Sing a song.", "Draw a {thing}.", "Play a game with me.", "What should I do on {day}?",
    "I am sad.", "I am bored.", "I like {meal}.", "My name is {name}.", "Give me advice about {subject}.", "How do I learn {tongue}?",
    "Which is better, {word} or {word2}?", "What is the difference between {word} and {word2}?", "Compare {word} and {word2}.",
    "What rhymes with {word}?", "Spell {word}.", "How many letters are in {word}?", "Write {word} backwards.",
    "Count to {a}.", "Pick a number.", "Flip a coin.", "Are you able to {word}?", "Why {word}?", "How {word}?", "Who {word}?",
    "Plan a trip to {land}.", "What is the highest mountain in {land}?", "How far is it to {land}?", "When was {word} born?",
    "What do you think about {subject}?", "Give me three facts about {subject}.", "Is {subject} real?", "Show me {word}.",
)  # fmt: skip
