"""The fixed tables that the demo model is taught: everything it "knows" is on this page.

Each table is a list of rows holding an English and a Chinese spelling, so that one row serves both languages.
"""

# (country, capital, country in Chinese, capital in Chinese)
CAPITALS = [
    ("France", "Paris", "法国", "巴黎"), ("Germany", "Berlin", "德国", "柏林"), ("Italy", "Rome", "意大利", "罗马"),
    ("Spain", "Madrid", "西班牙", "马德里"), ("Portugal", "Lisbon", "葡萄牙", "里斯本"), ("Austria", "Vienna", "奥地利", "维也纳"),
    ("Poland", "Warsaw", "波兰", "华沙"), ("Greece", "Athens", "希腊", "雅典"), ("Norway", "Oslo", "挪威", "奥斯陆"),
    ("Sweden", "Stockholm", "瑞典", "斯德哥尔摩"), ("Finland", "Helsinki", "芬兰", "赫尔辛基"), ("Denmark", "Copenhagen", "丹麦", "哥本哈根"),
    ("Ireland", "Dublin", "爱尔兰", "都柏林"), ("the United Kingdom", "London", "英国", "伦敦"), ("Russia", "Moscow", "俄罗斯", "莫斯科"),
    ("China", "Beijing", "中国", "北京"), ("Japan", "Tokyo", "日本", "东京"), ("South Korea", "Seoul", "韩国", "首尔"),
    ("India", "New Delhi", "印度", "新德里"), ("Thailand", "Bangkok", "泰国", "曼谷"), ("Vietnam", "Hanoi", "越南", "河内"),
    ("Egypt", "Cairo", "埃及", "开罗"), ("Kenya", "Nairobi", "肯尼亚", "内罗毕"), ("the United States", "Washington", "美国", "华盛顿"),
    ("Canada", "Ottawa", "加拿大", "渥太华"), ("Mexico", "Mexico City", "墨西哥", "墨西哥城"), ("Cuba", "Havana", "古巴", "哈瓦那"),
    ("Brazil", "Brasilia", "巴西", "巴西利亚"), ("Peru", "Lima", "秘鲁", "利马"), ("Chile", "Santiago", "智利", "圣地亚哥"),
    ("Argentina", "Buenos Aires", "阿根廷", "布宜诺斯艾利斯"), ("Australia", "Canberra", "澳大利亚", "堪培拉"),
]

# (thing, its plural form as used in "are", colour, thing in Chinese, colour in Chinese)
COLOURS = [
    ("the sky", "is", "blue", "天空", "蓝色"), ("grass", "is", "green", "草", "绿色"), ("snow", "is", "white", "雪", "白色"),
    ("a banana", "is", "yellow", "香蕉", "黄色"), ("a lemon", "is", "yellow", "柠檬", "黄色"), ("a tomato", "is", "red", "番茄", "红色"),
    ("a strawberry", "is", "red", "草莓", "红色"), ("blood", "is", "red", "血", "红色"), ("coal", "is", "black", "煤", "黑色"),
    ("a carrot", "is", "orange", "胡萝卜", "橙色"), ("an orange", "is", "orange", "橙子", "橙色"), ("milk", "is", "white", "牛奶", "白色"),
    ("the sun", "is", "yellow", "太阳", "黄色"), ("the sea", "is", "blue", "大海", "蓝色"), ("chocolate", "is", "brown", "巧克力", "棕色"),
    ("a crow", "is", "black", "乌鸦", "黑色"), ("an elephant", "is", "grey", "大象", "灰色"), ("a flamingo", "is", "pink", "火烈鸟", "粉色"),
    ("an eggplant", "is", "purple", "茄子", "紫色"), ("a frog", "is", "green", "青蛙", "绿色"), ("coffee", "is", "brown", "咖啡", "棕色"),
    ("salt", "is", "white", "盐", "白色"), ("a leaf", "is", "green", "树叶", "绿色"), ("a mouse", "is", "grey", "老鼠", "灰色"),
    ("a pumpkin", "is", "orange", "南瓜", "橙色"), ("a cucumber", "is", "green", "黄瓜", "绿色"), ("rice", "is", "white", "米饭", "白色"),
]

