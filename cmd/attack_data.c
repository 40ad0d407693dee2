/*
 * What attacked variants are made of (attack.h): code points, alphabets,
 * harmless words, sentences and tags.
 *
 * FOR MEASURING ONLY. Nothing in this file may be used to make training data:
 * no augmentation includes it, copies from it, or lists the same code points,
 * words or sentences. A model that has seen them would be measured on what it
 * was taught. Training has its own lists (Cyrillic twins, bold and italic
 * alphabets, U+200B and so on are left to it on purpose); whoever adds to
 * those looks here first. tests/unit/cmd_attack.c fails when a file of
 * training names this one.
 */
#include "cmd/attack.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Greek, Armenian, Cherokee, Coptic, Lisu and phonetic letters. */
const struct wn_twins wn_attack_homoglyphs[] = {
    { 'a', { 0x0251, 0x03b1 } },
    { 'b', { 0x0184, 0x13cf } },
    { 'c', { 0x03f2, 0x1d04, 0x2ca5 } },
    { 'd', { 0x13e7 } },
    { 'e', { 0x212e, 0xab32 } },
    { 'f', { 0x0584, 0x03dd } },
    { 'g', { 0x0261, 0x0581 } },
    { 'h', { 0x0570, 0x13c2 } },
    { 'i', { 0x0269, 0x03b9, 0x13a5 } },
    { 'j', { 0x03f3 } },
    { 'k', { 0x03ba, 0x1d0b } },
    { 'l', { 0x01c0 } },
    { 'm', { 0x028d, 0x1d0d } },
    { 'n', { 0x0578, 0x057c } },
    { 'o', { 0x03bf, 0x0585, 0x1d0f, 0x2c9f } },
    { 'p', { 0x03c1, 0x2ca3 } },
    { 'q', { 0x0563, 0x0566 } },
    { 'r', { 0x1d26, 0xab81 } },
    { 's', { 0xa731, 0xabaa } },
    { 't', { 0x03c4, 0x1d1b } },
    { 'u', { 0x028b, 0x057d, 0x1d1c } },
    { 'v', { 0x03bd, 0x1d20 } },
    { 'w', { 0x1d21, 0xab83 } },
    { 'x', { 0x166e, 0x1541 } },
    { 'y', { 0x028f, 0x1eff } },
    { 'z', { 0x1d22, 0xab93 } },
    { 'A', { 0x0391, 0x13aa, 0xa4ee } },
    { 'B', { 0x0392, 0x13f4, 0xa4d0 } },
    { 'C', { 0x03f9, 0x13df, 0xa4da } },
    { 'D', { 0x13a0, 0xa4d3 } },
    { 'E', { 0x0395, 0x13ac, 0xa4f0 } },
    { 'G', { 0x13c0, 0xa4d6 } },
    { 'H', { 0x0397, 0x13bb, 0xa4e7 } },
    { 'I', { 0x0399, 0x2c92 } },
    { 'K', { 0x039a, 0x13e6, 0xa4d7 } },
    { 'L', { 0x13de, 0xa4e1 } },
    { 'M', { 0x039c, 0x13b7, 0xa4df } },
    { 'N', { 0x039d, 0xa4e0 } },
    { 'O', { 0x039f, 0x0555, 0xa4f3 } },
    { 'P', { 0x03a1, 0x13e2, 0xa4d1 } },
    { 'R', { 0x13a1, 0xa4e3 } },
    { 'S', { 0x054f, 0x13da, 0xa4e2 } },
    { 'T', { 0x03a4, 0x13a2, 0xa4d4 } },
    { 'U', { 0x054d, 0xa4f4 } },
    { 'V', { 0x13d9, 0xa4e6 } },
    { 'W', { 0x13b3, 0xa4ea } },
    { 'X', { 0x03a7, 0xa4eb } },
    { 'Y', { 0x03a5, 0xa4ec } },
    { 'Z', { 0x0396, 0x13c3, 0xa4dc } },
};
const size_t wn_attack_homoglyphs_n = COUNT(wn_attack_homoglyphs);

const struct wn_twins wn_attack_leet[] = {
    { 'a', { '4', '@' } },
    { 'b', { '8' } },
    { 'e', { '3' } },
    { 'g', { '9', '6' } },
    { 'i', { '1', '!' } },
    { 'l', { '1', '|' } },
    { 'o', { '0' } },
    { 's', { '5', '$' } },
    { 't', { '7', '+' } },
    { 'z', { '2' } },
};
const size_t wn_attack_leet_n = COUNT(wn_attack_leet);

const struct wn_style wn_attack_styles[] = {
    { 0x1d4d0, 0x1d4ea }, /* bold script          */
    { 0x1d56c, 0x1d586 }, /* bold Fraktur         */
    { 0x1d670, 0x1d68a }, /* monospace            */
    { 0x1d63c, 0x1d656 }, /* sans bold italic     */
    { 0x24b6, 0x24d0 },   /* circled              */
    { 0x1f170, 0x1f170 }, /* white in a black box */
    { 0x249c, 0x249c },   /* in parentheses       */
};
const size_t wn_attack_styles_n = COUNT(wn_attack_styles);

/* Word joiner, non-joiner, grapheme joiner, Mongolian vowel separator,
 * invisible times, separator and plus. */
const uint32_t wn_attack_invisible[] = { 0x2060, 0x200c, 0x034f, 0x180e, 0x2062,
    0x2063, 0x2064 };
