"""Posts for the benchmarks: made here from words of our own, the same on every machine.

    posts.py N FILE     writes N posts as JSON Lines, {"id","text"}; N a multiple of 256

Lengths are log-normal, 30 * exp(0.9 z) tokens within 4 to 256 with [CLS] and [SEP]. Each block of 256 posts has the 256
quantiles of that distribution in an order of its own, so any number of blocks has the same mean and the same tail, and
runs over different numbers of posts may be compared. No two posts are equal: a cache of verdicts finds nothing.

Four posts in ten have a character beyond ASCII somewhere, one in ten has a link, one in twelve a handle.
"""
import json
import math
import os
import statistics
import sys

BLOCK = 256

WORDS = """
the a to and of in it is that was for on you with this my we at be so have but not just they all what from out up about
if more when now one like her his their can will would there who how then after before over again still never always
today tonight tomorrow yesterday morning evening week year night day hour minute summer winter spring autumn monday
friday weekend birthday holiday street city town village river lake sea beach bridge harbour station market garden park
house kitchen window door table chair lamp room roof wall floor stairs school office library museum theatre cinema
coffee tea bread butter cheese soup apple lemon onion potato tomato garlic pepper sugar salt cake biscuit breakfast
lunch dinner recipe oven pan knife spoon plate cup bottle glass train bus bike car boat plane ticket map road hill
mountain forest tree leaf flower grass rain snow wind storm cloud sun moon star light shadow colour red blue green
yellow white black grey brown orange dog cat bird horse fish bee spider fox owl mouse rabbit neighbour friend sister
brother mother father daughter son uncle aunt cousin teacher doctor nurse driver baker painter singer writer builder
engineer student child children people person man woman boy girl baby crowd team match game goal score season league
ball run walk swim jump climb ride drive cook bake eat drink sleep wake read write draw paint sing dance play listen
watch look see hear feel think know learn teach build fix break open close start stop wait leave arrive return bring
carry hold drop throw catch push pull cut wash clean buy sell pay cost save spend win lose find keep give take send get
make let help need want hope wish love hate miss forget remember believe understand explain ask answer tell say talk
shout whisper laugh cry smile good bad great small big long short old new young early late fast slow hot cold warm dry
wet soft hard loud quiet easy difficult simple strange funny serious happy sad tired hungry thirsty angry afraid proud
lucky busy free full empty clean dirty heavy cheap expensive beautiful ugly perfect terrible wonderful boring exciting
dangerous safe local public private online digital update version screen phone laptop battery keyboard camera picture
video music album concert song guitar piano drums stage radio podcast book chapter story poem novel page letter news
paper magazine photograph project meeting deadline budget report question problem idea plan reason result change chance
choice mistake lesson secret surprise present promise rumour truth weather temperature degree distance kilometre
""".split()

# Words that a vocabulary of 30,000 pieces cuts into two to five.
RARE = """
unputdownable gardenhose ferryboat sourdoughs rewatching drizzly hillwalker snowplough bikeshed tramline quayside
overcaffeinated lampshade crosswords kettlebells freewheeling marmaladed windowsills doomscroller foggiest
pineconed retuning potholes greenhoused lighthousekeeper birdwatchers unboxings slowcooker backpedalling cloudspotting
""".split()

ACCENTED = ["café", "crème", "jalapeño", "Zürich", "naïve", "façade", "Málaga", "smörgås", "déjà", "piñata", "Øresund", "Čapek"]
FOREIGN = [
    "спасибо за вечер друзья", "привет всем кто здесь", "καλημέρα σε όλους", "今日は天気がいい", "明天见朋友", "고마워요 여러분",
    "merhaba güneşli günler", "شكرا جزيلا لكم", "नमस्ते दोस्तों", "ขอบคุณมาก",
]
EMOJI = ["😀", "😂", "❤️", "🔥", "🎉", "👍🏽", "🚲", "🌧️", "👨‍👩‍👧", "🙏"]
HOSTS = ["example.com", "example.org/news", "photos.example.net/album", "shop.example.com/item", "www.example.org"]


class Random:
    """splitmix64."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return z ^ z >> 31

    def below(self, n):
        return self.next() % n

    def pick(self, items):
        return items[self.below(len(items))]


def lengths(rng):
    """The 256 quantiles of the distribution, in random order."""
    normal = statistics.NormalDist()
    out = [min(max(round(30 * math.exp(0.9 * normal.inv_cdf((i + 0.5) / BLOCK))), 4), 256) for i in range(BLOCK)]
    for i in range(BLOCK - 1, 0, -1):
        k = rng.below(i + 1)
        out[i], out[k] = out[k], out[i]
    return out


def decoration(rng):
    """At most one of the things that posts have beside words, and about how many tokens it takes."""
    draw = rng.below(1000)
    if draw < 100:
        return "https://%s?p=%d" % (rng.pick(HOSTS), rng.below(100000)), 14
    if draw < 180:
        return "@%s%d" % (rng.pick(WORDS), rng.below(90)), 2
    if draw < 240:
        return "#" + rng.pick(WORDS), 2
    if draw < 300:
        return rng.pick(EMOJI), 1
    if draw < 330:
        return rng.pick(FOREIGN), 12
    if draw < 360:
        return "&amp; " + rng.pick(WORDS), 2
    return "", 0


def word(rng):
    """A word and about how many tokens it has."""
    draw = rng.below(1000)
    if draw < 25:
        return rng.pick(RARE), 4
    if draw < 35:
        return rng.pick(ACCENTED), 1.5
    if draw < 55:
        return str(rng.below(2500)), 1.3
    if draw < 75:
        return rng.pick(["don't", "it’s", "can't", "I’m", "we'll"]), 3
    if draw < 90:
        return rng.pick(WORDS).upper(), 1
    return rng.pick(WORDS), 1


def text(rng, tokens):
    """Sentences of about that many tokens."""
    extra, used = decoration(rng)
    out, left, first = [], 0, True
    used += 2
    if used >= tokens:
        extra, used = "", 2
    while used < tokens:
        w, cost = word(rng)
        if first:
            w, left = w[:1].upper() + w[1:], 4 + rng.below(14)
        used += cost
        left -= 1
        first = left <= 0
        if used < tokens and (first or rng.below(14) == 0):
            w += rng.pick(".....!?") if first else rng.pick(",,,:;")
            used += 1
        out.append(w)
    if extra.startswith("@"):
        out.insert(0, extra)
    elif extra:
        out.append(extra)
    return " ".join(out)


def main():
    n, path = int(sys.argv[1]), sys.argv[2]
    rng, seen = Random(20240607), set()
    if n <= 0 or n % BLOCK != 0:
        sys.exit("posts.py: N must be a multiple of %d" % BLOCK)
    with open(path + ".new", "w", encoding="utf-8") as f:
        for block in range(n // BLOCK):
            for i, tokens in enumerate(lengths(rng)):
                t = text(rng, tokens)
                while t in seen:
                    t = text(rng, tokens)
                seen.add(t)
                f.write(json.dumps({"id": "p%d" % (block * BLOCK + i), "text": t}, ensure_ascii=False) + "\n")
    os.rename(path + ".new", path)


if __name__ == "__main__":
    main()
