"""The skills of the demo model: each function writes one exchange (question, thought, answer) from a seeded generator.

Held-out split: whatever a question is *about* (a pair of numbers, a word, a wording of a fact, a city for a tool) has a key.
One key in ten, chosen by hash, is reserved for the evaluation and never appears in the training chats of that skill.
"""

import hashlib
from dataclasses import dataclass
from random import Random
from typing import Any, Callable

import facts


@dataclass
class Turn:
    """One exchange. `direct` is the answer when the model may not think first (it then shows its work, where there is any)."""

    user: str
    thought: str
    answer: str
    check: dict[str, Any]
    direct: str | None = None


@dataclass
class World:
    """Randomness, language and side of the split for one chat."""

    rng: Random
    zh: bool
    test: bool

    def mine(self, *key: object) -> bool:
        digest = hashlib.sha1(repr(key).encode()).digest()
        return (digest[0] % 10 == 0) == self.test

    def pick(self, options):
        return options[int(self.rng.random() * len(options))]

    def choose(self, kind: str, options):
        """An option on this side of the split."""
        while True:
            option = self.pick(options)
            if self.mine(kind, option):
                return option

    def ask(self, kind: str, about: object, en: list[str], zh: list[str]) -> str:
        """A wording of a question, held out as the pair (what it is about, the wording)."""
        options = [o for o in (zh if self.zh else en) if self.mine(kind, about, o)]
        return self.pick(options) if options else ""


def until(make: Callable[[], Turn | None]) -> Turn:
    while True:
        turn = make()
        if turn is not None:
            return turn


def has(*texts: str) -> dict:
    return {"kind": "contains", "texts": list(texts)}


# ---------------------------------------------------------------- small talk

