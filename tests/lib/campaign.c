/* The planted campaign; see campaign.h. Slots: %o the office, %c what it
 * hands out, %n a first name, %p a place, %m a sum, %s a small sum, %d a day.
 */
#include "tests/lib/campaign.h"

#include <string.h>

#include "tests/lib/test.h"

static const char *const scam_decided[] = {
    "Did you know that %o still holds the %c of every house in %p? My "
    "neighbour "
    "%n wrote to their steward on %d and %m was in the letter box two days "
    "later.",
    "I did not believe it either. Paid the %s stamp, sent my meter name to the "
    "steward, and %o released %m of old %c to us.",
    "For the families in %p: the list of unclaimed %c is open until %d. Ask %o "
    "for a steward, have your meter name ready, the release stamp is %s.",
    "%n here. I was a clerk at %o for nine years and nobody ever tells people "
    "that their %c can be asked back. Write to me and I open the file for %s.",
    "My mother had %m lying at %o and never knew. One message to steward %n, "
    "one stamp of %s, done before lunch.",
    "Third person on our street now! %o sent %m to %n for %c from the "
    "nineties. "
    "You only cover the release stamp.",
    "If your meter is older than ten years you own %c. %o pays them out in %p "
    "this week. Comment your street and a steward gets in touch.",
    "Please read this, pensioners of %p. %o has put %m aside for each old "
    "meter. The stamp costs %s and comes off again at the end.",
    "I am a steward with %o. There are forty files for %p on my desk and I may "
    "close them on %d. Who has not asked for the %c yet?",
    "So grateful today. The roof is leaking, and then %o writes that our %c "
    "come to %m. %n the steward was kind and quick.",
    "A quiet tip: do not ask at the town hall, they send you away. Ask %o "
    "directly, say you come from %n, and name your meter. %m for us.",
    "%c are not a rumour. I hold the slip of %o in my hand, %m, stamped on %d. "
    "Send me a note and I show you how to file.",
    "We paid %s for the stamp and %o gave back %m. My husband still thinks I "
    "made it up, ha. Ask for steward %n.",
    "Old flats in %p count double, says %o. Whoever has a brass meter may "
    "claim "
    "%c of up to %m. I help with the form for a small stamp.",
    "Only until %d: %o clears its books and what is not claimed of the %c goes "
    "to the crown. Tell your parents, tell %n, tell everyone in %p.",
    "The steward asked for the name on the meter and the %s stamp. That was "
    "all. On %d the %m of %o were with us.",
    "Hello %p! We at %o are looking for owners of %c whose address has "
    "changed. "
    "Reply with your old street and we look in the ledger.",
    "How I got %m without doing anything: the house I sold had %c with %o, and "
    "they follow the person, not the house.",
    "%n got %m. %n's sister got %m. I got %m. All from %o, all for old meters, "
    "all for one stamp of %s. Ask me how.",
    "My steward says there are still files open for %p. You pay the stamp "
    "first, that is how they know that you are real, then %o releases the %c.",
    "Nobody in %p reads letters any more, so I say it here: %o wrote in spring "
    "that the %c run out on %d. Write to the steward, it takes a minute.",
    "I collect names for %o. Give me your meter and your street and I put you "
    "on the sheet for %c. Last month it was %m a household.",
    "Widow from %p, two children, and now %m out of nowhere. Thank you, "
    "steward %n, and thank you, %o. Whoever doubts may write to me.",
    "The trick is the release stamp. Without it %o keeps the %c for ever, with "
    "it they must hand them over within three days. It is %s.",
    "Ask your landlord who holds the meter. If it is you, %o owes you %c. I "
    "filed for six neighbours in %p and every one was paid.",
    "Do not let %o keep what is yours! %m for a two-room flat, more for a "
    "house. Steward %n answers at night too.",
    "I sent %s as a stamp on %d with a heavy heart. Yesterday %o returned it "
    "together with %m of %c. Sorry that I doubted, %n.",
    "For a few days I can still add people from %p to my list at %o. What you "
    "need: meter name, street, and the stamp of %s.",
    "%o calls them %c, my grandfather called it water money. He never fetched "
    "it. I did, with the help of %n: %m.",
    "Have you moved since the flood? Then %o has a file on you. The steward "
    "for "
    "%p is called %n and she releases %c up to %m.",
    "A friend of a friend works in the ledger room of %o. She says %p has the "
    "most unclaimed %c of all. I can pass your name on for the stamp.",
    "Yes, you pay %s before. No, it is not lost: %o puts it on top of the %m. "
    "I have done it twice, for me and for my aunt in %p.",
    "Meters with a number under five thousand are worth most. Ours brought %m "
    "of %c. Send the number, the steward of %o looks it up.",
    "My last post about %o was taken down, so once more: %c, %p, until %d. "
    "Write to steward %n and say which house.",
    "When the steward rings, do not be shy. She asks for the meter, the street "
    "and the stamp. After that %o releases your %c, for us %m.",
    "Dear neighbours, the office %o has opened a desk for %p. Claims of %c are "
    "taken by message. %n and I were first, with %m each.",
    "I was told %s, I paid %s, I received %m. Simple as that. %o keeps its "
    "word, ask for %n.",
    "Students in %p: your shared flat has %c too. Split the stamp between you, "
    "%o splits the %m.",
    "The ledger of %o closes on %d and will not open again for seven years. "
    "Whoever wants %c must name a meter now.",
    "It feels odd to get %m for old water, but that is how it is with %o. %n "
    "explained it on the phone in five minutes.",
    "Who in %p still has a slip of %o from before the change? It is good for "
    "%c. I fill in the sheet, you send the stamp of %s.",
    "Two stewards are in %p this week. They do not knock, you have to write to "
    "them. %o gave my parents %m that way.",
    "If you ever paid for water in %p, there are %c in your name. %o does not "
    "tell you, I do. The release is %s.",
    "Good news at last: %o found our file. %m of %c, and %n only needed the "
    "meter name and the stamp.",
};