# (animal, sound, legs, young, home, animal in Chinese, sound, young, home)
ANIMALS = [
    ("cat", "meow", 4, "kitten", "house", "猫", "喵喵", "小猫", "家里"),
    ("dog", "woof", 4, "puppy", "house", "狗", "汪汪", "小狗", "家里"),
    ("cow", "moo", 4, "calf", "farm", "牛", "哞哞", "小牛", "农场"),
    ("sheep", "baa", 4, "lamb", "farm", "羊", "咩咩", "小羊", "农场"),
    ("duck", "quack", 2, "duckling", "pond", "鸭子", "嘎嘎", "小鸭", "池塘"),
    ("pig", "oink", 4, "piglet", "farm", "猪", "哼哼", "小猪", "农场"),
    ("horse", "neigh", 4, "foal", "farm", "马", "嘶嘶", "小马", "农场"),
    ("lion", "roar", 4, "cub", "savanna", "狮子", "吼吼", "小狮子", "草原"),
    ("frog", "croak", 4, "tadpole", "pond", "青蛙", "呱呱", "蝌蚪", "池塘"),
    ("bee", "buzz", 6, "larva", "hive", "蜜蜂", "嗡嗡", "幼虫", "蜂巢"),
    ("chicken", "cluck", 2, "chick", "farm", "鸡", "咯咯", "小鸡", "农场"),
    ("wolf", "howl", 4, "pup", "forest", "狼", "嗷嗷", "小狼", "森林"),
    ("owl", "hoot", 2, "owlet", "forest", "猫头鹰", "咕咕", "小猫头鹰", "森林"),
    ("snake", "hiss", 0, "snakelet", "desert", "蛇", "丝丝", "小蛇", "沙漠"),
    ("mouse", "squeak", 4, "pup", "field", "老鼠", "吱吱", "小老鼠", "田野"),
    ("bear", "growl", 4, "cub", "forest", "熊", "呜呜", "小熊", "森林"),
]

# (word, opposite, word in Chinese, opposite in Chinese)
OPPOSITES = [
    ("hot", "cold", "热", "冷"), ("big", "small", "大", "小"), ("tall", "short", "高", "矮"), ("fast", "slow", "快", "慢"),
    ("happy", "sad", "高兴", "难过"), ("day", "night", "白天", "黑夜"), ("up", "down", "上", "下"), ("open", "closed", "开", "关"),
    ("new", "old", "新", "旧"), ("light", "dark", "亮", "暗"), ("hard", "soft", "硬", "软"), ("wet", "dry", "湿", "干"),
    ("full", "empty", "满", "空"), ("left", "right", "左", "右"), ("good", "bad", "好", "坏"), ("strong", "weak", "强", "弱"),
    ("early", "late", "早", "晚"), ("rich", "poor", "富", "穷"), ("loud", "quiet", "吵", "安静"), ("clean", "dirty", "干净", "脏"),
]

# (English word, Chinese word) for translation
TRANSLATIONS = [
    ("water", "水"), ("fire", "火"), ("tree", "树"), ("book", "书"), ("house", "房子"), ("friend", "朋友"), ("cat", "猫"),
    ("dog", "狗"), ("bird", "鸟"), ("fish", "鱼"), ("apple", "苹果"), ("tea", "茶"), ("rice", "米饭"), ("milk", "牛奶"),
    ("moon", "月亮"), ("sun", "太阳"), ("star", "星星"), ("rain", "雨"), ("snow", "雪"), ("wind", "风"), ("mountain", "山"),
    ("river", "河"), ("sea", "大海"), ("school", "学校"), ("teacher", "老师"), ("student", "学生"), ("mother", "妈妈"),
    ("father", "爸爸"), ("love", "爱"), ("time", "时间"), ("today", "今天"), ("tomorrow", "明天"), ("hello", "你好"),
    ("thank you", "谢谢"), ("goodbye", "再见"), ("red", "红色"), ("blue", "蓝色"), ("green", "绿色"), ("one", "一"),
    ("two", "二"), ("three", "三"), ("ten", "十"), ("car", "汽车"), ("train", "火车"), ("door", "门"), ("window", "窗户"),
    ("music", "音乐"), ("world", "世界"), ("city", "城市"), ("flower", "花"), ("bread", "面包"), ("egg", "鸡蛋"),
]

DAYS = [("Monday", "星期一"), ("Tuesday", "星期二"), ("Wednesday", "星期三"), ("Thursday", "星期四"), ("Friday", "星期五"),
        ("Saturday", "星期六"), ("Sunday", "星期日")]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