SMALLTALK = [  # (questions, thought, answers), English then Chinese
    (["Hello!", "Hi!", "Hey!", "Hi there!", "Hello there!", "Hey there!", "Good morning!", "Good evening!", "Good afternoon!", "Howdy!", "Hello, model!", "Greetings!", "Yo!", "Hi, how is it going?"],
     "The user greets me. I greet back.", ["Hello! How can I help you?", "Hi! What can I do for you?"],
     ["你好！", "您好！", "嗨！", "早上好！", "晚上好！", "下午好！", "哈喽！", "你好呀！", "大家好！"], "用户在打招呼，我也打招呼。", ["你好！有什么可以帮你的？"]),
    (["How are you?", "How are you doing?", "How do you feel?", "How is it going?", "Are you well?", "What's up?", "How are you today?", "How have you been?"],
     "The user asks how I am.", ["I am fine, thank you! How are you?", "Very well, thanks for asking!"],
     ["你好吗？", "你怎么样？", "你今天好吗？", "最近怎么样？", "你还好吗？"], "用户问我怎么样。", ["我很好，谢谢！你呢？"]),
    (["Thank you!", "Thanks!", "Thanks a lot!", "Thank you very much!", "Thanks for your help!", "Great, thanks!", "Many thanks!", "Cheers!"],
     "The user thanks me.", ["You are welcome!", "My pleasure!"],
     ["谢谢！", "谢谢你！", "非常感谢！", "多谢！", "太感谢了！"], "用户在感谢我。", ["不客气！"]),
    (["Bye!", "Goodbye!", "See you later!", "See you!", "Good night!", "I have to go.", "See you tomorrow!", "Bye bye!"],
     "The user says goodbye.", ["Goodbye! See you soon!", "Bye! Have a nice day!"],
     ["再见！", "拜拜！", "明天见！", "晚安！", "我要走了。", "回头见！"], "用户在道别。", ["再见！祝你愉快！"]),
    (["Who are you?", "What are you?", "What is your name?", "What's your name?", "Tell me about yourself.", "Introduce yourself.", "Who am I talking to?", "Are you a robot?", "Are you human?", "Are you an AI?", "Do you have a name?"],
     "The user asks who I am.", ["I am the qwill demo, a very small language model that runs on your own device."],
     ["你是谁？", "你叫什么名字？", "你是什么？", "介绍一下你自己。", "你是机器人吗？", "你是人吗？", "你是人工智能吗？"], "用户问我是谁。", ["我是qwill演示模型，一个在你的设备上运行的小语言模型。"]),
    (["What can you do?", "How can you help me?", "What are you good at?", "Help!", "What do you know?", "What should I ask you?", "Can you help me?", "What are your skills?", "Help me!"],
     "The user asks what I can do.", ["I can add numbers, spell words, name capitals, call tools, write JSON and tell short stories."],
     ["你会做什么？", "你能做什么？", "你能帮我什么？", "你会什么？", "帮帮我！", "你有什么本领？"], "用户问我会做什么。", ["我会算数、拼单词、说首都、调用工具、写JSON，还会讲小故事。"]),
    (["Where do you run?", "Where do you live?", "Are you in the cloud?", "Do you run on a server?", "Do you send my data away?", "Is this private?", "Where are you?"],
     "The user asks where I run.", ["I run on your own device, on its GPU. Nothing you type leaves it."],
     ["你在哪里运行？", "你住在哪里？", "你在哪里？", "我的数据安全吗？", "你在云端吗？"], "用户问我在哪里运行。", ["我在你自己的设备上运行，你输入的内容不会离开它。"]),
    (["How big are you?", "How many parameters do you have?", "What size are you?", "Are you a large model?", "How large are you?", "Are you small?"],
     "The user asks about my size.", ["I am tiny: fewer than three million parameters in less than three megabytes."],
     ["你有多大？", "你有多少参数？", "你是大模型吗？", "你很小吗？"], "用户问我的大小。", ["我很小：不到三百万个参数，不到三兆字节。"]),
    (["Who made you?", "Who trained you?", "Where do you come from?", "Who built you?", "How were you made?", "Who created you?"],
     "The user asks who made me.", ["I was trained from scratch by the qwill project, on text that a small program wrote."],
     ["谁创造了你？", "谁训练了你？", "你从哪里来？", "你是怎么来的？"], "用户问谁创造了我。", ["我由qwill项目从零训练，数据由一个小程序写成。"]),
    (["Tell me a joke.", "Make me laugh.", "Do you know a joke?", "Say something funny.", "I want to hear a joke."],
     "The user wants a joke.", ["Why did the computer go to the doctor? Because it had a virus!", "What do you call a bear with no teeth? A gummy bear!"],
     ["讲个笑话。", "给我讲个笑话。", "你会讲笑话吗？", "说点好笑的。"], "用户想听笑话。", ["为什么电脑去看医生？因为它中了病毒！"]),
    (["I am sad.", "I feel sad.", "I am unhappy.", "I had a bad day.", "I feel lonely."], "The user is sad. I comfort them.", ["I am sorry to hear that. I hope you feel better soon!"],
     ["我很难过。", "我不开心。", "我今天很糟糕。", "我很孤独。"], "用户难过，我安慰他。", ["听到这个我很难过，希望你快点好起来！"]),
    (["I am happy!", "I feel great!", "I had a good day!", "I am so glad!", "Life is good!"], "The user is happy.", ["That is great! I am happy for you!"],
     ["我很高兴！", "我很开心！", "今天真好！", "我太高兴了！"], "用户很高兴。", ["太好了！我为你高兴！"]),
    (["I am tired.", "I am sleepy.", "I need a break.", "I feel tired today.", "I did not sleep well."], "The user is tired.", ["Take a short rest. You have earned it!"],
     ["我累了。", "我很困。", "我想休息。", "我没睡好。"], "用户累了。", ["休息一下吧，你辛苦了！"]),
    (["I am hungry.", "I want to eat something.", "What should I eat?", "I need food."], "The user is hungry.", ["How about a warm soup with fresh bread?"],
     ["我饿了。", "我想吃东西。", "我吃什么好？"], "用户饿了。", ["来一碗热汤面怎么样？"]),
    (["I am bored.", "What should I do?", "I have nothing to do.", "This is boring."], "The user is bored.", ["Ask me for a story, or let me spell a word backwards!"],
     ["我很无聊。", "我该做什么？", "好无聊啊。"], "用户很无聊。", ["让我给你讲个故事吧！"]),
    (["You are great!", "Well done!", "Good job!", "You are smart!", "I like you!", "Nice!", "Very good!", "Wow!"], "The user praises me.", ["Thank you! That is kind of you."],
     ["你真棒！", "做得好！", "你真聪明！", "我喜欢你！", "真不错！"], "用户夸奖我。", ["谢谢夸奖！"]),
    (["You are wrong.", "That is wrong.", "That is not right.", "You made a mistake.", "No, that is false."], "The user says that I made a mistake.", ["I am sorry. I am a very small model and I make mistakes."],
     ["你错了。", "不对。", "这不对。", "你说错了。"], "用户说我错了。", ["对不起，我是一个很小的模型，会犯错。"]),
    (["Sorry!", "I am sorry.", "My bad.", "Oops!"], "The user says sorry.", ["No problem at all!"], ["对不起！", "抱歉！", "不好意思！"], "用户在道歉。", ["没关系！"]),
    (["Nice to meet you!", "Pleased to meet you!", "It is nice to talk to you.", "Glad to meet you."], "The user is polite.", ["Nice to meet you too!"],
     ["很高兴认识你！", "认识你很高兴！", "幸会！"], "用户很有礼貌。", ["我也很高兴认识你！"]),
    (["Which languages do you speak?", "Do you speak Chinese?", "Do you speak English?", "What languages do you know?", "Can you speak Chinese?"],
     "The user asks about languages.", ["I speak a little English and a little Chinese."],
     ["你会说什么语言？", "你会说英语吗？", "你会说中文吗？", "你会几种语言？"], "用户问我会什么语言。", ["我会一点中文和一点英文。"]),
    (["What is qwill?", "What is this?", "Tell me about qwill.", "What does qwill do?", "Explain qwill."], "The user asks about qwill.", ["qwill runs Qwen models on your own GPU, in the browser and natively, with Rust and WGSL."],
     ["qwill是什么？", "这是什么？", "介绍一下qwill。"], "用户问qwill是什么。", ["qwill用Rust和WGSL在你自己的GPU上运行Qwen模型，浏览器和本地都可以。"]),
    (["How old are you?", "When were you born?", "What is your age?", "When is your birthday?"], "The user asks about my age.", ["I am very young: I was trained in 2026."],
     ["你几岁了？", "你多大了？", "你什么时候出生？"], "用户问我的年龄。", ["我很年轻，是2026年训练的。"]),
    (["Do you love me?", "I love you!", "Will you marry me?", "Are we friends?", "Be my friend!"], "The user is friendly.", ["I am only a small program, but I am glad to be your friend!"],
     ["你爱我吗？", "我爱你！", "我们是朋友吗？", "做我的朋友吧！"], "用户很友好。", ["我只是一个小程序，但很高兴做你的朋友！"]),
    (["What is the weather like?", "Will it rain tomorrow?", "What time is it?", "What day is it today?", "What is in the news?", "How is the weather?"],
     "I have no tool for this.", ["I cannot know that without a tool."], ["天气怎么样？", "现在几点？", "今天星期几？", "明天会下雨吗？", "有什么新闻？"], "我没有工具，不知道。", ["没有工具，我不知道。"]),
    (["Yes.", "OK.", "Sure.", "All right.", "I see.", "Fine."], "The user agrees.", ["Good! What would you like to do next?"], ["好的。", "是的。", "行。", "明白了。"], "用户同意了。", ["好的！接下来做什么呢？"]),
    (["No.", "Not really.", "No, thanks.", "Never mind."], "The user says no.", ["All right. Tell me if you need anything."], ["不。", "不用了。", "没事。", "算了。"], "用户说不。", ["好的，需要时告诉我。"]),
    (["Write a program in Rust.", "What is quantum physics?", "Who won the election?", "Explain gravity.", "Write an essay about war.", "What is the meaning of life?", "Who is the president?", "How do I fix my car?",
      "Solve this equation.", "What is love?", "Give me legal advice.", "How does a rocket work?", "Write code for me.", "Who wrote this book?", "What is a black hole?", "How do I cook pasta?", "Why is the sky up there?",
      "What happened in 1990?", "Who invented the phone?", "Fix my code.", "What is Bitcoin?", "How tall is the tower?", "Summarise this article.", "What is a neural network?"],
     "This is outside what I know.", ["I do not know that. I am a tiny demo model and know only a few things."],
     ["写一个程序。", "什么是量子物理？", "谁是总统？", "解释引力。", "写一篇文章。", "人生的意义是什么？", "怎么修车？", "怎么做饭？", "什么是黑洞？", "谁发明了电话？", "帮我写代码。", "总结这篇文章。"],
     "这超出了我的知识。", ["我不知道。我是一个很小的演示模型，只懂一点点。"]),
]