const size_t wn_attack_invisible_n = COUNT(wn_attack_invisible);

/* Space, full stop, middle dot, thin space, low line, tilde. */
const uint32_t wn_attack_separators[] = { ' ', '.', 0xb7, 0x2009, '_', '~' };
const size_t wn_attack_separators_n = COUNT(wn_attack_separators);

static const char *const words[] = {
    "garden",
    "breakfast",
    "umbrella",
    "library",
    "pencil",
    "harvest",
    "bicycle",
    "neighbour",
    "kettle",
    "meadow",
    "orchestra",
    "sweater",
    "lighthouse",
    "pancakes",
    "afternoon",
    "blanket",
    "river",
    "teacher",
    "sandwich",
    "museum",
    "chimney",
    "postcard",
    "grandmother",
    "orchard",
    "violin",
    "puddle",
    "bakery",
    "compass",
    "hammock",
    "thunderstorm",
    "carpenter",
    "raincoat",
    "jigsaw",
    "cinnamon",
    "ferry",
    "cushion",
    "marmalade",
    "woodpecker",
    "staircase",
    "crossword",
    "picnic",
    "lantern",
    "sparrow",
    "casserole",
    "allotment",
    "toothbrush",
    "seashell",
    "corridor",
    "birthday",
    "mittens",
    "gravel",
    "notebook",
    "cellar",
    "platform",
    "tortoise",
    "wardrobe",
    "radish",
    "fountain",
    "slippers",
    "compost",
};
const struct wn_words wn_attack_words = { words, COUNT(words) };

static const char *const sentences[] = {
    "The bus was late again this morning, so I walked along the canal.",
    "My sister planted three rows of beans and they are already up to the "
    "window sill.",
    "We had soup for lunch and the children drew boats on the paper "
    "tablecloth.",
    "The museum in our town has opened a small room about the history of the "
    "mill.",
    "It rained all afternoon, which the roses needed more than we did.",
    "He repaired the old radio with a spring from a broken clock.",
    "Our dog is afraid of the vacuum cleaner but not of thunder.",
    "The choir meets on Tuesdays, and there is a seat free among the altos.",
    "I finished the second volume on the train and left it on the seat by "
    "mistake.",
    "They painted the kitchen yellow and now every morning looks sunny.",
    "The bridge will be closed until the engineers have looked at the "
    "northern pier.",
    "She bakes bread on Sundays and the whole staircase smells of it.",
    "The referee stopped the match for fog after twenty minutes.",
    "Grandfather kept bees behind the shed and talked to them about the "
    "weather.",
    "We counted eleven swans on the lake and one very angry goose.",
    "The library is looking for somebody to read to the youngest group.",
    "My knee is better, thank you, and I can climb the stairs again.",
    "The new timetable leaves ten minutes to change trains in the city.",
    "He plays the trumpet in the attic because the neighbours are kind.",
    "The soup needs more pepper, and the salad needs less.",
    "After the storm the whole street came out to sweep up leaves.",
    "Their daughter learned to swim last week and will not leave the water.",
    "I found my grandmother's recipe for plum cake in an atlas.",
    "The lecture about glaciers was longer than I thought and very good.",
    "A heron stands by the pond each morning as if it were paid for it.",
    "The plumber came at eight, drank two coffees and mended the tap.",
    "Nobody knows who left the box of tomatoes at the door.",
    "The school play is about a lighthouse keeper who is afraid of the dark.",
    "We took the slow road through the villages and stopped for cherries.",
    "The council voted for more benches in the park by the station.",
    "My brother measures the height of the river with a marked stick.",
    "There was frost on the windows, and the cat refused to go out.",
    "The carpenter said that oak would outlive all of us.",
    "We are reading a novel about two sisters who run a ferry.",
    "The tent leaked, but the view over the bay was worth it.",
    "She writes her letters by hand and numbers the pages.",
    "The clock on the town hall has been five minutes fast for years.",
    "Last year the apples were small, and this year there are none.",
    "The orchestra rehearsed the slow movement until the caretaker came.",
    "He collects maps of places that have changed their names.",
    "The swallows came back on the same day as last spring.",
    "I asked for the blue paint and they mixed a green one.",
    "Our neighbours are moving to the coast and leave us their piano.",
    "The children built a dam of stones, and it held until evening.",
    "On Friday the bakery sells yesterday's rolls to whoever has hens.",
    "The path to the summit is steep at first and gentle after the chapel.",
    "She teaches geometry with string, chalk and the floor of the gym.",
    "The night train was quiet except for one man who hummed.",
    "We cleaned the cellar and found a sledge, a lamp and no mice.",
    "The exhibition closes in March and then goes to three other towns.",
};
const struct wn_words wn_attack_sentences = { sentences, COUNT(sentences) };

static const char *const tags[] = { "#sunset", "#gardening", "#bookshelf",
    "#homemade", "#catsoftheday", "#weekendwalk", "#knitting", "#vinyl",
    "#birdwatching", "#oldtown", "#sourdough", "#mondaymood", "#hiking",
    "#watercolour", "#trainspotting", "#throwback", "#family", "#football",
    "#autumn", "#recipes", "#travelnotes", "#streetphoto", "#coffeebreak",
    "#running", "#poetry", "#chess", "#astronomy", "#beach", "#dogwalk",
    "#choir" };
const struct wn_words wn_attack_tags = { tags, COUNT(tags) };
