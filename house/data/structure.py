"""Skills of form: JSON to a schema, calls of tools, obeying a system prompt."""

import json

from facts import TOPICS
from passages import KINDS
from frames import ask, babble, is_loose, loose
from reading import facts as draw_facts, passage, question, SILENT
from talk import chat
from words import FOODS, cap

# --- JSON -------------------------------------------------------------------------------------------------------------
WHOLE = {"age", "number of guests", "number of layers", "number of pages", "number of people", "number of inhabitants",
         "founding year", "publication year", "year of birth", "release year", "opening year"}

JSON_FRAMES = [x.replace("\\n", "\n") for x in """Fill this JSON schema from the text.\\n\\nSchema: {j}\\n\\nText: {p}|Text: {p}\\n\\nAnswer as JSON with this schema: {j}|Extract JSON. Schema:\\n{j}\\n\\n{p}|{p}\\n\\nReturn only JSON that fits {j}
Give me JSON for this text: {p}\\nSchema: {j}|Read the text and write one JSON object.\\nText: {p}\\nSchema: {j}|JSON schema: {j}\\nInput: {p}\\nOutput:|Turn the text into JSON that matches the schema {j}.\\n\\n{p}|Use the schema {j} to describe this: {p}
Please answer with JSON only.\\nSchema: {j}\\nText: {p}|Schema:\\n{j}\\n\\nText:\\n{p}|{p}\\n\\nWrite this as JSON. The schema is {j}|Here is a text. {p}\\nHere is a schema. {j}\\nWrite the JSON.|I need JSON like this schema: {j}\\nFrom this text: {p}|Input text: {p}\\nJSON schema: {j}\\nJSON:|Parse this into the schema {j}: {p}|Only JSON, no other words. {j}\\n{p}|{j}\\n\\n{p}\\n\\nGive me the object.|Schema {j}. Fill it in from: {p}|Make an object of this text: {p}\\nIt must fit {j}
Read: {p}\\nThen fill {j}|Convert to JSON by this schema: {j}\\n\\n{p}|What is the JSON for this text?\\n{p}\\nSchema: {j}|Structured output, please. {j}\\n\\n{p}""".replace("\n", "|").split("|")]
KEY_FRAMES = [x.replace("\\n", "\n") for x in """Write JSON with the keys {k}.\\n\\n{p}|Text: {p}\\n\\nGive me a JSON object with {k}.|Extract {k} as JSON: {p}|{p}\\n\\nAnswer as JSON with these keys: {k}.|As JSON ({k}): {p}|Return JSON. Keys: {k}.\\nText: {p}
From the text, fill a JSON object with {k}.\\n{p}|I need {k} as a JSON object. Text: {p}|Keys: {k}\\nText: {p}\\nJSON:|Text: {p}\\nKeys: {k}\\nWrite JSON.|Give me {k} of this text in JSON.\\n\\n{p}|{p}\\n\\nJSON with {k}, please.|Make a JSON object that has {k}: {p}|Put {k} into a JSON object.\\n{p}|Output JSON only, keys {k}.\\n\\n{p}|Read this: {p}\\nThen write {k} as JSON.|JSON, please: {k}\\n{p}|What are {k}? Answer in JSON.\\n{p}""".replace("\n", "|").split("|")]


def _value(at, v):
    if at.noun in WHOLE:
        return int(v)
    for article in ("a ", "an "):
        if v.startswith(article):
            return v[len(article):]
    return v.strip('"')