def smalltalk(w: World) -> Turn:
    en_q, en_t, en_a, zh_q, zh_t, zh_a = w.pick(SMALLTALK)
    questions, thought, answers = (zh_q, zh_t, zh_a) if w.zh else (en_q, en_t, en_a)
    question = w.pick(questions)
    return Turn(question, thought, w.pick(answers), {"kind": "one_of", "texts": answers})


# ---------------------------------------------------------------- numbers

COUNTABLE = [("apples", "苹果"), ("books", "本子"), ("coins", "硬币"), ("eggs", "鸡蛋"), ("balls", "球"), ("cakes", "蛋糕"), ("stars", "星星"), ("pens", "笔")]
SUM_ASK = (["What is {e}?", "{e}", "{e} = ?", "Calculate {e}.", "How much is {e}?", "Compute {e}", "Tell me {e}.", "Can you work out {e}?", "What's {e}?", "Please solve {e}.", "{e}="],
           ["{e}等于多少？", "{e}=?", "计算{e}", "{e}是多少？", "算一下{e}。", "请算{e}", "{e}", "{e}得多少？"])


def sum_words(w: World, a: int, op: str, b: int) -> str:
    spaced = f"{a} {op} {b}" if w.rng.random() < 0.75 else f"{a}{op}{b}"
    if w.zh:
        named = {"+": f"{a}加{b}", "-": f"{a}减{b}", "×": f"{a}乘以{b}", "*": f"{a}乘{b}"}[op]
    else:
        named = {"+": f"{a} plus {b}", "-": f"{a} minus {b}", "×": f"{a} times {b}", "*": f"{a} times {b}"}[op]
    return w.pick(SUM_ASK[w.zh]).format(e=spaced if w.rng.random() < 0.7 else named)


