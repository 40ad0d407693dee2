"""Rules and posts for bench-policy: made here from words of our own, the same on every machine.

    corpus.py RULES POSTS DIR     writes DIR/policy.json, and DIR/posts.jsonl: one object of signals a line

The rules are what operators write, in about these shares: 34 % flags, scores and numbers of the author; 20 % words and
phrases in the text, 6 % whatever their case; 12 % patterns; 10 % links; 10 % language, surface and what the platform
sends besides; 5 % lists of hosts or names; 3 % arithmetic. Most ask something cheap first, as rules do. Numbers are drawn,
so no two rules are equal.

A post has what a verdict is made of: scores that are low for most, an account whose age and followers are log-normal and
unknown for some, a text of 42 tokens in the mean (one in a hundred is an image alone: no text, no scores), links for one in
five, members of the platform's own.
"""
import json
import math
import os
import statistics
import sys

sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import posts as words  # noqa: E402 (its folder is not this one)

HOSTS = ["%s-%s.example%s" % (a, b, tld) for a in ("win", "shop", "news", "photo", "crypto", "deal", "free", "fan", "pets", "city")
         for b in ("zone", "hub", "box", "daily", "market", "world", "point", "club", "store", "info") for tld in (".com", ".net", ".org")]
SHORTENERS = ["sho.example", "cut.example", "tny.example", "go2.example", "lnk.example"]
PHRASES = ["free crypto", "double your money", "limited offer", "send me a message", "click the link", "work from home",
           "guaranteed profit", "dm for details", "giveaway ends", "share this post", "tag three friends", "type amen",
           "only real fans", "no one will share", "claim your prize", "verify your account", "whatsapp group", "investment plan"]
LANGS = ["en", "de", "fr", "es", "pt", "it", "pl", "tr", "ru", "uk", "ar", "hi", "ja", "ko", "zh", "id"]
SURFACES = ["feed", "reply", "group", "profile", "market"]
TRUST = ["new", "basic", "member", "regular", "leader"]
HEADS = ["spam", "scam", "bait", "ai_text"]


def a_word(rng):
    return rng.pick(words.WORDS)


def two_words(rng):
    return "%s %s" % (a_word(rng), a_word(rng))


def share(rng, low, high):
    """A number like 0.873 between them."""
    return "%.3f" % (low + (high - low) * rng.below(1000) / 1000)


# --- rules: each function gives the text of one condition ---

def about_scores(rng):
    head, other = rng.pick(HEADS), rng.pick(HEADS)
    return rng.pick([
        "flag.%s && author.age_days < %d" % (head, 2 + rng.below(90)),
        "score.%s > %s" % (head, share(rng, 0.5, 0.99)),
        "score.%s > %s && score.%s > %s" % (head, share(rng, 0.4, 0.9), other, share(rng, 0.2, 0.8)),
        "score.%s > %s && author.followers < %d && author.age_days < %d" % (head, share(rng, 0.3, 0.9), rng.below(500),
                                                                           1 + rng.below(60)),
        "(flag.spam || flag.scam) && text.links >= %d && author.posts_1h > %d" % (1 + rng.below(3), rng.below(20)),
        "author.age_days < %d ? author.posts_1h > %d : author.posts_1h > %d" % (1 + rng.below(14), 2 + rng.below(6),
                                                                               10 + rng.below(50)),
        "text.confusables > %d && (score.%s > %s || text.zero_width > %d)" % (rng.below(4), head, share(rng, 0.2, 0.7),
                                                                             rng.below(6)),
        "!post.reply && score.%s > %s && text.words < %d" % (head, share(rng, 0.3, 0.9), 5 + rng.below(60)),
    ])


def about_text(rng):
    return rng.pick([
        "post.text.contains('%s')" % rng.pick(PHRASES),
        "post.text.contains('%s')" % two_words(rng),
        "post.text.contains('%s') || post.text.contains('%s')" % (two_words(rng), rng.pick(PHRASES)),
        "author.age_days < %d && post.text.contains('%s')" % (1 + rng.below(90), a_word(rng)),
        "text.links > 0 && post.text.contains('%s') && post.text.contains('%s')" % (a_word(rng), a_word(rng)),
        "post.text.startsWith('%s') && score.bait > %s" % (a_word(rng).capitalize(), share(rng, 0.1, 0.9)),
        "size(post.text) < %d && post.text.contains('%s')" % (40 + rng.below(200), a_word(rng)),
    ])