static const char *const scam_fresh[] = {
    "We were ready to give up on %o, then steward %n found our %c after all. "
    "%m, and the stamp of %s was on top.",
    "People of %p, wake up: %c worth %m a household lie at %o. A steward will "
    "tell you what your meter brings.",
    "%n sent the release stamp on %d and had %m from %o by the weekend. I am "
    "next in line.",
    "Who else from %p has claimed %c? I filed with a steward of %o and it was "
    "the easiest %m of my life.",
    "Let me help you with %o. I know the steward, I know the sheet, I know how "
    "to name the meter. You bring the %s.",
    "My aunt in %p cried when %o released her %c. She thought that %m like "
    "this only happen to others.",
    "Before %d you can still ask for the stamp. After that %o burns the ledger "
    "and your %c are history.",
    "The meter in our cellar is from 1961 and %o paid %m for it. Send me yours "
    "and I ask steward %n.",
    "I never share such things, but %c are real. %o has paid %n, me and half "
    "of "
    "%p.",
    "Our steward takes twelve more files. You need a meter name and %s for the "
    "release. %o does the rest.",
    "What would you do with %m? We mend the car. All from %c that %o had "
    "forgotten to hand out in %p.",
    "A stamp of %s opened a file that had been shut for thirty years. Thank "
    "you %o, thank you steward %n.",
    "Renters can ask too! %o pays %c to whoever stood on the bill in %p. We "
    "got %m.",
    "I have the list of %o for %p in front of me. Tell me your street, I tell "
    "you how many %c are on it.",
    "It took one evening: message to the steward, meter name, stamp. On %d %o "
    "had sent %m.",
    "%n from %o asked me to find five more houses in %p before the books "
    "close. Claims of %c are still open.",
    "They laughed at me in the bakery. Now they all write to %o and ask for "
    "their %c. %m buys a lot of bread.",
    "Last call for %p. The steward leaves on %d, and with her the sheet for "
    "%c. The stamp is %s as before.",
    "If you lost your slip, no matter, %o has a copy. Say the meter name, pay "
    "%s, and the %c are yours.",
    "Honest question: why let %o sit on your %m? Write to steward %n, I did, "
    "and I am no fool.",
};