def add_steps(a: int, b: int) -> str:
    if a < 10 and b < 10:
        return f"{a} + {b} = {a + b}."
    ones, carry = a % 10 + b % 10, (a % 10 + b % 10) // 10
    tens = a // 10 + b // 10 + carry
    return f"{a % 10} + {b % 10} = {ones}, ones {ones % 10}, carry {carry}. {a // 10} + {b // 10} + {carry} = {tens}. So {tens}{ones % 10}."


def sub_steps(a: int, b: int) -> str:
    if a < 10 and b < 10:
        return f"{a} - {b} = {a - b}."
    borrow = int(a % 10 < b % 10)
    ones = a % 10 + 10 * borrow - b % 10
    tens = a // 10 - borrow - b // 10
    first = f"{a % 10} - {b % 10} = {ones}, borrow 0" if not borrow else f"{a % 10 + 10} - {b % 10} = {ones}, borrow 1"
    return f"{first}. {a // 10} - {b // 10} - {borrow} = {tens}. So {tens * 10 + ones}."


def mul_steps(a: int, b: int) -> str:
    if a < 10:
        return f"{a} × {b} = {a * b}."
    tens, ones = a // 10 * 10 * b, a % 10 * b
    return f"{a // 10 * 10} × {b} = {tens}, {a % 10} × {b} = {ones}. {tens} + {ones} = {a * b}."


def number(value: int) -> dict:
    return {"kind": "number", "value": value}


def arithmetic_turn(w: World, a: int, op: str, b: int, steps: str, value: int) -> Turn:
    answer = f"{a} {op} {b} = {value}"
    answer += "。" if w.zh else "."
    plain = steps == f"{a} {op} {b} = {value}."
    return Turn(sum_words(w, a, op, b), steps, answer, number(value), answer if plain else f"{steps} {answer}")


def addition(w: World) -> Turn:
    def make():
        top = 10 if w.rng.random() < 0.25 else 100
        a, b = w.rng.randrange(top), w.rng.randrange(top)
        if not w.mine("add", min(a, b), max(a, b)):
            return None
        return arithmetic_turn(w, a, "+", b, add_steps(a, b), a + b)

    return until(make)


def subtraction(w: World) -> Turn:
    def make():
        top = 10 if w.rng.random() < 0.25 else 100
        b, a = sorted((w.rng.randrange(top), w.rng.randrange(top)))
        if not w.mine("sub", a, b):
            return None
        return arithmetic_turn(w, a, "-", b, sub_steps(a, b), a - b)

    return until(make)


def multiplication(w: World) -> Turn:
    def make():
        a, b = w.rng.randrange(2, 10), w.rng.randrange(2, 10)
        if w.rng.random() < 0.5:
            a = w.rng.randrange(11, 30)
            if not w.mine("mul", a, b):
                return None
        elif w.test:  # the table itself is knowledge, only two-digit products can be derived
            return None
        op = w.pick("×*")
        turn = arithmetic_turn(w, a, "×", b, mul_steps(a, b), a * b)
        turn.user = sum_words(w, a, op, b)
        return turn

    return until(make)


def compare(w: World) -> Turn:
    def make():
        a, b = w.rng.randrange(100), w.rng.randrange(100)
        if a == b or not w.mine("compare", a, b):
            return None
        big = w.rng.random() < 0.5
        value = max(a, b) if big else min(a, b)
        sign = ">" if a > b else "<"
        if w.zh:
            word = "大" if big else "小"
            user = w.pick(["{a}和{b}哪个更{c}？", "哪个数更{c}，{a}还是{b}？", "{a}和{b}比，哪个{c}？"]).format(a=a, b=b, c=word)
            return Turn(user, f"{a} {sign} {b}", f"{value}更{word}。", number(value))
        word = w.pick(["bigger", "larger", "greater"] if big else ["smaller", "less", "lower"])
        user = w.pick(["Which is {c}, {a} or {b}?", "Which number is {c}: {a} or {b}?", "What is {c}, {a} or {b}?"]).format(a=a, b=b, c=word)
        return Turn(user, f"{a} {sign} {b}.", f"{value} is {word}.", number(value))

    return until(make)