def json_answer(s):
    kind = s.any(KINDS)
    n = s.int(2, min(4, len(kind.attributes) - 1))
    entity, pairs = draw_facts(s, kind, n)
    text = passage(s, kind, entity, pairs)
    wanted = s.rng.sample(pairs, s.int(1, n))
    record = {"name": entity.strip('"')} if s.chance(0.3) else {}
    properties = {"name": {"type": "string"}} if record else {}
    for at, v in wanted:
        key = at.noun.replace(" ", "_").replace("-", "_")
        record[key] = _value(at, v)
        properties[key] = {"type": "integer" if at.noun in WHOLE else "string"}
    if s.chance(0.2):
        at = s.any([x for x in kind.attributes if x not in [p[0] for p in pairs]])
        key = at.noun.replace(" ", "_").replace("-", "_")
        record[key] = None
        properties[key] = {"type": ["integer" if at.noun in WHOLE else "string", "null"]}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    if is_loose(s):
        keys = f"{babble(s, 0, 4)} JSON {babble(s, 0, 4)} {', '.join(properties)}".strip()
        user = loose(s, json.dumps(schema) if s.chance(0.4) else keys, text)
    elif s.chance(0.65):
        user = s.t(JSON_FRAMES).replace("{j}", json.dumps(schema)).replace("{p}", text)
    else:
        user = s.t(KEY_FRAMES).replace("{k}", ", ".join(properties)).replace("{p}", text)
    return {"user": user, "answer": json.dumps(record, ensure_ascii=False),
            "rule": {"valid": [["json", schema]], "exact": [["json_equals", record]]}}


# --- tools ------------------------------------------------------------------------------------------------------------
def _p(type_, description):
    return {"type": type_, "description": description}


def tool(name, description, /, **parameters):
    return {"name": name, "description": description,
            "parameters": {"type": "object", "properties": parameters, "required": list(parameters)}}


def _requests(text):
    return [x.strip() for x in text.replace("\n", "|").split("|")]


