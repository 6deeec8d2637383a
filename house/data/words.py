"""Slot vocabularies and the split rule.

Every list that can leak (names, places, things, templates) is divided between train, validation and test by the
SHA-256 of the entry itself, so that the division never changes when a list grows. Invented names come from syllables,
thousands of them, so that copying a name from a passage is a skill and not a memory.
"""

import hashlib
from random import Random

SPLITS = ("train", "val", "test")


def bucket(text, parts=12):
    """A stable number in `0..parts` for `text`."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % parts


def split_of(text):
    """The split to which a slot entry belongs: 2/12 test, 1/12 validation, 9/12 train."""
    b = bucket("slot:" + text)
    return "test" if b < 2 else "val" if b == 2 else "train"


_SHARES = {}


def share(items, split):
    """The part of a list of templates that `split` may use: by rank of hash, one in six for test and for validation.

    Lists shorter than three cannot be divided and are not: their variety lies in their slots.
    """
    key = (tuple(items), split)
    found = _SHARES.get(key)
    if found is None:
        ranked = sorted(items, key=lambda i: hashlib.sha256(("tpl:" + str(i)).encode()).digest())
        n = len(ranked)
        k = 0 if n < 3 else max(1, n // 6)
        parts = {"test": ranked[:k], "val": ranked[k:2 * k], "train": ranked[2 * k:]}
        found = parts[split] or ranked
        _SHARES[key] = found
    return found


_SLOTS = {}


def slot_share(items, split):
    """The part of a slot vocabulary that `split` may use."""
    key = (tuple(items), split)
    found = _SLOTS.get(key)
    if found is None:
        mine = [i for i in items if split_of(i) == split]
        found = mine or list(items)
        _SLOTS[key] = found
    return found


FIRST = """Ada Alba Aldo Amir Anika Anna Anton Arjun Astrid Beata Bela Boris Bruno Carla Cedric Chidi Clara Conor Dalia
Daniel David Dina Edgar Elena Elias Emma Enzo Erik Esther Fatima Felix Fiona Freya Gita Grace Greta Hana Hassan Hector
Helen Hugo Ines Irene Isaac Ivan Jamal James Jana Jonas Jorge Judith Kai Karen Karim Kenji Klara Lara Laszlo Leila Leo
Linda Liam Lucia Luis Magda Malik Marco Maria Marta Maya Mei Milan Mina Mira Mohan Nadia Nina Noah Nora Oleg Olga Omar
Oscar Otto Paula Pedro Petra Priya Quentin Rafael Ravi Rita Robert Rosa Ruben Ruth Salma Samuel Sara Selma Simon Sofia
Stefan Sven Tamar Tariq Tessa Theo Tom Uma Ursula Vera Victor Viola Walter Wanda Xenia Yara Yusuf Zoe Zora Ben Lily Max
Mia Sam Lucy Jack Ella Tim Amy Peter Kate Paul Lena Mark Julia Adam Iris Ivo Lotte Nils Pia""".split()

CITIES = """Lisbon Porto Madrid Seville Paris Lyon Berlin Hamburg Munich Vienna Graz Zurich Bern Rome Milan Turin Naples
Athens Sofia Bucharest Budapest Prague Brno Warsaw Krakow Riga Vilnius Tallinn Helsinki Stockholm Oslo Bergen Copenhagen
Dublin Cork London Leeds Bristol Glasgow Cardiff Brussels Ghent Antwerp Utrecht Rotterdam Geneva Basel Cairo Tunis Lagos
Accra Nairobi Kampala Lima Bogota Quito Santiago Toronto Montreal Boston Chicago Denver Seattle Austin Osaka Kyoto Seoul
Busan Hanoi Jakarta Manila Delhi Mumbai Pune Sydney Perth Auckland Dunedin Malmo Bonn Ulm Trier Nantes Lille Bilbao
Granada Verona Trieste Ljubljana Zagreb Split Belgrade Skopje Izmir Ankara""".split()

ANIMALS = """fox rabbit bear owl mouse cat dog frog hedgehog squirrel duck goat horse turtle crow sparrow badger otter deer
wolf lamb donkey hen goose beaver mole snail bee ant spider heron swan parrot pony seal whale robin lizard""".split()

THINGS = """lamp kettle clock ladder basket mirror blanket hammer bottle candle chair drum fiddle flute globe helmet jar key
kite lantern map needle notebook oar paddle pencil piano pillow plough pot radio rope rug saddle saw scarf shovel spoon
stamp stool sword table telescope tent trumpet trunk umbrella vase wagon wheel whistle window book box bell boat bicycle
brush bucket button cap coat compass cup desk door feather fence flag glass glove guitar hat letter coin ring shell stone
ball""".split()

COLOURS = "red blue green yellow black white brown grey orange purple pink silver golden violet beige turquoise".split()

FOODS = """apple pear plum cherry bread cheese soup honey butter rice bean carrot onion potato tomato cake pie pancake
biscuit noodle mushroom pumpkin cabbage lemon peach grape melon walnut almond spinach leek salad""".split()

JOBS = """baker teacher nurse carpenter farmer pilot doctor painter tailor gardener librarian engineer sailor plumber driver
chemist lawyer potter cook miner judge printer surgeon weaver translator architect electrician shepherd mechanic
musician photographer editor clerk biologist geologist""".split()

MATERIALS = """oak pine steel glass copper wool linen cotton leather clay marble granite bamboo paper silk tin brass iron
plastic cork felt rubber""".split()

MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
HOBBIES = """chess painting hiking swimming sailing knitting fishing cycling singing dancing skating climbing rowing
juggling pottery astronomy gardening fencing archery origami woodworking photography baking running
birdwatching""".split()
SUBJECTS = """rivers volcanoes bridges whales medieval music bees glaciers railways old maps mushrooms tides
comets""".split()

_ON = "b br c ch d dr f fl g gl gr h j k kl l m n p pr qu r s sh sk st t th tr v w z".split()
_VO = "a e i o u ai ea ia io oa ou".split()
_CO = ["", "", "", "l", "m", "n", "r", "s", "t", "nd", "rk", "st", "x", "ck", "lm"]
_TOWN_END = "ton ford by ham field stead burg mouth dale wick port minster bridge haven".split()
_FIRM_END = "Works,Labs,Foods,Mills,Systems,Press,Motors,Textiles,Farms,Optics,Tools,Energy,Books,Glass".split(",")


def syllables(rng, n):
    """A pronounceable invented word of `n` syllables."""
    return "".join(rng.choice(_ON) + rng.choice(_VO) + (rng.choice(_CO) if i == n - 1 or rng.random() < 0.3 else "")
                   for i in range(n))


class Slots:
    """Draws slot values and templates for one split from one seeded source of chance."""

    def __init__(self, seed, split, loose=0.0):
        self.rng = Random(seed)
        self.split = split
        self.loose = loose      # share of frames made of random words (frames.py)

    def t(self, templates):
        """One template of a list that is divided between the splits."""
        return self.rng.choice(share(templates, self.split))

    def w(self, words):
        """One entry of a slot vocabulary that is divided between the splits."""
        return self.rng.choice(slot_share(words, self.split))

    def any(self, items):
        """One entry of a closed list that all splits share (labels, days, colours)."""
        return self.rng.choice(items)

    def chance(self, p):
        return self.rng.random() < p

    def int(self, low, high):
        return self.rng.randint(low, high)

    def _made(self, form):
        while True:
            word = form()
            if split_of(word) == self.split:
                return word

    def invented(self):
        """An invented proper name."""
        return self._made(lambda: syllables(self.rng, self.rng.choice((2, 2, 3))).capitalize())

    def first(self):
        return self.w(FIRST) if self.chance(0.6) else self.invented()

    def surname(self):
        return self.invented()

    def full_name(self):
        return f"{self.first()} {self.surname()}"

    def town(self):
        if self.chance(0.4):
            return self.w(CITIES)
        return self._made(lambda: syllables(self.rng, self.rng.choice((1, 2))).capitalize() + self.rng.choice(_TOWN_END))

    def firm(self):
        return f"{self.invented()} {self.any(_FIRM_END)}"

    def year(self):
        return str(self.int(1820, 2025))

    def date(self):
        return f"{self.int(1, 28)} {self.any(MONTHS)}"

    def time(self):
        return f"{self.int(6, 22)}:{self.any(('00', '15', '30', '45', '10', '20', '40', '50'))}"

    def price(self):
        return f"{self.int(2, 95)} {self.any(('euros', 'dollars', 'pounds', 'francs'))}"

    def w_thing(self):
        return self.w(THINGS)

    def colour(self):
        return self.any(COLOURS)


def a(noun):
    """The noun with its indefinite article."""
    return ("an " if noun[0].lower() in "aeiou" else "a ") + noun


def cap(text):
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