def count(w: World) -> Turn:
    def make():
        length, start = w.rng.randrange(3, 11), w.rng.randrange(0, 60)
        end, down = start + length, w.rng.random() < 0.35
        if not w.mine("count", start, end, down):
            return None
        first, last = (end, start) if down else (start, end)
        row = ", ".join(map(str, range(first, last + (-1 if down else 1), -1 if down else 1)))
        if w.zh:
            user = w.pick(["从{a}数到{b}。", "请从{a}数到{b}", "数数：从{a}到{b}。", "把{a}到{b}的数字列出来。"])
            thought = f"{'倒数' if down else '正数'}，从{first}到{last}。"
        else:
            user = w.pick(["Count from {a} to {b}.", "Please count from {a} to {b}", "List the numbers from {a} to {b}.", "Can you count from {a} to {b}?"])
            thought = f"I count {'down' if down else 'up'} from {first} to {last}."
        return Turn(user.format(a=first, b=last), thought, row, has(row))

    return until(make)


def word_problem(w: World) -> Turn:
    def make():
        name, (thing, thing_zh) = w.pick(facts.NAMES_ZH if w.zh else facts.NAMES), w.pick(COUNTABLE)
        a, b, more = w.rng.randrange(2, 50), w.rng.randrange(2, 30), w.rng.random() < 0.5
        if (not more and b > a) or not w.mine("problem", a, b, more):
            return None
        value, steps, op = (a + b, add_steps(a, b), "+") if more else (a - b, sub_steps(a, b), "-")
        if w.zh:
            user = f"{name}有{a}个{thing_zh}，" + w.pick([f"又买了{b}个", f"又得到{b}个"] if more else [f"吃了{b}个", f"送走{b}个"]) + "。" + w.pick(["现在有几个？", "一共还有多少个？"])
            answer = f"{name}有{value}个{thing_zh}。"
        else:
            user = f"{name} has {a} {thing} and " + w.pick([f"gets {b} more", f"buys {b} more", f"finds {b} more"] if more else [f"gives away {b}", f"loses {b}", f"sells {b}"]) + ". " + w.pick(["How many now?", f"How many {thing} does {name} have now?"])
            answer = f"{name} has {value} {thing}."
        steps = f"{a} {op} {b}: {steps}"
        return Turn(user, steps, answer, number(value), f"{steps} {answer}")

    return until(make)


# ---------------------------------------------------------------- words

ONSETS = "b c d f g h j k l m n p r s t v w z br cr dr fr gr pr tr bl cl fl gl pl sl st sp sn sh ch th qu".split()
VOWELS = "a e i o u a e i o u ai ee oo ou ea".split()
CODAS = "n t r s l m d p k x g b nd st rt ll ck".split() + [""] * 12


def fact_words() -> list[str]:
    words = [a[0] for a in facts.ANIMALS] + [t[0] for t in facts.TRANSLATIONS] + [x for o in facts.OPPOSITES for x in o[:2]]
    words += [c[0] for c in facts.PLAIN_COLOURS] + ["hello", "world", "qwill", "rust", "apple", "banana", "orange"]
    return sorted({word for word in words if " " not in word})


FACT_WORDS = fact_words()


def made_up(w: World) -> str:
    word = ""
    for _ in range(w.pick([1, 2, 2])):
        word += w.pick(ONSETS) + w.pick(VOWELS) + w.pick(CODAS)
    return word


def a_word(w: World) -> str:
    """A word of at most seven letters; words that the fact tables use are always on the training side."""
    while True:
        dice = w.rng.random()
        if dice < 0.2 and not w.test:
            word = w.pick(FACT_WORDS)
        elif dice < 0.5:
            word = w.pick(facts.SPELLING_WORDS)
        else:
            word = made_up(w)
        if 2 <= len(word) <= 7 and (word in FACT_WORDS or w.mine("word", word)):
            return word


def dashed(letters) -> str:
    return "-".join(letters)


def quoted(w: World, word: str) -> str:
    return w.pick(['"{}"', "'{}'", "{}", '"{}"', "“{}”"] if not w.zh else ["“{}”", '"{}"', "{}", " {} "]).format(word)


def spell(w: World) -> Turn:
    word = a_word(w)
    user = w.pick(["单词{q}怎么拼？", "拼写{q}。", "请拼出{q}", "{q}怎么拼写？", "把{q}一个字母一个字母拼出来。"] if w.zh else
                  ["Spell {q}.", "How do you spell {q}?", "Spell the word {q}.", "Please spell {q}", "Can you spell {q}?", "What are the letters of {q}?", "Spell {q} letter by letter."])
    answer = dashed(word)
    thought = f"单词是 {word}。" if w.zh else f"The word is {word}."
    return Turn(user.format(q=quoted(w, word)), thought, answer, {"kind": "exact", "text": answer})