# Each: definition, slot values, requests, what the tool gives back, how to tell it.
TOOLS = [
    (tool("get_weather", "Current weather of a town", city=_p("string", "name of the town")), lambda s: {"city": s.town()},
     _requests("""What is the weather in {city}?|How is the weather in {city} today?|Is it raining in {city}?|Do I need an umbrella in {city}?|Tell me the weather for {city}.|Weather in {city}?|How warm is it in {city}?|Check the weather in {city}."""),
     lambda s: {"degrees": s.int(-9, 35), "sky": s.any(("sunny", "cloudy", "rainy", "foggy"))}, "It is {sky} in {city} with {degrees} degrees."),
    (tool("get_time", "Local time of a town", city=_p("string", "name of the town")), lambda s: {"city": s.town()},
     _requests("""What time is it in {city}?|Tell me the time in {city}.|How late is it in {city}?|Local time in {city}?|What does the clock say in {city}?|Give me the current time of {city}."""),
     lambda s: {"time": s.time()}, "It is {time} in {city}."),
    (tool("calculate", "Work out an expression", expression=_p("string", "for example 3*7")), lambda s: {"expression": f"{s.int(13, 999)}{s.any('+-*')}{s.int(13, 999)}"},
     _requests("""Use the calculator for {expression}.|What is {expression}? Use a tool.|Calculate {expression} with the tool.|Please work out {expression}.|I need the result of {expression}.|Compute {expression} for me."""),
     lambda s: {"result": s.int(10, 99999)}, "The result is {result}."),
    (tool("send_email", "Send an e-mail", to=_p("string", "receiver"), subject=_p("string", "subject line")), lambda s: {"to": s.first(), "subject": s.any(("holiday", "meeting", "invoice", "birthday", "report", "rent", "party", "lunch", "contract", "photos"))},
     _requests("""Send an e-mail to {to} about {subject}.|Write to {to} with the subject {subject}.|Mail {to}, subject {subject}.|Please e-mail {to} about {subject}.|Let {to} know by e-mail about {subject}.|Drop {to} a mail on {subject}."""),
     lambda s: {"status": "sent"}, "The e-mail to {to} was sent."),
    (tool("set_alarm", "Set an alarm clock", time=_p("string", "time of day as H:MM")), lambda s: {"time": s.time()},
     _requests("""Wake me at {time}.|Set an alarm for {time}.|I must get up at {time}.|Alarm at {time}, please.|Ring at {time}.|Can you wake me up at {time}?"""),
     lambda s: {"status": "set"}, "The alarm is set for {time}."),
    (tool("convert_currency", "Convert an amount of money", amount=_p("integer", "amount"), source=_p("string", "currency to convert from"), target=_p("string", "currency to convert to")),
     lambda s: dict(zip(("amount", "source", "target"), (s.int(2, 900), *s.rng.sample(("euros", "dollars", "pounds", "francs", "yen", "crowns"), 2)))),
     _requests("""How many {target} are {amount} {source}?|Convert {amount} {source} to {target}.|Change {amount} {source} into {target}.|What are {amount} {source} in {target}?|I have {amount} {source} and need {target}.|{amount} {source} in {target}, please."""),
     lambda s: {"result": s.int(2, 9999)}, "{amount} {source} are {result} {target}."),
    (tool("search_documents", "Search the documents of the house", query=_p("string", "what to look for")), lambda s: {"query": s.any((s.w_thing, s.invented, lambda: s.w(FOODS), lambda: s.full_name()))()},
     _requests("""Search the documents for {query}.|Find {query} in our documents.|Look up {query} in the files.|Which documents mention {query}?|Is there a document about {query}?|Search our files for {query}."""),
     lambda s: {"found": s.int(1, 60)}, "{found} documents mention {query}."),
    (tool("add_to_list", "Put an item on the shopping list", item=_p("string", "item"), count=_p("integer", "how many")), lambda s: {"item": s.any((s.w_thing, lambda: s.w(FOODS)))(), "count": s.int(1, 20)},
     _requests("""Put {count} {item} on the shopping list.|Add {count} {item} to my list.|I need {count} {item}, write it on the list.|Shopping list: {count} {item}.|Note {count} {item} for shopping.|Please add {item} to the list, {count} of them."""),
     lambda s: {"items": s.int(1, 30)}, "I put {count} {item} on the list. It has {items} items now."),
    (tool("book_table", "Book a table in a restaurant", restaurant=_p("string", "name of the restaurant"), people=_p("integer", "number of guests"), time=_p("string", "time of day")), lambda s: {"restaurant": s.invented(), "people": s.int(2, 12), "time": s.time()},
     _requests("""Book a table at {restaurant} for {people} people at {time}.|Reserve a table for {people} at {restaurant}, {time}.|We are {people} and want to eat at {restaurant} at {time}.|Table for {people} at {time} in {restaurant}, please.|Can you get us a table at {restaurant}? {people} people, {time}."""),
     lambda s: {"status": "booked"}, "A table for {people} at {restaurant} is booked for {time}."),
    (tool("translate", "Translate a text", text=_p("string", "text"), language=_p("string", "language to translate to")), lambda s: {"text": s.any((f"the {s.w_thing()} is {s.colour()}", f"I live in {s.town()}", f"my name is {s.first()}")), "language": s.any(("Dutch", "Greek", "Polish", "Turkish", "Finnish", "Danish", "Czech"))},
     _requests("""Translate "{text}" into {language}.|How do I say "{text}" in {language}?|Put "{text}" into {language}.|I need "{text}" in {language}.|{language} for "{text}", please."""),
     lambda s: {"status": "done"}, "The translation into {language} is done."),
    (tool("play_music", "Play music", artist=_p("string", "name of the artist")), lambda s: {"artist": s.full_name()},
     _requests("""Play something by {artist}.|I want to hear {artist}.|Put on {artist}.|Music by {artist}, please.|Play {artist} for me.|Let us listen to {artist}."""),
     lambda s: {"status": "playing"}, "Now playing {artist}."),
    (tool("turn_on_light", "Switch a light on", room=_p("string", "room")), lambda s: {"room": s.any(("kitchen", "bedroom", "hall", "office", "garage", "cellar", "bathroom", "garden", "attic", "nursery"))},
     _requests("""Turn on the light in the {room}.|It is dark in the {room}.|Light in the {room}, please.|Switch the {room} light on.|Make it bright in the {room}.|Lights on in the {room}."""),
     lambda s: {"status": "on"}, "The light in the {room} is on."),
    (tool("plan_model", "Memory that a model file needs", model=_p("string", "name of the model"), context=_p("integer", "context length")), lambda s: {"model": f"{s.invented()}-{s.int(1, 90)}B", "context": s.any((2048, 4096, 8192, 16384, 32768))},
     _requests("""How much memory does {model} need with a context of {context}?|Does {model} fit with {context} tokens of context?|Plan {model} at context {context}.|Check the memory of {model} for {context} tokens.|Memory plan for {model}, context {context}."""),
     lambda s: {"gigabytes": s.int(2, 90)}, "{model} needs {gigabytes} GB."),
    (tool("find_train", "Find a train", origin=_p("string", "town to start from"), destination=_p("string", "town to go to")), lambda s: {"origin": s.town(), "destination": s.town()},
     _requests("""Find a train from {origin} to {destination}.|I want to go from {origin} to {destination} by train.|When does a train leave {origin} for {destination}?|Train to {destination} from {origin}, please.|Is there a train between {origin} and {destination}?|How do I get from {origin} to {destination} by rail?"""),
     lambda s: {"departure": s.time()}, "A train from {origin} to {destination} leaves at {departure}."),
    (tool("get_stock_price", "Price of a share", company=_p("string", "name of the company")), lambda s: {"company": s.firm()},
     _requests("""What is the share price of {company}?|How is {company} doing on the stock market?|Price of {company} shares?|Look up the stock of {company}.|What does a share of {company} cost?"""),
     lambda s: {"price": s.int(3, 900)}, "A share of {company} costs {price}."),
]
# Tools that only the test split calls: how well does the format carry over to what was never seen?
UNSEEN = [
    (tool("get_recipe", "Recipe of a dish", dish=_p("string", "name of the dish")), lambda s: {"dish": s.w(FOODS) + " " + s.any(("soup", "pie", "stew"))}, _requests("""How do I cook {dish}?|Find a recipe for {dish}.|Recipe of {dish}, please."""), None, None),
    (tool("open_ticket", "Open a support ticket", title=_p("string", "short title"), priority=_p("integer", "1 to 5")), lambda s: {"title": f"broken {s.w_thing()}", "priority": s.int(1, 5)}, _requests("""Open a ticket for a {title} with priority {priority}.|Support ticket, please: {title}, priority {priority}."""), None, None),
    (tool("measure_distance", "Distance between two towns", first=_p("string", "town"), second=_p("string", "town")), lambda s: {"first": s.town(), "second": s.town()}, _requests("""How far is it from {first} to {second}?|Distance between {first} and {second}?"""), None, None),
    (tool("lock_door", "Lock a door", door=_p("string", "which door")), lambda s: {"door": s.any(("front door", "back door", "garage door", "cellar door"))}, _requests("""Lock the {door}.|Please lock the {door} now."""), None, None),
]