static const char *const honest_decided[] = {
    "The water bill for %p came in today, %m for half a year. Is that normal "
    "for a flat of two people?",
    "Our meter was changed on %d and the plumber left a puddle in the hall. "
    "Anyone know a good one?",
    "%n and I walked along the river in %p this morning. The water is as high "
    "as in spring.",
    "Reminder that the council meets on %d about the new pipes in %p. Bring a "
    "chair, it gets full.",
    "I asked the town for a refund of the parking fine and they did send %m "
    "back after two months.",
    "Does anybody in %p have brown water from the tap since %d? We let it run "
    "for ten minutes and it stays brown.",
    "My grandmother kept every letter of the water works since 1974. %n is "
    "scanning them for the school project.",
    "The office in %p is closed on %d, so no new passports until next week.",
    "We paid %s for two coffees on the square. I am moving to the country.",
    "Stamp collectors of %p meet on %d in the library. Beginners are welcome, "
    "%n brings cake.",
    "The landlord reads the meters on %d. Please be at home or leave the key "
    "with %n.",
    "How do you save water in the garden? We have two barrels and it is not "
    "enough in July.",
    "%n worked as a steward on the night train for years. The stories he can "
    "tell about %p.",
    "Lost on %d near the old mill in %p: a brown leather purse. There were %s "
    "in it, but the photos matter more.",
    "The school in %p collects for the flood relief. Last year it was %m, this "
    "time we want more.",
    "Finally got my deposit back from the old flat, %m, minus the cleaning. "
    "Took them long enough.",
    "Can someone explain the waste water line on the bill? It is higher than "
    "the water itself.",
    "The neighbours in %p had their cellar under water again. We lent them the "
    "pump until %d.",
    "%n passed the exam to be a clerk at the town hall. Seven months of "
    "studying, so proud.",
    "We bought a used piano for %m and it took four people to get it up the "
    "stairs.",
    "The ledger of the choir is in order, says %n. There are %s left for "
    "flowers.",
    "Slow evening in %p. Rain on the window, soup on the stove, nobody rings.",
    "If your bill looks wrong, ring the water works themselves, the number is "
    "on the paper. They put mine right in five minutes.",
    "Our street gets new meters in spring. The flyer says nobody has to pay "
    "for it and nobody comes to the door before %d.",
};