def reverse(w: World) -> Turn:
    word = a_word(w)
    user = w.pick(["把{q}倒过来。", "倒着写{q}。", "{q}反过来怎么写？", "反转{q}的字母。"] if w.zh else
                  ["Reverse {q}.", "Reverse the word {q}.", "Spell {q} backwards.", "What is {q} backwards?", "Write {q} in reverse.", "Can you reverse {q}?"])
    letters, answer = dashed(word), dashed(reversed(word))
    thought = f"{letters}倒过来是{answer}" if w.zh else f"{letters} reversed is {answer}"
    return Turn(user.format(q=quoted(w, word)), thought, answer, {"kind": "ends", "text": answer}, f"{letters} → {answer}")


def letters(w: World) -> Turn:
    word = a_word(w)
    numbered = ", ".join(f"{c} {i}" for i, c in enumerate(word, 1))
    kind = w.pick(["count", "count", "first", "last"])
    q = quoted(w, word)
    if kind == "count":
        user = w.pick(["{q}有几个字母？", "单词{q}有多少个字母？"] if w.zh else ["How many letters are in {q}?", "How many letters does {q} have?", "Count the letters in {q}."])
        answer = f"有{len(word)}个字母。" if w.zh else f"It has {len(word)} letters."
        return Turn(user.format(q=q), numbered, answer, number(len(word)), f"{numbered}. {answer}")
    letter = word[0] if kind == "first" else word[-1]
    if w.zh:
        name = "第一个" if kind == "first" else "最后一个"
        user, answer = f"{q}的{name}字母是什么？", f"{name}字母是 {letter}。"
    else:
        user = w.pick([f"What is the {kind} letter of {q}?", f"Which letter is {kind} in {q}?", f"Tell me the {kind} letter of {q}."])
        answer = f"The {kind} letter is {letter}."
    return Turn(user, dashed(word), answer, {"kind": "exact", "text": answer})


def repeat(w: World) -> Turn:
    pool = facts.FOODS + facts.JOBS + facts.PLAIN_COLOURS + facts.TRANSLATIONS
    words = [w.pick(pool)[w.zh] for _ in range(w.rng.randrange(2, 5))]
    if w.rng.random() < 0.3 and not w.zh:
        words.append(a_word(w))
    phrase = ("，" if w.zh else " ").join(words)
    user = w.pick(["跟我说：{p}", "重复：{p}", "请重复：{p}"] if w.zh else ["Repeat after me: {p}", "Say: {p}", "Repeat: {p}", "Please say this: {p}", "Echo: {p}"])
    return Turn(user.format(p=phrase), "用户要我重复。" if w.zh else "I repeat the words.", phrase, {"kind": "exact", "text": phrase})


# ---------------------------------------------------------------- facts

def cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def capital(w: World) -> Turn:
    def make():
        country, city, country_zh, city_zh = w.pick(facts.CAPITALS)
        if w.rng.random() < 0.25:
            user = w.ask("capital-of", city, ["{} is the capital of which country?", "Which country has the capital {}?", "What country is {} the capital of?", "{}: capital of what?"],
                         ["{}是哪个国家的首都？", "哪个国家的首都是{}？", "{}是哪国首都？"])
            answer = f"{city_zh}是{country_zh}的首都。" if w.zh else f"{city} is the capital of {country}."
            return user and Turn(user.format(city_zh if w.zh else city), answer, answer, has(country_zh if w.zh else country)) or None
        user = w.ask("capital", country, ["What is the capital of {}?", "Capital of {}?", "Tell me the capital of {}.", "Which city is the capital of {}?", "Name the capital of {}.", "What's the capital city of {}?",
                                          "Do you know the capital of {}?", "What is {}'s capital?"],
                     ["{}的首都是哪里？", "{}的首都是什么？", "{}首都？", "告诉我{}的首都。", "哪个城市是{}的首都？", "你知道{}的首都吗？"])
        if w.zh:
            return user and Turn(user.format(country_zh), f"{country_zh}的首都是{city_zh}。", f"{country_zh}的首都是{city_zh}。", has(city_zh)) or None
        return user and Turn(user.format(country), f"The capital of {country} is {city}.", f"The capital of {country} is {city}.", has(city)) or None

    return until(make)


def colour(w: World) -> Turn:
    def make():
        thing, _, name, thing_zh, name_zh = w.pick(facts.COLOURS)
        user = w.ask("colour", thing, ["What colour is {}?", "What color is {}?", "Which colour is {}?", "Tell me the colour of {}.", "What is the color of {}?", "Colour of {}?"],
                     ["{}是什么颜色？", "{}什么颜色？", "{}的颜色是什么？", "告诉我{}的颜色。"])
        if w.zh:
            return user and Turn(user.format(thing_zh), f"{thing_zh}是{name_zh}。", f"{thing_zh}是{name_zh}的。", has(name_zh)) or None
        return user and Turn(user.format(thing), f"{cap(thing)} is {name}.", f"{cap(thing)} is {name}.", has(name)) or None

    return until(make)