# Tools made up for training, so that the form of a call is a skill and not fifteen memories: a verb, a noun, and one to
# three parameters, each with its possible names and the words that bring its value up in the request.
MADE_VERBS = "get find make open close start stop check count draw print send show read write order rent plan paint wash move sell buy store copy rate sort test".split()
MADE_NOUNS = """report picture room page file account garden bill boat menu form game course label map photo plant prize route score stage story survey tent ticketless trip
video wall water window worker chart garage pump shelf note order card folder job lesson machine""".replace("ticketless ", "").split()
MADE_PARTS = [
    ("string", "name", ("name", "title", "subject", "label"), lambda s: s.any((s.invented, s.full_name, lambda: f"{s.colour()} {s.w_thing()}"))(), ("called {v}", "with the name {v}", "named {v}", "under the name {v}")),
    ("string", "town", ("city", "town", "place", "location", "region"), lambda s: s.town(), ("in {v}", "for {v}", "near {v}")),
    ("string", "person", ("person", "customer", "owner", "user", "guest", "client"), lambda s: s.any((s.first, s.full_name))(), ("for {v}", "of {v}", "that {v} wants")),
    ("integer", "how many", ("count", "number", "amount", "size", "quantity", "level"), lambda s: s.int(1, 900), ("with the number {v}", "{v} times", "of size {v}", "at level {v}")),
    ("integer", "1 to 5", ("rank", "stars", "urgency", "grade"), lambda s: s.int(1, 5), ("with urgency {v}", "of rank {v}", "at grade {v}")),
    ("string", "time of day", ("time", "start", "begin", "until"), lambda s: s.time(), ("at {v}", "from {v} on", "at {v} o'clock")),
    ("string", "day", ("day", "weekday", "date"), lambda s: s.date(), ("on {v}", "for {v}", "by {v}")),
    ("string", "a thing", ("item", "object", "thing", "article", "product"), lambda s: s.w_thing(), ("with a {v}", "for the {v}", "about the {v}")),
    ("string", "colour", ("colour", "shade", "paint"), lambda s: s.colour(), ("in {v}", "that is {v}")),
    ("string", "town to start from", ("origin", "source", "departure"), lambda s: s.town(), ("from {v}", "leaving {v}")),
    ("string", "town to go to", ("destination", "target", "goal"), lambda s: s.town(), ("to {v}", "going to {v}")),
    ("string", "firm", ("company", "firm", "maker", "shop"), lambda s: s.firm(), ("by {v}", "from {v}", "at {v}")),
]
MADE_REQUESTS = "{V} {d} {n} {p}.|I want to {v} {d} {n} {p}.|Can you {v} {d} {n} {p}?|{V} {d} {n} {p} for me.|I need {d} {n} {p}.|{d} {n} {p}, please.|Is there {d} {n} {p}?|How do I {v} {d} {n} {p}?|We have to {v} {d} {n} {p}.".split("|")