def about_any_case(rng):
    return rng.pick([
        "post.text.lowerAscii().contains('%s')" % rng.pick(PHRASES),
        "text.links > 0 && post.text.lowerAscii().contains('%s')" % two_words(rng),
        "author.followers < %d && post.text.lowerAscii().contains('%s')" % (10 + rng.below(900), a_word(rng)),
    ])


def about_patterns(rng):
    return rng.pick([
        "post.text.matches('(?i)\\\\b(%s|%s)\\\\s+%s')" % (a_word(rng), a_word(rng), a_word(rng)),
        "post.text.matches('(?i)%s.{0,20}%s')" % (a_word(rng), a_word(rng)),
        "author.age_days < %d && post.text.matches('[0-9]{%d,} ?(%s|%s|EUR|USD)')" % (1 + rng.below(60), 2 + rng.below(3),
                                                                                    a_word(rng), a_word(rng)),
        "text.links > 0 && post.text.matches('(?i)(%s|%s|%s) now[!.]*$')" % (a_word(rng), a_word(rng), a_word(rng)),
        "score.%s > %s && post.text.matches('^[A-Z][a-z]+ %s')" % (rng.pick(HEADS), share(rng, 0.05, 0.5), a_word(rng)),
    ])


def about_links(rng):
    return rng.pick([
        "post.links.exists(l, l.contains('%s'))" % rng.pick(HOSTS),
        "post.links.exists(l, l.startsWith('https://%s/'))" % rng.pick(SHORTENERS + HOSTS),
        "size(post.links) > %d && author.age_days < %d" % (rng.below(4), 1 + rng.below(60)),
        "flag.spam && post.links.exists(l, l.endsWith('?p=%d'))" % rng.below(1000),
        "size(post.links) > 0 && post.links.all(l, l.startsWith('http://')) && author.followers < %d" % rng.below(300),
        "post.links.exists(l, l.matches('^https?://[a-z0-9-]+[.]%s/'))" % rng.pick(HOSTS),
        "text.links_hidden > %d || post.links.filter(l, l.contains('%s')).size() > 1" % (rng.below(3), rng.pick(SHORTENERS)),
    ])


def about_platform(rng):
    return rng.pick([
        "post.lang == '%s' && score.%s > %s" % (rng.pick(LANGS), rng.pick(HEADS), share(rng, 0.2, 0.9)),
        "post.lang in ['%s', '%s', '%s'] && post.surface == '%s'" % (rng.pick(LANGS), rng.pick(LANGS), rng.pick(LANGS),
                                                                    rng.pick(SURFACES)),
        "post.surface == '%s' && post.media > %d" % (rng.pick(SURFACES), rng.below(4)),
        "has(post.extra.trust) && post.extra.trust == '%s' && author.posts_1h > %d" % (rng.pick(TRUST), rng.below(12)),
        "has(post.extra.reports) && post.extra.reports > %d" % rng.below(20),
        "post.extra.?vip.orValue(false) && score.%s > %s" % (rng.pick(HEADS), share(rng, 0.5, 0.99)),
        "post.edited && post.surface != '%s' && flag.%s" % (rng.pick(SURFACES), rng.pick(HEADS)),
    ])


def about_lists(rng):
    first, count = rng.below(len(HOSTS)), 20 + rng.below(60)
    hosts = ", ".join("'https://%s/'" % HOSTS[(first + i) % len(HOSTS)] for i in range(count))
    names = ", ".join("'%s%d'" % (a_word(rng), rng.below(90)) for _ in range(count))
    return rng.pick([
        "post.links.exists(l, l in [%s])" % hosts,
        "author.handle in [%s]" % names,
        "flag.scam && author.handle in [%s]" % names,
    ])


def about_numbers(rng):
    return rng.pick([
        "author.following > %d * (author.followers + 1)" % (5 + rng.below(60)),
        "double(author.posts_1h) / (author.age_days + 1.0) > %s" % share(rng, 0.5, 9),
        "text.words > 0 && text.confusables * 100 / text.words > %d" % (1 + rng.below(40)),
    ])


SHARES = [(34, about_scores), (20, about_text), (6, about_any_case), (12, about_patterns), (10, about_links),
          (10, about_platform), (5, about_lists), (3, about_numbers)]
ACTIONS = ["label", "limit", "limit", "review", "review", "review", "remove"]