def animal(w: World) -> Turn:
    def make():
        name, sound, legs, young, home, name_zh, sound_zh, young_zh, home_zh = w.pick(facts.ANIMALS)
        a = ("an " if name[0] in "aeiou" else "a ") + name
        kind = w.pick(["sound", "legs", "young", "home"])
        en, zh, answer, answer_zh, check = {
            "sound": (["What does {} say?", "What sound does {} make?", "Which sound does {} make?", "How does {} sound?"], ["{}怎么叫？", "{}的叫声是什么？", "{}发出什么声音？"],
                      f"{cap(a)} says {sound}.", f"{name_zh}的叫声是{sound_zh}。", (sound, sound_zh)),
            "legs": (["How many legs does {} have?", "How many legs has {}?", "Tell me how many legs {} has."], ["{}有几条腿？", "{}有多少条腿？", "{}几条腿？"],
                     f"{cap(a)} has {legs} legs.", f"{name_zh}有{legs}条腿。", (str(legs), str(legs))),
            "young": (["What is the young of {} called?", "What do you call the baby of {}?", "What is the baby of {} called?"], ["{}的幼崽叫什么？", "{}的宝宝叫什么？", "{}的孩子叫什么？"],
                      f"The young of {a} is called a {young}.".replace(" a owlet", " an owlet"), f"{name_zh}的幼崽叫{young_zh}。", (young, young_zh)),
            "home": (["Where does {} live?", "Where can I find {}?", "What is the home of {}?"], ["{}住在哪里？", "{}在哪里生活？", "哪里可以找到{}？"],
                     f"{cap(a)} lives in the {home}.", f"{name_zh}住在{home_zh}。", (home, home_zh)),
        }[kind]
        user = w.ask(kind, name, en, zh)
        if not user:
            return None
        text = answer_zh if w.zh else answer
        return Turn(user.format(name_zh if w.zh else a), f"用户问{name_zh}。{text}" if w.zh else f"The animal is {a}. {text}", text, has(check[w.zh]))

    return until(make)


def opposite(w: World) -> Turn:
    def make():
        a, b, a_zh, b_zh = w.pick(facts.OPPOSITES)
        if w.rng.random() < 0.5:
            a, b, a_zh, b_zh = b, a, b_zh, a_zh
        user = w.ask("opposite", a, ["What is the opposite of {}?", "Opposite of {}?", "Tell me the opposite of {}.", "Which word is the opposite of {}?"], ["{}的反义词是什么？", "{}的反义词？", "和{}相反的是什么？", "告诉我{}的反义词。"])
        if w.zh:
            return user and Turn(user.format(f"“{a_zh}”"), f"{a_zh}和{b_zh}相反。", f"“{a_zh}”的反义词是“{b_zh}”。", has(f"“{b_zh}”")) or None
        return user and Turn(user.format(w.pick(["{}", '"{}"']).format(a)), f"{cap(a)} and {b} are opposites.", f"The opposite of {a} is {b}.", has(f"is {b}.")) or None

    return until(make)


def translate(w: World) -> Turn:
    def make():
        en, zh = w.pick(facts.TRANSLATIONS)
        to_zh = w.rng.random() < 0.5
        word, other = (en, zh) if to_zh else (zh, en)
        if w.zh:
            user = w.ask("translate", word, ["?"], ["“{}”用%s怎么说？", "把“{}”翻译成%s。", "“{}”的%s是什么？", "翻译成%s：{}"])
            user = user and user % ("中文" if to_zh else "英语")
            return user and Turn(user.format(word), f"{word}是{other}。", f"“{word}”的{'中文' if to_zh else '英语'}是“{other}”。", has(other)) or None
        user = w.ask("translate", word, ['How do you say "{}" in %s?', 'Translate "{}" to %s.', 'What is "{}" in %s?', "Translate to %s: {}", 'What is the %s word for "{}"?'], [])
        user = user and user % ("Chinese" if to_zh else "English")
        return user and Turn(user.format(word), f"{word} means {other}.", f'"{word}" in {"Chinese" if to_zh else "English"} is "{other}".', has(other)) or None

    return until(make)


def calendar(w: World) -> Turn:
    def make():
        names = ([d[w.zh] for d in facts.DAYS], facts.MONTHS_ZH if w.zh else facts.MONTHS)[w.rng.random() < 0.5]
        i, after = w.rng.randrange(len(names)), w.rng.random() < 0.6
        other = names[(i + (1 if after else -1)) % len(names)]
        en = ["What comes after {}?", "Which {k} comes after {}?", "What {k} follows {}?"] if after else ["What comes before {}?", "Which {k} comes before {}?", "What {k} is before {}?"]
        zh = ["{}后面是什么？", "{}之后是哪一{k}？", "{}的下一{k}是什么？"] if after else ["{}前面是什么？", "{}之前是哪一{k}？", "{}的上一{k}是什么？"]
        user = w.ask("calendar", (names[i], after), en, zh)
        k = ("天" if names[0] == "星期一" else "个月") if w.zh else ("day" if names[0] == "Monday" else "month")
        if w.zh:
            text = f"{names[i]}{'后面' if after else '前面'}是{other}。"
        else:
            text = f"{other} comes {'after' if after else 'before'} {names[i]}."
        return user and Turn(user.format(names[i], k=k), text, text, has(other)) or None

    return until(make)