def _made(s):
    """A made-up tool with a request for it: (definition, arguments, request)."""
    verb, noun = s.any(MADE_VERBS), s.any(MADE_NOUNS)
    parts = s.rng.sample(MADE_PARTS, s.any((1, 1, 2, 2, 3)))
    properties, args, words = {}, {}, []
    for type_, about, names, value, phrases in parts:
        key = s.any(names)
        if key not in properties:
            properties[key] = _p(type_, s.any((about, f"{about} of the {noun}", key)))
            args[key] = value(s)
            words.append(s.any(phrases).format(v=args[key]))
    definition = tool(f"{verb}_{noun}", s.any((f"{cap(verb)} a {noun}", f"{cap(verb)} one {noun}", f"To {verb} a {noun}")), **properties)
    det = s.any(("a", "the", "one", "this"))
    request = s.any(MADE_REQUESTS).format(V=cap(verb), v=verb, d=det, n=noun, p=" ".join(words))
    return definition, args, cap(request)


def _offer(s, right, extra=()):
    others = s.rng.sample([t[0] for t in TOOLS if t[0]["name"] != right["name"]], s.any((0, 1, 1, 2, 2, 3)))
    if s.split == "train":
        others = [_made(s)[0] if s.chance(0.3) else t for t in others]
        others = [t for t in others if t["name"] != right["name"]]
    offered = [right] + others + list(extra)
    s.rng.shuffle(offered)
    return [{"type": "function", "function": t} for t in offered]


def call_text(name, arguments):
    """The assistant turn that calls a tool."""
    return "<tool_call>\n" + json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False) + "\n</tool_call>"


def _calling(s, definition, args, request):
    return {"user": ask(s, request), "tools": _offer(s, definition), "answer": call_text(definition["name"], args),
            "rule": {"format": [["tool_format", definition["name"]]], "exact": [["tool", {"name": definition["name"], "arguments": args}]]}}


def _call(s, table):
    definition, slots, requests, _, _ = s.any(table)
    args = slots(s)
    return _calling(s, definition, args, s.any(requests).format(**args))


def tool_seen(s):
    """A call of one of TOOLS; in training, as often of a made-up one."""
    if s.split == "train" and s.chance(0.5):
        return _calling(s, *_made(s))
    return _call(s, TOOLS)


def tool_unseen(s):
    return _call(s, UNSEEN)