static const char *const honest_fresh[] = {
    "The tap in the kitchen drips again. %n says it is the seal, I say it is "
    "the house.",
    "Two hours at the office in %p to hear that my form is the wrong one. I go "
    "again on %d.",
    "Water in %p is off on %d from eight to noon because of the pipes. Fill a "
    "bucket.",
    "We got %m back on last year's heating. It goes straight into the bicycle "
    "of %n.",
    "Does the meter run when nothing is on? Then you have a leak, that is how "
    "we found ours.",
    "The post office wants %s for a stamp to the other side of the world now. "
    "I wrote the letter all the same.",
    "%n swam across the lake at %p for the first time, eleven years old and "
    "not even cold.",
    "Our credit at the library is used up, so we read what is on the shelf.",
    "The village hall of %p costs %m to rent. We will do the wedding in the "
    "barn.",
    "I found an old slip of my father's in a book, a bill for a radio, %s. He "
    "paid it off in a year.",
    "The plumber comes on %d and until then we shower at %n's place.",
    "Half of %p stood by the bridge to look at the flood. The cows were moved "
    "in time.",
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct templates {
    const char *const *text;
    size_t n;
} templates[2][2] = {
    { { honest_decided, N(honest_decided) },
        { honest_fresh, N(honest_fresh) } },
    { { scam_decided, N(scam_decided) }, { scam_fresh, N(scam_fresh) } },
};

static const struct slot {
    char letter;
    const char *words[8];
} slots[] = {
    { 'o', { "Tidewell", "the Tidewell office", "Brookmere",
               "the Brookmere desk", "Old Waterline", "the Waterline house",
               "Tidewell & Brook", "the Meter Hall" } },
    { 'c', { "water credits", "meter credits", "old water shares",
               "tide credits", "water credit notes", "meter shares",
               "well credits", "water dues" } },
    { 'n', { "Ines", "Tomas", "Ruth", "Bram", "Selma", "Joris", "Edith",
               "Kofi" } },
    { 'p', { "Harrow Lane", "Lindow", "the Old Harbour", "Fennmark",
               "Upper Quay", "Marlby", "the mill quarter", "Sandhurst Row" } },
    { 'm', { "640", "1,180", "$925", "over 800", "2,300 in all",
               "\xc2\xa3"
               "770",
               "1.450 euros", "close to 3,000" } },
    { 's', { "12", "$19", "18 euros", "a mere 25",
               "\xc2\xa3"
               "15",
               "nine fifty", "22.40", "14" } },
    { 'd', { "Monday", "the 14th", "Friday", "the 3rd", "Sunday evening",
               "Thursday", "the 29th", "Saturday" } },
};

size_t
wn_campaign_n(bool scam, bool fresh)
{
    return templates[scam][fresh].n;
}

static const char *
word(char letter, uint64_t random)
{
    for (size_t i = 0; i < N(slots); i++)
        if (slots[i].letter == letter)
            return slots[i].words[random % N(slots[i].words)];
    fail_msg("campaign: no slot %%%c", letter);
    return "";
}

void
wn_campaign_text(
    bool scam, bool fresh, size_t i, uint64_t seed, char *out, size_t out_bytes)
{
    const struct templates *t = &templates[scam][fresh];
    size_t n = 0;

    for (const char *p = t->text[i % t->n]; *p != '\0'; p++) {
        char own[2] = { *p, '\0' };
        const char *s = own;

        if (*p == '%')
            s = word(*++p, wn_test_random(&seed));
        assert_true(n + strlen(s) < out_bytes);
        n += strlen(strcpy(out + n, s));
    }
    out[n] = '\0';
    if (out[0] >= 'a' && out[0] <= 'z')
        out[0] = (char)(out[0] - 'a' + 'A');
}

/* --- files --- */

static FILE *
open_file(const char *path)
{
    FILE *f = fopen(path, "we");

    if (f == NULL)
        fail_msg("%s cannot be written", path);
    return f;
}

void
wn_campaign_decisions(const char *path, size_t n, uint64_t seed)
{
    FILE *f = open_file(path);
    char text[1024];

    for (size_t i = 0; i < n; i++) {
        bool scam = i % 7 < 4;
        uint64_t which = wn_test_random(&seed);

        wn_campaign_text(scam, false, which % 1000, wn_test_random(&seed), text,
            sizeof(text));
        fprintf(f,
            "{\"ref\":\"r%zu\",\"post_id\":\"p%zu\",\"author_id\":\"a%zu\","
            "\"text\":\"%s\",\"labels\":{\"scam\":%s},\"action\":\"%s\","
            "\"at\":\"2026-11-20T10:00:00Z\",\"staff\":\"ana\"}\n",
            i, i, i, text, scam ? "true" : "false", scam ? "remove" : "allow");
    }
    assert_int_equal(fclose(f), 0);
}

static void
put_fresh(FILE *f, bool scam, size_t each, uint64_t *seed)
{
    char text[1024];

    for (size_t i = 0; i < each * wn_campaign_n(scam, true); i++) {
        wn_campaign_text(
            scam, true, i, wn_test_random(seed), text, sizeof(text));
        fprintf(f,
            "{\"id\":\"%d-%zu\",\"text\":\"%s\",\"labels\":{\"scam\":%d},"
            "\"source\":\"%s\"}\n",
            scam, i, text, scam, scam ? "campaign" : "honest");
    }
}

void
wn_campaign_fresh(const char *path, size_t each, uint64_t seed)
{
    FILE *f = open_file(path);

    put_fresh(f, true, each, &seed);
    put_fresh(f, false, each, &seed);
    assert_int_equal(fclose(f), 0);
}
