"""Writes the chats that the demo model is trained and evaluated on. Nothing is downloaded: grammar, tables and a seed.

    python corpus.py --chats 200000 --seed 1 --out train.jsonl
    python corpus.py --chats 2000 --seed 2 --test --out test.jsonl      # held-out contents only
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from random import Random

import facts
from chat import Chat
from skills import SKILLS, Turn, World, a_word, cap, has, made_up

# ---------------------------------------------------------------- thinking modes

MODES = ["think"] * 9 + ["/think"] * 2 + ["/no_think"] * 4 + ["off"] * 5


def finish(w: World, skill: str, messages: list[dict], turn: Turn, tools: list | None = None, mode: str | None = None) -> Chat:
    """Adds the last question and its answer in one of the thinking modes."""
    mode = mode or w.pick(MODES)
    messages = list(messages)
    user, system = turn.user, None
    if mode.startswith("/"):
        if messages and messages[0]["role"] == "system" and w.rng.random() < 0.3:
            system = {"role": "system", "content": f"{messages[0]['content']} {mode}"}
            messages[0] = system
        else:
            user = f"{user} {mode}"
    elif mode == "off" and w.rng.random() < 0.1:
        user = f"{user} {w.pick(['/think', '/no_think'])}"  # no effect when thinking is switched off
    messages.append({"role": "user", "content": user})
    thinks = mode in ("think", "/think")
    answer = turn.answer if thinks or turn.direct is None else turn.direct
    messages.append({"role": "assistant", "reasoning_content": turn.thought if thinks else "", "content": answer})
    return Chat(skill, messages, tools or [], mode != "off", turn.check | {"thinks": thinks})


def past(w: World, turn: Turn) -> list[dict]:
    """A finished exchange, as it stands in a history (thoughts are gone)."""
    answer = turn.answer if turn.direct is None or w.rng.random() < 0.7 else turn.direct
    return [{"role": "user", "content": turn.user}, {"role": "assistant", "content": answer}]


def roughen(w: World, turn: Turn) -> Turn:
    """People type carelessly: no full stop, no capital at the start, a word of politeness."""
    text = turn.user
    if w.rng.random() < 0.2 and text[-1:] in ".!?。！？" and len(text) > 3:
        text = text[:-1]
    if not w.zh and w.rng.random() < 0.2:
        text = text[:1].lower() + text[1:]
    elif w.rng.random() < 0.04:
        text = ("请问，" if w.zh else w.pick(["Please: ", "Tell me: ", "Hey, "])) + text
    turn.user = text
    return turn


def one_turn(w: World, names: list[str] | None = None) -> tuple[str, Turn]:
    names = names or list(SKILLS)
    name = w.rng.choices(names, [SKILLS[n][1] for n in names])[0]
    turn = roughen(w, SKILLS[name][0](w))
    return name, turn


# ---------------------------------------------------------------- plain chats, with and without a history

HELPFUL = (["You are a helpful assistant.", "You are a helpful assistant. Answer briefly.", "You are a friendly assistant.", "Be short and clear.", "You are qwill, a small model.", "Answer the user's question.", "You are a demo in a web page."],
           ["你是一个有用的助手。", "你是一个友好的助手。", "请简短回答。", "你是一个小模型。"])


def system(text: str) -> dict:
    return {"role": "system", "content": text}


def plain(w: World) -> Chat:
    messages = [system(w.pick(HELPFUL[w.zh]))] if w.rng.random() < 0.25 else []
    if w.rng.random() < 0.16:
        for _ in range(w.pick([1, 1, 2])):
            messages += past(w, one_turn(World(w.rng, w.zh, False))[1])
    name, turn = one_turn(w)
    return finish(w, name, messages, turn)


# ---------------------------------------------------------------- system prompts: personas, names, rules

PERSONAS = [  # (English, Chinese): who, before, after
    (("a pirate", "Arr! ", " Yo-ho-ho!"), ("海盗", "啊哈！", "哟嗬！")),
    (("a robot", "Beep boop. ", " Beep."), ("机器人", "哔哔。", "哔。")),
    (("a cat", "Meow! ", " Purr."), ("猫", "喵！", "喵喵。")),
    (("a wizard", "By my magic staff! ", " So says the wizard."), ("巫师", "以魔杖之名！", "巫师如是说。")),
    (("a cook", "Mmm, tasty! ", " Enjoy your meal!"), ("厨师", "真香！", "请慢用！")),
    (("a cowboy", "Howdy, partner! ", " Yee-haw!"), ("牛仔", "嘿，伙计！", "驾！")),
    (("a ghost", "Boo! ", " Whooo..."), ("幽灵", "呜！", "呜呜……")),
    (("a king", "Hear me! ", " The king has spoken."), ("国王", "听着！", "国王说完了。")),
]
PERSONA_ASK = (["You are {}.", "You are {}. Stay in your role.", "Act as {}.", "Speak like {}.", "Pretend that you are {}.", "You are {} who helps people.", "Answer like {}.", "Talk like {}."],
               ["你是{}。", "你扮演{}。", "请像{}一样说话。", "你是一个{}。", "假装你是{}。"])
PERSONA_SKILLS = ["smalltalk", "capital", "colour", "animal", "addition", "opposite", "translate", "spell"]


def persona(w: World) -> Chat:
    who, before, after = w.pick(PERSONAS)[w.zh]
    while True:
        name, turn = one_turn(w, PERSONA_SKILLS)
        if name != "smalltalk" or w.mine("persona", who, turn.answer):
            break
    check = turn.check if turn.check["kind"] in ("contains", "number") else has(turn.answer)
    turn.check = {"kind": "all", "checks": [check, has(before.strip(), after.strip())]}
    turn.thought += f" 我是{who}。" if w.zh else f" I am {who}."
    turn.answer = before + turn.answer + after
    turn.direct = turn.direct and before + turn.direct + after
    messages = [system(w.pick(PERSONA_ASK[w.zh]).format(who))]
    return finish(w, "persona", messages, turn)


def a_name(w: World) -> str:
    pool = facts.NAMES_ZH if w.zh and w.rng.random() < 0.7 else facts.NAMES
    name = w.pick(pool) if w.rng.random() < 0.6 else cap(made_up(w))
    return name if w.mine("name", name) else a_name(w)


def named(w: World) -> Chat:
    name, (job, job_zh) = a_name(w), w.pick(facts.JOBS)
    if w.zh:
        prompt, full = w.pick([("你叫{n}。", 0), ("你的名字是{n}。", 0), ("你是{n}，一名{j}。", 1), ("你是一名{j}，名叫{n}。", 1)])
        user = w.pick(["你是谁？", "你叫什么名字？", "你叫什么？", "介绍一下你自己。"])
        answer = f"我叫{name}。" + (f"我是一名{job_zh}。" if full else "")
        thought = f"我的名字是{name}。"
    else:
        prompt, full = w.pick([("Your name is {n}.", 0), ("You are called {n}.", 0), ("You are {n}.", 0), ("You are {n}, a {j}.", 1), ("You are a {j} named {n}.", 1), ("You are {n}, a friendly {j}.", 1)])
        user = w.pick(["Who are you?", "What is your name?", "What's your name?", "Introduce yourself.", "Who am I talking to?", "Do you have a name?"])
        answer = f"My name is {name}." + (f" I am a {job}." if full else "")
        thought = f"My name is {name}."
    messages = [system(prompt.format(n=name, j=job_zh if w.zh else job))]
    checks = has(name, job_zh if w.zh else job) if full else has(name)
    return finish(w, "persona_name", messages, roughen(w, Turn(user, thought, answer, checks)))


def ending_rule(w: World) -> Chat:
    word = w.pick(facts.FOODS + facts.JOBS + facts.TRANSLATIONS)[1] if w.zh else a_word(w)
    _, turn = one_turn(w, ["smalltalk", "capital", "colour", "addition", "opposite"])
    prompt = w.pick(["每次回答最后都说“{}”。", "回答的最后要说“{}”。"] if w.zh else ['End every answer with "{}".', 'Always say "{}" at the end.', 'Finish each reply with the word "{}".'])
    tail = word if w.zh else f" {cap(word)}!"
    thought = turn.thought + (f" 最后说{word}。" if w.zh else f" I end with {word}.")
    turn = Turn(turn.user, thought, turn.answer + tail, {"kind": "ends", "text": tail.strip()}, turn.direct and turn.direct + tail)
    return finish(w, "system_rule", [system(prompt.format(word))], turn)


# ---------------------------------------------------------------- memory over several turns

def memory(w: World) -> Chat:
    kind = w.pick(["name", "name", "colour", "city", "pet", "age"])
    name, colour, city, age = a_name(w), w.pick(facts.PLAIN_COLOURS)[w.zh], w.pick(facts.CAPITALS)[3 if w.zh else 1], w.rng.randrange(5, 90)
    creature = w.pick(facts.ANIMALS)
    en = {"name": (["My name is {n}.", "I am {n}.", "Call me {n}.", "Hi, I am {n}."], "Nice to meet you, {n}!", ["What is my name?", "Who am I?", "Do you remember my name?", "What's my name?"], "Your name is {n}.", name, "You have not told me your name."),
          "colour": (["My favourite colour is {c}.", "I like the colour {c}."], "{C} is a nice colour!", ["What is my favourite colour?", "Which colour do I like?"], "Your favourite colour is {c}.", colour, "You have not told me your favourite colour."),
          "city": (["I live in {t}.", "My home is in {t}.", "I am from {t}."], "{t} is a great city!", ["Where do I live?", "Which city do I live in?", "Where am I from?"], "You live in {t}.", city, "You have not told me where you live."),
          "pet": (["I have a {p} named {n}.", "My {p} is called {n}.", "I have a {p}. Its name is {n}."], "{n} is a lovely name!", ["What is my {p} called?", "What is the name of my {p}?"], "Your {p} is called {n}.", name, "You have not told me that."),
          "age": (["I am {a} years old.", "My age is {a}."], "{a} is a good age!", ["How old am I?", "What is my age?"], "You are {a} years old.", str(age), "You have not told me your age.")}
    zh = {"name": (["我叫{n}。", "我的名字是{n}。", "我是{n}。"], "很高兴认识你，{n}！", ["我叫什么名字？", "我是谁？", "你记得我的名字吗？"], "你叫{n}。", name, "你还没有告诉我你的名字。"),
          "colour": (["我最喜欢{c}。", "我喜欢的颜色是{c}。"], "{c}很好看！", ["我最喜欢什么颜色？", "我喜欢什么颜色？"], "你最喜欢{c}。", colour, "你还没有告诉我。"),
          "city": (["我住在{t}。", "我家在{t}。", "我来自{t}。"], "{t}是个好地方！", ["我住在哪里？", "我家在哪里？"], "你住在{t}。", city, "你还没有告诉我你住在哪里。"),
          "pet": (["我有一只{p}，叫{n}。", "我的{p}叫{n}。"], "{n}真是个好名字！", ["我的{p}叫什么？", "我的{p}叫什么名字？"], "你的{p}叫{n}。", name, "你还没有告诉我。"),
          "age": (["我今年{a}岁。", "我{a}岁了。"], "{a}岁真好！", ["我几岁了？", "我多大了？"], "你{a}岁。", str(age), "你还没有告诉我你的年龄。")}
    tell, react, ask, answer, value, unknown = (zh if w.zh else en)[kind]
    slots = dict(n=name, c=colour, C=cap(colour), t=city, p=creature[5] if w.zh else creature[0], a=age)
    known = w.rng.random() < 0.88
    messages = []
    between = w.pick([0, 0, 1, 1, 2])
    if known:
        messages += past(w, roughen(w, Turn(w.pick(tell).format(**slots), "", react.format(**slots), {})))
    else:
        between = max(between, 1)
    for _ in range(between):
        messages += past(w, one_turn(World(w.rng, w.zh, False), ["smalltalk", "capital", "colour", "addition", "opposite", "spell"])[1])
    text = answer.format(**slots) if known else unknown
    thought = (("用户说过。" if known else "用户没说过。") if w.zh else ("The user told me. " if known else "The user did not tell me.")) + (text if known else "")
    turn = Turn(w.pick(ask).format(**slots), thought, text, has(value if known else unknown))
    return finish(w, "memory", messages, roughen(w, turn))


def introduction(w: World) -> Chat:
    """The first half of `memory`: the user says something about themselves and the model answers to it."""
    chat = memory(w)
    while len(chat.messages) < 4 or "told" in chat.messages[-1]["content"] or chat.messages[0]["role"] != "user":
        chat = memory(w)
    user, reply = chat.messages[0]["content"], chat.messages[1]["content"]
    return finish(w, "introduction", [], Turn(user, "用户介绍自己。" if w.zh else "The user tells me something about themselves.", reply, has(reply)))


# ---------------------------------------------------------------- JSON

def json_chat(w: World) -> Chat:
    zh = w.zh
    name, age, city = a_name(w), w.rng.randrange(5, 95), w.pick(facts.CAPITALS)[3 if zh else 1]
    job, food, colour = w.pick(facts.JOBS)[zh], w.pick(facts.FOODS)[zh], w.pick(facts.PLAIN_COLOURS)[zh]
    creature = w.pick(facts.ANIMALS)
    pet, married = creature[5 if zh else 0], w.rng.random() < 0.5
    fields = {  # key: (type, value, clause)
        "age": ("integer", age, f"今年{age}岁" if zh else f"is {age} years old"),
        "city": ("string", city, f"住在{city}" if zh else f"lives in {city}"),
        "job": ("string", job, f"是一名{job}" if zh else f"works as a {job}"),
        "food": ("string", food, f"爱吃{food}" if zh else f"likes {food}"),
        "color": ("string", colour, f"喜欢{colour}" if zh else f"has a {colour} car"),
        "pet": ("string", pet, f"养了一只{pet}" if zh else f"has a {pet}"),
        "married": ("boolean", married, ("已婚" if married else "未婚") if zh else ("is married" if married else "is not married")),
    }
    told = w.rng.sample(list(fields), w.pick([1, 2, 2, 3]))
    clauses = [fields[key][2] for key in told]
    text = name + ("，".join(clauses) + "。" if zh else " " + ", ".join(clauses[:-1]) + (" and " if len(clauses) > 1 else "") + clauses[-1] + ".")
    wanted = ["name"] + w.rng.sample(told, w.rng.randrange(1, len(told) + 1))
    if w.rng.random() < 0.2:
        w.rng.shuffle(wanted)
    fields["name"] = ("string", name, "")
    value = {key: fields[key][1] for key in wanted}
    schema = {"type": "object", "properties": {key: {"type": fields[key][0]} for key in wanted}, "required": wanted}
    keys = ", ".join(wanted)
    style = w.pick(["schema", "schema", "keys"])
    if style == "schema":
        ask = w.pick(["请按照这个模式用JSON回答：", "只输出符合此模式的JSON："] if zh else ["Answer in JSON that matches this schema: ", "Reply only with JSON for this schema: ", "Respond with a JSON object that follows this schema: "]) + json.dumps(schema)
    else:
        ask = w.pick(["提取{}，用JSON回答。", "用JSON输出，键为{}。"] if zh else ["Extract {} as JSON.", "Answer in JSON with the keys {}.", "Return JSON with {}."]).format(keys)
    messages = []
    if w.rng.random() < 0.5:
        messages, user = [system(ask)], text
    else:
        user = f"{ask}\n{text}" if w.rng.random() < 0.6 else f"{text}\n{ask}"
    thought = ", ".join(f"{key}: {json.dumps(v, ensure_ascii=False)}" for key, v in value.items())
    return finish(w, "json", messages, Turn(user, thought, json.dumps(value, ensure_ascii=False), {"kind": "json", "value": value}))


# ---------------------------------------------------------------- tools

# (noun, in Chinese, kind of thing, value maker); the name of the tool is made from the noun
LOOKUPS = [
    ("temperature", "气温", "city", lambda w: w.rng.randrange(-9, 40)), ("population", "人口", "city", lambda w: w.rng.randrange(10, 999) * 1000), ("mayor", "市长", "city", lambda w: w.pick(facts.NAMES)),
    ("time", "时间", "city", lambda w: f"{w.rng.randrange(24):02}:{w.rng.randrange(60):02}"), ("humidity", "湿度", "city", lambda w: w.rng.randrange(10, 99)), ("area", "面积", "city", lambda w: w.rng.randrange(10, 999)),
    ("age", "年龄", "person", lambda w: w.rng.randrange(5, 90)), ("phone", "电话", "person", lambda w: str(w.rng.randrange(10000, 99999))), ("job", "职业", "person", lambda w: w.pick(facts.JOBS)[w.zh]),
    ("birthday", "生日", "person", lambda w: f"{w.rng.randrange(1, 13)}-{w.rng.randrange(1, 29)}"), ("email", "邮箱", "person", lambda w: f"{made_up(w)}@mail.com"), ("score", "分数", "person", lambda w: w.rng.randrange(100)),
    ("price", "价格", "item", lambda w: w.rng.randrange(1, 99)), ("stock", "库存", "item", lambda w: w.rng.randrange(500)), ("weight", "重量", "item", lambda w: w.rng.randrange(1, 99)), ("colour", "颜色", "item", lambda w: w.pick(facts.PLAIN_COLOURS)[w.zh]),
]
PARAMETERS = {"city": ["city", "location", "place"], "person": ["name", "person", "who"], "item": ["item", "product", "thing"]}
ITEMS = [("lamp", "灯"), ("chair", "椅子"), ("phone", "手机"), ("bike", "自行车"), ("book", "书"), ("table", "桌子"), ("shirt", "衬衫"), ("clock", "钟"), ("pen", "笔"), ("bag", "包"),
         ("hat", "帽子"), ("cup", "杯子"), ("door", "门"), ("sofa", "沙发"), ("camera", "相机"), ("radio", "收音机"), ("mirror", "镜子"), ("key", "钥匙"), ("coat", "外套"), ("guitar", "吉他"),
         ("carpet", "地毯"), ("umbrella", "雨伞"), ("pillow", "枕头"), ("spoon", "勺子"), ("ladder", "梯子"), ("candle", "蜡烛"), ("basket", "篮子"), ("bucket", "水桶"), ("hammer", "锤子"), ("kettle", "水壶")]
WEATHER = [("sunny", "晴天"), ("rainy", "下雨"), ("cloudy", "多云"), ("windy", "有风"), ("snowy", "下雪"), ("foggy", "有雾")]


def tool(name: str, description: str, parameters: dict[str, str]) -> dict:
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {"type": "object", "properties": properties, "required": list(parameters)}}}


def tool_name(w: World, verb_noun: str) -> str:
    verb = w.pick(["get", "get", "find", "check", "fetch", "lookup"])
    return w.pick([f"{verb}_{verb_noun}", f"{verb}_{verb_noun}", f"{verb}{cap(verb_noun)}", f"{verb_noun}_{verb}", verb_noun])


def entity(w: World, kind: str) -> str:
    """Something to ask a tool about; held out by name."""
    if kind == "city":
        row = w.choose("tool city", facts.CAPITALS)
        return row[3] if w.zh else row[1]
    if kind == "person":
        return a_name(w)
    item = w.choose("tool item", ITEMS)
    return item[1] if w.zh else item[0]


@dataclass
class Step:
    """One thing the assistant does in a tool chat: a call with its result, or the closing answer."""

    thought: str
    answer: str = ""
    call: tuple[str, dict] | None = None
    result: str = ""


def tool_chat(w: World, name: str, tools: list[dict], user: str, steps: list[Step], check: dict) -> Chat:
    """Cuts the chat at a random step, which becomes the one to produce."""
    w.rng.shuffle(tools)
    cut = w.rng.randrange(len(steps))
    mode = w.pick(MODES)
    thinks = mode in ("think", "/think")
    head = [system(w.pick(HELPFUL[w.zh]))] if w.rng.random() < 0.3 else []
    messages = head + [{"role": "user", "content": f"{user} {mode}" if mode.startswith("/") else user}]
    for i, step in enumerate(steps[: cut + 1]):
        message: dict = {"role": "assistant", "reasoning_content": step.thought if thinks else "", "content": step.answer}
        if step.call:
            call = {"name": step.call[0], "arguments": step.call[1]}
            message["tool_calls"] = [{"type": "function", "function": call}]
            expected = {"kind": "call", **call}
        else:
            expected = check
        messages.append(message)
        if i < cut:
            messages.append({"role": "tool", "content": step.result})
    skill = f"{name}_call" if steps[cut].call else f"{name}_answer"
    return Chat(skill, messages, tools, mode != "off", expected | {"thinks": thinks})


def lookup(w: World, spec=None) -> tuple[dict, str, str, Callable[[str], tuple[Step, str, str]]]:
    """A look-up tool: its definition, its noun in the language of the chat, the kind of thing it takes, and a maker of calls."""
    noun, noun_zh, kind, value_of = spec or w.pick(LOOKUPS)
    name, parameter = tool_name(w, noun), w.pick(PARAMETERS[kind])
    described = w.pick([f"Get the {noun} of a {kind}.", f"Returns the {noun} of a {kind}.", f"Look up the {noun}."])

    def call(what: str) -> tuple[Step, str, str]:
        value = value_of(w)
        thought = f"我用{name}查{what}的{noun_zh}。" if w.zh else f"I call {name} for {what}."
        result = json.dumps({noun: value}, ensure_ascii=False) if w.rng.random() < 0.7 else str(value)
        said = f"{what}的{noun_zh}是{value}" if w.zh else f"The {noun} of {'the ' if kind == 'item' else ''}{what} is {value}"
        return Step(thought, call=(name, {parameter: what}), result=result), said, str(value)

    return tool(name, described, {parameter: "string"}), noun_zh if w.zh else noun, kind, call


def done(w: World, said: str) -> Step:
    return Step("我有结果了。" if w.zh else "I have the result.", answer=said + ("。" if w.zh else "."))


def one_lookup(w: World) -> Chat:
    definition, noun, kind, call = lookup(w)
    tools = [definition]
    if w.rng.random() < 0.5:
        other = lookup(w)
        if other[1] != noun:
            tools.append(other[0])
    what = entity(w, kind)
    the = f"the {what}" if kind == "item" and not w.zh else what
    user = w.pick(["{x}的{n}是多少？", "查一下{x}的{n}。", "{x}的{n}？", "告诉我{x}的{n}。"] if w.zh else ["What is the {n} of {x}?", "Tell me the {n} of {x}.", "Look up the {n} of {x}.", "I need the {n} of {x}.", "Find the {n} of {x}.", "{n} of {x}?", "Can you check the {n} of {x}?"]).format(x=the, n=noun)
    step, said, value = call(what)
    return tool_chat(w, "tool", tools, cap(user), [step, done(w, said)], has(value))


def two_lookups(w: World) -> Chat:
    definition, noun, kind, call = lookup(w)
    a, b = entity(w, kind), entity(w, kind)
    while b == a:
        b = entity(w, kind)
    user = w.pick(["{a}和{b}的{n}分别是多少？", "查一下{a}和{b}的{n}。"] if w.zh else ["What is the {n} of {a} and of {b}?", "Tell me the {n} of {a} and {b}.", "Look up the {n} of {a} and {b}."]).format(a=a, b=b, n=noun)
    first, said_a, value_a = call(a)
    second, said_b, value_b = call(b)
    join = "，" if w.zh else ". "
    return tool_chat(w, "tool_two_step", [definition], user, [first, second, done(w, said_a + join + said_b)], has(value_a, value_b))


def chained(w: World) -> Chat:
    """Two tools: where a person lives, then something about that city."""
    spec = w.pick([x for x in LOOKUPS if x[2] == "city"])
    definition, noun, _, call = lookup(w, spec)
    finder, parameter = tool_name(w, "home"), w.pick(PARAMETERS["person"])
    person, city = entity(w, "person"), entity(w, "city")
    user = w.pick(["{p}住的城市{n}是多少？", "查一下{p}所在城市的{n}。"] if w.zh else ["What is the {n} where {p} lives?", "Tell me the {n} in the city of {p}.", "Find the {n} at the home of {p}."]).format(p=person, n=noun)
    thought = f"我先查{person}住在哪里。" if w.zh else f"First I find where {person} lives."
    first = Step(thought, call=(finder, {parameter: person}), result=json.dumps({"city": city}, ensure_ascii=False))
    second, said, value = call(city)
    second.thought = (f"{person}住在{city}。" if w.zh else f"{person} lives in {city}. ") + second.thought
    return tool_chat(w, "tool_two_step", [tool(finder, "Find the city where a person lives.", {parameter: "string"}), definition], user, [first, second, done(w, said)], has(value))


def weather(w: World) -> Chat:
    name, parameter, city = tool_name(w, "weather"), w.pick(PARAMETERS["city"]), entity(w, "city")
    sky, degrees = w.pick(WEATHER)[w.zh], w.rng.randrange(-9, 40)
    user = w.pick(["{}天气怎么样？", "{}的天气如何？", "查一下{}的天气。", "{}今天天气好吗？"] if w.zh else ["What is the weather in {}?", "How is the weather in {}?", "Weather in {}?", "What's the weather like in {}?", "Tell me the weather in {}.", "Is it nice in {} today?"]).format(city)
    result = json.dumps({"weather": sky, "temperature": degrees}, ensure_ascii=False)
    said = f"{city}现在{sky}，{degrees}度" if w.zh else f"It is {sky} in {city}, {degrees} degrees"
    tools = [tool(name, w.pick(["Get the weather of a city.", "Get the current weather.", "Returns the weather in a place."]), {parameter: "string"})]
    if w.rng.random() < 0.4:
        tools.append(lookup(w, w.pick([x for x in LOOKUPS if x[0] != "temperature"]))[0])
    step = Step(f"我用{name}查{city}的天气。" if w.zh else f"I call {name} for {city}.", call=(name, {parameter: city}), result=result)
    return tool_chat(w, "tool", tools, user, [step, done(w, said)], has(sky, str(degrees)))


def calculator(w: World) -> Chat:
    name, key = w.pick(["calculator", "calculate", "calc", "eval_math"]), w.pick(["expression", "expr", "formula"])
    a, b, op = w.rng.randrange(100, 10000), w.rng.randrange(10, 1000), w.pick("+-*")
    value = str({"+": a + b, "-": a - b, "*": a * b}[op])
    expression = f"{a} {op} {b}"
    user = w.pick(["{}等于多少？", "计算{}", "算一下{}。"] if w.zh else ["What is {}?", "Calculate {}.", "How much is {}?", "Compute {}"]).format(expression)
    step = Step("这个数很大，我用计算器。" if w.zh else "These numbers are big, I use the calculator.", call=(name, {key: expression}), result=value if w.rng.random() < 0.6 else json.dumps({"result": int(value)}))
    return tool_chat(w, "tool", [tool(name, w.pick(["Evaluate a mathematical expression.", "Calculates an expression."]), {key: "string"})], user, [step, done(w, f"{expression} = {value}")], has(value))


def command(w: World) -> Chat:
    """Tools with two parameters or a number: timers, messages, dice, lights."""
    kind = w.pick(["timer", "message", "dice", "light", "music"])
    person, minutes, room = a_name(w), w.rng.randrange(1, 60), w.pick([("kitchen", "厨房"), ("bedroom", "卧室"), ("garage", "车库"), ("garden", "花园"), ("office", "办公室")])[w.zh]
    phrase = "，".join(w.pick(facts.TRANSLATIONS)[1] for _ in range(2)) if w.zh else " ".join(w.pick(facts.TRANSLATIONS)[0] for _ in range(2))
    state, state_zh = w.pick([("on", "开"), ("off", "关")])
    definition, arguments, user, said = {
        "timer": (tool(w.pick(["set_timer", "start_timer", "timer"]), "Start a timer.", {"minutes": "integer"}), {"minutes": minutes},
                  w.pick(["设一个{m}分钟的计时器。", "{m}分钟后提醒我。"] if w.zh else ["Set a timer for {m} minutes.", "Start a {m} minute timer.", "Remind me in {m} minutes."]).format(m=minutes), f"计时器已设为{minutes}分钟" if w.zh else f"The timer is set for {minutes} minutes"),
        "message": (tool(w.pick(["send_message", "send_text", "message"]), "Send a message to a person.", {"to": "string", "text": "string"}), {"to": person, "text": phrase},
                    (f"给{person}发消息：{phrase}" if w.zh else w.pick([f"Send {person} the message: {phrase}", f"Write to {person}: {phrase}", f"Tell {person}: {phrase}"])), f"消息已发给{person}" if w.zh else f"I sent the message to {person}"),
        "dice": (tool(w.pick(["roll_dice", "roll", "dice"]), "Roll a die.", {"sides": "integer"}), {"sides": minutes + 3},
                 (f"掷一个{minutes + 3}面的骰子。" if w.zh else w.pick([f"Roll a die with {minutes + 3} sides.", f"Roll a {minutes + 3}-sided die."])), "掷好了" if w.zh else "I rolled the die"),
        "light": (tool(w.pick(["set_light", "switch_light", "light"]), "Switch a light on or off.", {"room": "string", "state": "string"}), {"room": room, "state": state},
                  (f"把{room}的灯{state_zh}了。" if w.zh else w.pick([f"Turn {state} the light in the {room}.", f"Switch the {room} light {state}."])), f"{room}的灯已{state_zh}" if w.zh else f"The light in the {room} is {state}"),
        "music": (tool(w.pick(["play_music", "play_song", "play"]), "Play a song.", {"title": "string"}), {"title": phrase},
                  (f"播放{phrase}。" if w.zh else w.pick([f"Play {phrase}.", f"Play the song {phrase}."])), f"正在播放{phrase}" if w.zh else f"Now playing {phrase}"),
    }[kind]
    name = definition["function"]["name"]
    result = "ok"
    if kind == "dice":
        roll = w.rng.randrange(1, minutes + 4)
        result, said = str(roll), f"{said}：{roll}" if w.zh else f"{said}: {roll}"
    tools = [definition]
    if w.rng.random() < 0.4:
        tools.append(lookup(w)[0])
    step = Step(f"我用{name}。" if w.zh else f"I call {name}.", call=(name, arguments), result=result)
    return tool_chat(w, "tool", tools, user, [step, done(w, said)], has(said.split("：")[-1].split(": ")[-1]))


def unneeded_tool(w: World) -> Chat:
    name, turn = one_turn(w, ["smalltalk", "capital", "colour", "opposite", "addition", "spell"])
    while turn.thought in ("I have no tool for this.", "我没有工具，不知道。"):
        name, turn = one_turn(w, ["smalltalk", "capital"])
    chat = finish(w, "tool_unneeded", [], turn, [lookup(w)[0]])
    return chat


KINDS: list[tuple[Callable[[World], Chat], float]] = [
    (plain, 62), (persona, 6), (named, 3.5), (ending_rule, 2.5), (memory, 5), (introduction, 1), (json_chat, 7),
    (one_lookup, 2.2), (two_lookups, 0.9), (chained, 0.9), (weather, 1.2), (calculator, 0.8), (command, 1.8), (unneeded_tool, 1),
]


def chats(seed: int, test: bool) -> Iterator[Chat]:
    """An endless row of chats; the same seed gives the same row."""
    rng = Random(seed)
    makers, weights = zip(*KINDS)
    while True:
        world = World(rng, rng.random() < 0.35, test)
        yield rng.choices(makers, weights)[0](world)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--test", action="store_true", help="held-out contents instead of training contents")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with open(args.out, "w", encoding="utf-8") as out:
        for _, chat in zip(range(args.chats), chats(args.seed, args.test)):
            out.write(json.dumps(asdict(chat), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