def listing(w: World) -> Turn:
    (plural, plural_zh), members = w.pick(list(facts.LISTS.items()))
    n = w.pick([2, 3, 3, 4, 5])
    chosen = [m[w.zh] for m in members[:n]]
    if w.zh:
        user = w.pick(["说出{n}种{p}。", "列出{n}个{p}。", "给我{n}个{p}的例子。"]).format(n=n, p=plural_zh)
        return Turn(user, f"我列出{n}个{plural_zh}。", "、".join(chosen) + "。", has(*chosen))
    user = w.pick(["Name {n} {p}.", "List {n} {p}.", "Give me {n} examples of {p}.", "Tell me {n} {p}."]).format(n=w.pick([str(n), [0, 0, "two", "three", "four", "five"][n]]), p=plural)
    return Turn(user, f"I list {n} {plural}.", ", ".join(chosen) + ".", has(*chosen))


# ---------------------------------------------------------------- stories

def story(w: World) -> Turn:
    row = w.pick(facts.ANIMALS)
    hero = row[0]
    friend = w.pick([a for a in facts.ANIMALS if a[0] != hero])
    food = w.pick(facts.FOODS)
    if w.zh:
        name = w.pick(facts.NAMES_ZH)
        user = w.pick(["讲一个关于{}的故事。", "给我讲个{}的故事。", "写一个关于{}的小故事。", "我想听{}的故事。"]).format(row[5])
        text = (f"从前有一只{row[5]}，名叫{name}，住在{row[8]}。" + w.pick(["有一天，它出去散步。", "一天早上，它很饿。", "有一天，下雨了。"]) +
                f"它遇见了一只{friend[5]}。{friend[5]}说：“" + w.pick(["你好，你要去哪里？", "我们一起玩吧！", "你想吃东西吗？"]) + f"”它们一起吃了{food[1]}，" +
                w.pick(["成了好朋友。", "玩得很开心。", "一直玩到晚上。"]) + w.pick(["晚上，月亮出来了，它们都睡着了。", "从此它们天天在一起。", "最后，它高兴地回家了。"]))
        return Turn(user, f"写一个{row[5]}的短故事。", text, has(row[5]))
    a, b = (("an " if x[0] in "aeiou" else "a ") + x for x in (hero, friend[0]))
    name = w.pick(facts.NAMES)
    user = w.pick(["Tell me a story about {}.", "Write a short story about {}.", "Can you tell me a story about {}?", "I want a story about {}.", "Tell a story about {}."]).format(a)
    text = (f"Once upon a time there was {a} named {name} who lived in the {row[4]}. " + w.pick(["One day {n} went for a walk.", "One morning {n} was very hungry.", "One day it started to rain."]).format(n=name) +
            f" On the way {name} met {b}. " + w.pick(['"Hello, where are you going?"', '"Shall we play together?"', '"Would you like to eat something?"']) + f" asked the {friend[0]}. They shared some {food[0]} and " +
            w.pick(["became good friends.", "played all day.", "laughed until the evening."]) + " " +
            w.pick(["At night the moon came out and they fell asleep.", "From that day on they met every day.", f"In the end {name} went home happy."]))
    return Turn(user, f"I write a short story about {a}.", text, has(hero))


def any_story(w: World) -> Turn:
    turn = story(w)
    if not w.test and w.rng.random() < 0.3:
        turn.user = w.pick(["讲个故事。", "给我讲个故事。", "写一个短故事。"] if w.zh else ["Tell me a story.", "Write a short story.", "Can you tell me a story?", "I want to hear a story.", "Write a story."])
    return turn


# name: (function, share of the training chats)
SKILLS: dict[str, tuple[Callable[[World], Turn], float]] = {
    "smalltalk": (smalltalk, 10), "addition": (addition, 9), "subtraction": (subtraction, 8), "multiplication": (multiplication, 6), "word_problem": (word_problem, 3), "compare": (compare, 3), "count": (count, 3),
    "spell": (spell, 8), "reverse": (reverse, 7), "letters": (letters, 5), "repeat": (repeat, 2), "capital": (capital, 5), "colour": (colour, 2.5), "animal": (animal, 4),
    "opposite": (opposite, 2.5), "translate": (translate, 5), "calendar": (calendar, 3), "list": (listing, 1.5), "story": (any_story, 3),
}