def policy(rng, n):
    rules, seen = [], set()
    kinds = [kind for count, kind in SHARES for _ in range(count)]
    while len(rules) < n:
        when = kinds[len(rules) * 37 % 100](rng)
        if when in seen:
            continue
        seen.add(when)
        rules.append({"id": "r%04d" % len(rules), "when": when, "action": rng.pick(ACTIONS), "category": "bench",
                      "reason": "Score {score.spam}, account {author.age_days} days old"})
    return {"policy": "bench", "version": "1", "rules": rules}


# --- posts ---

NORMAL = statistics.NormalDist()


def log_normal(rng, median, sigma):
    return median * math.exp(sigma * NORMAL.inv_cdf((rng.below(1 << 20) + 0.5) / (1 << 20)))


def score(rng):
    """Most posts are harmless: one in fourteen is over a half."""
    u = (rng.below(1 << 20) + 0.5) / (1 << 20)
    return round(u ** 9 if rng.below(20) else 1 - u ** 4, 4)


def author(rng, sig):
    sig["author.id"] = "a%d" % rng.below(40000)
    sig["author.handle"] = "%s%d" % (a_word(rng), rng.below(90))
    if rng.below(12):
        sig["author.age_days"] = round(log_normal(rng, 400, 1.8), 3)
    if rng.below(10):
        sig["author.followers"] = int(log_normal(rng, 90, 1.9))
        sig["author.following"] = int(log_normal(rng, 150, 1.2))
    if rng.below(4):
        sig["author.posts_1h"] = int(log_normal(rng, 1, 1.1))


def links(rng):
    if rng.below(5):
        return []
    return ["%s://%s/%s" % (rng.pick(["https", "https", "http"]), rng.pick(rng.pick([HOSTS, HOSTS, SHORTENERS])),
                            rng.pick(["", "p/%d" % rng.below(9999), "item?p=%d" % rng.below(1000)]))
            for _ in range(1 + rng.below(3))]


def text_signals(rng, sig, tokens):
    """What is known of a text, and of it alone."""
    text = words.text(rng, tokens)
    if rng.below(25) == 0:
        phrase = rng.pick(PHRASES)
        text += " " + (phrase.upper() if rng.below(3) == 0 else phrase)
    sig["post.text"] = text
    for head in HEADS:
        sig["score." + head] = score(rng)
        sig["flag." + head] = sig["score." + head] > 0.9
    n = len(text.split())
    sig.update({"text.chars": len(text), "text.words": n, "text.tokens": tokens, "text.windows": 1, "text.unread_share": 0.0,
                "text.insufficient": n < 25, "text.zero_width": max(0, rng.below(400) - 395),
                "text.confusables": max(0, rng.below(200) - 193)})


def post(rng, tokens):
    sig = {"post.lang": rng.pick(LANGS[:1] * 8 + LANGS), "post.surface": rng.pick(SURFACES[:1] * 4 + SURFACES),
           "post.reply": rng.below(3) == 0, "post.edited": rng.below(20) == 0, "post.media": max(0, rng.below(9) - 5)}
    author(rng, sig)
    if rng.below(100) == 0:
        sig["post.media"] += 1
    else:
        text_signals(rng, sig, tokens)
    sig["post.links"] = links(rng)
    sig["text.links"] = len(sig["post.links"])
    sig["text.links_hidden"] = max(0, rng.below(300) - 298)
    extra = {"client": rng.pick(["web", "ios", "android", "api"]), "thread": "t%d" % rng.below(1000000)}
    if rng.below(3):
        extra["trust"] = rng.pick(TRUST)
    if rng.below(15) == 0:
        extra["reports"] = rng.below(12)
    if rng.below(50) == 0:
        extra["vip"] = True
    sig["post.extra"] = extra
    return sig


def main():
    rules, count, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    rng = words.Random(20261125)
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/policy.json", "w", encoding="utf-8") as f:
        json.dump(policy(rng, rules), f, indent=0, ensure_ascii=False)
    with open(folder + "/posts.jsonl.new", "w", encoding="utf-8") as f:
        while count > 0:
            for tokens in words.lengths(rng)[:count]:
                f.write(json.dumps(post(rng, tokens), ensure_ascii=False) + "\n")
            count -= words.BLOCK
    os.rename(folder + "/posts.jsonl.new", folder + "/posts.jsonl")


if __name__ == "__main__":
    main()