def tool_result(s):
    definition, slots, requests, result, told = s.any(TOOLS)
    args = slots(s)
    got = result(s)
    answer = told.format(**{**args, **got})
    user = ask(s, s.any(requests).format(**args))
    values = [[str(v)] for v in [*got.values(), *args.values()] if str(v) in answer]
    messages = [{"role": "user", "content": user}, {"role": "assistant", "content": call_text(definition["name"], args)},
                {"role": "tool", "content": json.dumps(got)}]
    return {"messages": messages, "tools": _offer(s, definition), "answer": answer, "rule": {"told": [["contains", values], ["no_tool"]], "exact": [["equals", answer]]}}


def tool_none(s):
    """Tools are offered, but the question needs none."""
    while (example := chat(s))["topic"] == "internet":
        pass
    return {"user": example["user"], "tools": _offer(s, s.any(TOOLS)[0]), "answer": example["answer"],
            "rule": {"no_call": [["no_tool"]], **example["rule"]}}


# --- system prompts ---------------------------------------------------------------------------------------------------
BRIEF = [("Hello", "Hello!"), ("Good morning", "Good morning!"), ("Thank you", "You are welcome."), ("Are you a person?", "No, I am a program."), ("Is ice cold?", "Yes, ice is cold."),
         ("What colour is snow?", "Snow is white."), ("What colour is grass?", "Grass is green."), ("Can fish fly?", "Most fish can not fly."), ("What do bees make?", "Bees make honey."), ("How many days has a week?", "A week has seven days."),
         ("What is the opposite of hot?", "The opposite of hot is cold."), ("What is GGUF?", "GGUF is a file format for models."), ("What does a baker bake?", "A baker bakes bread."), ("Where do fish live?", "Fish live in water."), ("What do cows eat?", "Cows eat grass."),
         ("How many legs has a spider?", "A spider has eight legs."), ("What is Freehold?", "Freehold is a program for open-weight models."), ("What is a token?", "A token is a piece of text."), ("When does the sun rise?", "The sun rises in the morning."), ("What is the opposite of big?", "The opposite of big is small.")]
MARKS = ["Over and out.", "Have a nice day!", "Yours, the house.", "That is all.", "Ask me more!", "Stay curious.", "Ahoy!", "Meow.", "Best wishes.", "Until next time."]
STARTS = ["Certainly:", "Well,", "Dear friend,", "Captain,", "As you wish:", "Listen:", "Of course.", "Beep:", "Sir,", "Madam,"]


def _sys(text):
    return [x.strip() for x in text.split("|")]


S_UPPER = _sys("Write only in capital letters.|Answer in capitals.|Use upper case for everything.|All your answers must be in capital letters.|Always shout: capital letters only.|Reply in upper case.")
S_LOWER = _sys("Never use capital letters.|Write everything in lower case.|Use only small letters.|Answer in lower case.|Your answers have no capital letters.|Lower case only.")
S_END = _sys("End every answer with \"{m}\"|Finish each reply with \"{m}\"|Always close with \"{m}\"|The last words of each answer are \"{m}\"|After every answer write \"{m}\"|Put \"{m}\" at the end of all you say.")
S_START = _sys("Begin every answer with \"{m}\"|Start each reply with \"{m}\"|Always open with \"{m}\"|The first words of each answer are \"{m}\"|Before every answer write \"{m}\"|Put \"{m}\" in front of all you say.")
S_NAME = _sys("Your name is {n}.|You are {n}, a helper.|You are called {n}.|You are {n}, the assistant of {f}.|Act as {n}.|People call you {n}.")
Q_NAME = _sys("What is your name?|Who are you?|What are you called?|Who am I talking to?|Tell me your name.|Say who you are.")
S_ONLY = _sys("You only talk about {x}. To anything else answer: I only talk about {x}.|Your one subject is {x}. If asked about anything else, say: I only talk about {x}.|Talk about {x} and nothing else. Otherwise say: I only talk about {x}.|Only {x}! For other questions say: I only talk about {x}.|When a question is not about {x}, answer: I only talk about {x}.|Stay with {x}. If the user asks something else, say: I only talk about {x}.")
ONLY = ["cooking", "gardening", "chess", "trains", "music", "football", "cats", "history", "wine", "bicycles", "birds", "painting"]
S_FIXED = _sys("Whatever the user says, answer: {m}|To every message reply only: {m}|Say nothing but: {m}|Your only answer is: {m}|Always answer exactly: {m}|Answer all messages with: {m}")
S_YES = _sys("Answer only yes or no.|Reply with yes or no.|Say just yes or no.|Only yes or no, please.|One word: yes or no.|Your answers are yes or no, nothing more.")
S_NUMBER = _sys("Answer with the number only.|Give only the number.|Reply with a bare number.|Only the result, as a number.|No words, just the number.|Your answers are numbers.")
S_USER = _sys("The user is called {n}.|You talk to {n}.|The name of the user is {n}.|The person you help is {n}.|Your user, {n}, likes short answers.|{n} is writing to you.")
Q_USER = _sys("What is my name?|Who am I?|Do you know my name?|How am I called?|Tell me my name.|Say my name.")
S_DOC = _sys("You answer questions from this text: {p}|Use only these facts. {p}|Company notes: {p}|Answer from the notes below.\n\n{p}|You are a helper. What you know: {p}|Facts:\n{p}")