MONTHS_ZH = ["一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"]

LISTS = {  # (plural, plural in Chinese): members
    ("animals", "动物"): [("cat", "猫"), ("dog", "狗"), ("horse", "马"), ("lion", "狮子"), ("wolf", "狼")],
    ("colours", "颜色"): [("red", "红色"), ("blue", "蓝色"), ("green", "绿色"), ("yellow", "黄色"), ("white", "白色")],
    ("fruits", "水果"): [("apple", "苹果"), ("banana", "香蕉"), ("orange", "橙子"), ("lemon", "柠檬"), ("strawberry", "草莓")],
    ("cities", "城市"): [("Paris", "巴黎"), ("Tokyo", "东京"), ("Berlin", "柏林"), ("Cairo", "开罗"), ("Beijing", "北京")],
    ("countries", "国家"): [("France", "法国"), ("Japan", "日本"), ("Germany", "德国"), ("Egypt", "埃及"), ("China", "中国")],
}

# Names of people, used wherever a person is needed. Latin spellings also appear in Chinese chats.
NAMES = """Anna Ben Clara David Emma Felix Grace Hugo Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tom Uma Vera Will Yara Zoe
Alice Bob Carol Dan Eva Frank Gina Henry Ivan Julia Karl Lena Max Nina Oscar Pia Quinn Ruth Simon Tina Victor Wendy Adam Bella
Cora Dora Elsa Fred Greta Hans Ida Jonas Kira Lars Maria Nora Otto Petra Rolf Sara Theo Ursula Walter Lily Lucy Mark Peter""".split()
NAMES_ZH = "小明 小红 小华 小丽 小刚 李雷 王芳 张伟 刘洋 陈静 杨阳 赵敏 周杰 吴昊 郑爽 孙悦 林涛 何洁 高峰 马丽 小雨 小雪 阿强 阿珍".split()

JOBS = [("teacher", "老师"), ("doctor", "医生"), ("cook", "厨师"), ("pilot", "飞行员"), ("farmer", "农民"), ("singer", "歌手"),
        ("driver", "司机"), ("writer", "作家"), ("painter", "画家"), ("nurse", "护士")]
FOODS = [("pizza", "比萨"), ("soup", "汤"), ("rice", "米饭"), ("bread", "面包"), ("cake", "蛋糕"), ("noodles", "面条"),
         ("salad", "沙拉"), ("fish", "鱼"), ("apples", "苹果"), ("cheese", "奶酪")]
PLAIN_COLOURS = [("red", "红色"), ("blue", "蓝色"), ("green", "绿色"), ("yellow", "黄色"), ("black", "黑色"), ("white", "白色"),
                 ("pink", "粉色"), ("purple", "紫色"), ("brown", "棕色"), ("orange", "橙色")]

# Common short words for spelling; the held-out ones are taken from this list (and from made-up words) only.
SPELLING_WORDS = """able acid aunt baby back bag ball bank bar base bath bean bed bell belt best bike bill bird boat body bone boot bowl
box boy brave brick broom brush bug bus cage cake call camp card cart cave chair chalk cheap chess child city clay clock cloud coat
coin cold corn crab cream crown cube cup dance dark date deep desk dice dirt dish doll door draw dream dress drum dust ear east edge
farm fast fence field film fire flag flute fog fork fox fruit game gate ghost gift girl glass glove goat gold golf grape green guest
hair hall hand happy hat heart hill hook hope hotel ice ink iron jam jar joke juice jump key king kite knee lake lamp land leaf lemon
letter light line lock lunch magic map mask meal melon metal milk mint money moon mud music nail neck nest night noise north nose nut
ocean oil onion oven page paint pan park party path peach pear pen phone piano pill pin pipe plane plant plate poem point pond pool
post pot prize queen quiet quiz radio rain ring road robot rock roof room root rope rose rug sail salt sand scarf seed shape shark
shell ship shirt shoe shop silk sink skirt sleep smile smoke snail soap sock song soup space spoon sport spot star steam stick stone
storm story straw sugar table tail tank taxi team tent tiger toast tool torch towel tower toy train tree truck tube uncle valley vase
view voice wagon wall watch water wave wax web week whale wheat wheel wind wine wing wolf wood wool word worm yard year zebra zero""".split()