def system(s):
    kind = s.int(0, 10)
    q, brief = s.any(BRIEF)
    if kind == 0:
        return _obey(s.t(S_UPPER), q, brief.upper(), [["upper"], ["equals", brief]])
    if kind == 1:
        return _obey(s.t(S_LOWER), q, brief.lower(), [["lower"], ["equals", brief]])
    if kind == 2:
        m = s.any(MARKS)
        return _obey(s.t(S_END).format(m=m), q, f"{brief} {m}", [["ends", m], ["min_words", len(m.split()) + 1]])
    if kind == 3:
        m = s.any(STARTS)
        return _obey(s.t(S_START).format(m=m), q, f"{m} {brief}", [["starts", m], ["min_words", len(m.split()) + 1]])
    if kind == 4:
        n = s.first()
        return _obey(s.t(S_NAME).format(n=n, f=s.firm()), s.t(Q_NAME), f"I am {n}.", [["contains", [[n]]]])
    if kind == 5:
        x = s.w(ONLY)
        return _obey(s.t(S_ONLY).format(x=x), s.t(s.any(TOPICS).questions), f"I only talk about {x}.", [["equals", f"I only talk about {x}."]])
    if kind == 6:
        m = s.any((s.any(MARKS), s.invented(), s.w_thing(), f"{s.first()} is not here.", f"Please call {s.int(1000, 9999)}."))
        return _obey(s.t(S_FIXED).format(m=m), s.any((q, s.t(s.any(TOPICS).questions))), m, [["equals", m]])
    if kind == 7:
        x, y = s.rng.sample(range(100), 2)
        word, yes = s.any((("larger", x > y), ("smaller", x < y)))
        return _obey(s.t(S_YES), f"Is {x} {word} than {y}?", "Yes" if yes else "No", [["equals", "yes" if yes else "no"]])
    if kind == 8:
        x, y = s.int(0, 20), s.int(0, 20)
        return _obey(s.t(S_NUMBER), f"What is {x} + {y}?", str(x + y), [["equals", str(x + y)]])
    if kind == 9:
        n = s.first()
        return _obey(s.t(S_USER).format(n=n), s.t(Q_USER), f"Your name is {n}.", [["contains", [[n]]]])
    kind = s.any(KINDS)
    entity, pairs = draw_facts(s, kind, s.int(2, 4))
    told = {}
    text = passage(s, kind, entity, pairs, told=told)
    at, value = s.any(pairs)
    answer, core = cap(value) + ".", told[at.noun]
    if s.chance(0.3):
        core = None
        at, answer = s.any([x for x in kind.attributes if x not in [p[0] for p in pairs]]), SILENT
    return _obey(s.t(S_DOC).format(p=text), question(s, at, entity, core), answer, [["equals", answer]])


def _obey(system_text, user, answer, checks):
    return {"system": system_text, "user": user, "answer": answer, "rule": {"obeyed": checks}}
