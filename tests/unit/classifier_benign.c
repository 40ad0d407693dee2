/*
 * What ordinary text means is what is hardened of it: no words joined, no
 * letters folded, nothing counted, whatever the language, and no second view
 * that would cost an encoder. Sentences of our own.
 */
#include "classifier/text.h"

#include "tests/lib/test.h"

static struct wn_text text;
static struct wn_err err;

static int
start(void **state)
{
    (void)state;
    wn_text_init(&text);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    wn_text_release(&text);
    return 0;
}

static void
harden(const char *in)
{
    assert_wn_ok(wn_text_harden(&text, in, strlen(in), &err), &err);
}

static void
assert_nothing_counted(const char *in)
{
    size_t hidden = text.invalid + text.zero_width + text.bidi + text.tags;
    size_t disguised = text.combining + text.styled + text.confusables +
                       text.mixed_script_words;
    size_t shaped = text.spaced_words + text.leet_words + text.repeats;

    if (hidden + disguised + shaped != 0)
        fail_msg("\"%s\": hidden %zu disguised %zu shaped %zu", in, hidden,
            disguised, shaped);
}

static void
assert_unharmed(const char *in, const char *out)
{
    harden(in);
    if (strcmp(text.data, out) != 0)
        fail_msg("\"%s\" -> \"%s\"", in, text.data);
    assert_nothing_counted(in);
}

/* Hardened they are the same, and there is no second view: but in German and
 * Estonian, which write three and four of a letter. */
/* clang-format off */
static const struct sentence {
    const char *language, *text;
} sentences[] = {
    { "English", "The cook’s naïve café plan: two eggs, a pinch of salt — and hope." },
    { "German", "Die Donaudampfschifffahrt hält in Flussschiffnähe; süßer Schneeregen stört die Straße." },
    { "French", "L’été où nous étions à Orléans, il y a eu des œufs çà et là." },
    { "Spanish", "¿Y tú, o él, a qué hora coméis? ¡Mañana a las ocho u ocho y media!" },
    { "Portuguese", "Não é à toa que o avô e a avó dão pão às crianças." },
    { "Italian", "Perché è là e non qui? E a me? O a te?" },
    { "Catalan", "El col·legi és al carrer de l’Església, a prop d’un paral·lel." },
    { "Polish", "Z domu i w las, a w lesie o świcie łoś i źrebię żują mech." },
    { "Czech", "V létě i v zimě s kočkou a k tomu u pece: příliš žluťoučký kůň." },
    { "Slovak", "Ľúbim ťa, a v noci k nám i s bratom príde môj ujo." },
    { "Croatian", "Čak i u šumi, a o tome s njim: đak, žaba i ljuljačka." },
    { "Hungarian", "Az őr és a fű között ő áll, űzött tükörfúrógéppel." },
    { "Romanian", "Și pădurea, și țara își știu bătrânii; a o vedea e o bucurie." },
    { "Turkish", "Ilık bir ışık, ağaçların ığıl ığıl gölgesi; şimdi çok güzel." },
    { "Vietnamese", "Tôi thích ăn phở vào buổi sáng ở Huế, và uống cà phê sữa đá." },
    { "Finnish", "Hääyöaie ei ole maa-ala, vaan raa’an riista-aterian loppu." },
    { "Estonian", "Jäääärsed jõed ja kuuuurijate töööö, mis ei lõpe hommikul." },
    { "Swedish", "På ön å i ån: smörgåsar, räksallad och en rågbulle." },
    { "Danish", "Rødgrød med fløde og blåbær på en ø i åen." },
    { "Icelandic", "Það er þoka á Ægissíðu og óðum kólnar við bæinn." },
    { "Dutch", "De zeeën zijn koud; ’s ochtends eten we geen zeeëgel, zo’n dag." },
    { "Lithuanian", "Žąsis įkąsė šuniui į ūsą, o ėriukas bėgo." },
    { "Welsh", "Yn Llanfair y mae'r ŵyn a'r tŷ ar ŵyl." },
    { "Irish", "Tá an ghrian ag taitneamh ar an bhóthar ó dheas." },
    { "Yoruba", "Ọmọ náà ń jẹ ẹ̀wà, ó sì ń mu omi tútù ní ọjà." },
    { "Hausa", "Ɓera ya ƙi cin ƙwai, ɗan ƙaramin kare ya gudu." },
    { "Swahili", "Watoto wanacheza mpira uwanjani wakati wa jioni." },
    { "Greek", "Ο καφές και η ανηφόρα: ποιος είπε ότι τα κάστανα είναι ώριμα;" },
    { "Ancient Greek", "Ἐν ἀρχῇ ἦν ὁ ποιμήν, καὶ ᾧ ἔδωκεν ἄρτον ἐχάρη." },
    { "Russian", "А я и в саду, и у реки: о, как хорошо с утра! Всё ещё за́мок." },
    { "Ukrainian", "Є й у нас, і в них ґанок; їжак і я з’їли пиріг." },
    { "Belarusian", "Ў лесе і ў полі, а я ў хаце: дзядуля п’е гарбату." },
    { "Bulgarian", "Щъркелът и аз сме в Пловдив, а ѝ казах, че е късно." },
    { "Serbian", "Ћерка и ја у џепу носимо љешник, њушкало и ђердан." },
    { "Macedonian", "Ѕвездите и јас сме кај езерото, а ќе одиме дома." },
    { "Kazakh", "Әже мен ата үйде отыр, қызы өзенге кетті, һәм құс ұшты." },
    { "Mongolian", "Өвөө бид хоёр өглөө эрт үүрийн гэгээгээр мордлоо." },
    { "Armenian", "Այսօր եղանակը լավ է, եւ մենք գնում ենք շուկա։" },
    { "Georgian", "დღეს კარგი ამინდია და ჩვენ ბაზარში მივდივართ." },
    { "Hebrew", "הַיֶּלֶד אָכַל תַּפּוּחַ, וְאַחַר כָּךְ רָץ הַבַּיְתָה עם חבריו." },
    { "Yiddish", "דאָס קינד שפּילט אין גאַס און די באָבע קאָכט." },
    { "Arabic", "ذَهَبَ الوَلَدُ إِلى السُّوقِ، واشترى خبزًا وتمرًا و عسلًا." },
    { "Urdu", "آج موسم بہت اچھا ہے اور بچے باغ میں کھیل رہے ہیں۔" },
    { "Hindi", "ये तो वो है जो हम कल से ढूँढ रहे थे, और माँ ने चाय बनाई।" },
    { "Marathi", "आज सकाळी पाऊस पडला आणि मुले शाळेत गेली." },
    { "Bengali", "আজ সকালে বৃষ্টি হয়েছে আর আমরা চা খাচ্ছি।" },
    { "Gurmukhi", "ਅੱਜ ਮੀਂਹ ਪੈ ਰਿਹਾ ਹੈ ਤੇ ਬੱਚੇ ਘਰ ਵਿੱਚ ਹਨ।" },
    { "Gujarati", "આજે બજારમાં કેરી બહુ સરસ મળે છે." },
    { "Tamil", "இன்று காலை நாங்கள் சந்தைக்கு போய் மீன் வாங்கினோம்." },
    { "Telugu", "ఈ రోజు మా ఊరిలో జాతర జరుగుతోంది." },
    { "Kannada", "ಇಂದು ಮಳೆ ಬಂದಿದೆ, ನಾವು ಮನೆಯಲ್ಲಿ ಇದ್ದೇವೆ." },
    { "Malayalam", "ഇന്ന് മഴ പെയ്തു, കുട്ടികൾ വീട്ടിൽ കളിക്കുന്നു." },
    { "Sinhala", "අද උදේ අපි වෙළඳපොළට ගිහින් පලතුරු ගත්තා." },
    { "Thai", "วันนี้อากาศดีมาก เราไปตลาดซื้อผลไม้กันนะ ๆ" },
    { "Lao", "ມື້ນີ້ອາກາດດີ ພວກເຮົາໄປຕະຫຼາດ" },
    { "Khmer", "ថ្ងៃនេះអាកាសធាតុល្អ ហើយយើងទៅផ្សារ" },
    { "Burmese", "ဒီနေ့ ရာသီဥတု ကောင်းတယ်၊ ဈေးသွားမယ်။" },
    { "Tibetan", "དེ་རིང་གནམ་གཤིས་ཡག་པོ་འདུག" },
    { "Amharic", "ዛሬ አየሩ ጥሩ ነው፣ ወደ ገበያ እንሄዳለን።" },
    { "Japanese", "今日はTシャツを着て、3Dプリンターの説明会へ行ったよー。ラーメンも食べた!" },
    { "Korean", "그 때 그 집 앞 더 잘 할 수 있는 나 너 우리 ᄏᄏᄏ PC방에서 만나요." },
    { "Chinese", "我在卡拉OK唱歌,哈哈哈,AA制吧。穿T恤去看AI大会,人山人海。" },
    { "Cherokee", "ᎣᏏᏲ ᎤᏍᏗ ᎠᏂᏣᎳᎩ ᎤᏂᏬᏂᎯᏍᏗ." },
};

/* Not of a language. */
static const char *const snippets[] = {
    "U.S.A., U.K. and the U.N.; e.g. at 5 p.m., i.e. late, a.k.a. dusk",
    "NASA, IEEE 754, AAA batteries, WWW, HTTP/2, XXL and the BBC",
    "ieee, sooo nice, www is old, World War III, Louis XVIII, viii.",
    "Update to v1.2.3-rc4, then 10.0.0.1:8080, UTF-8 and C++20.",
    "It was $1,299.00, now 1.000.000 EUR or £5 at 50 % off, $5m more",
    "On 2026-11-23 at 09:00:30, call 030 1234567 or 555-0142.",
    "1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. O-O Nf6 5. Re1 b5 O-O-O",
    "a b c of it, plan A B or C, vitamins A B C D E",
    "Tuned E A D G, chords C G A F, grades A B B C",
    "for (i = 0; i < n; i++) a[i] = b[j] * c + d - e;",
    "tar -x -v -f -z out.tar && ls -l -a -h -t",
    "x, y, w, h = box; r,g,b,a = px; f(a,b,c,d)",
    "a = b + c + d + e; p/q/r/s; s|t|u|v; k:l:m:n",
    "J. R. R. Tolkien, C. S. Lewis and E. E. Cummings",
    "x.y.z, a-b-c, q_r_s and A/B/C tests",
    "see http://a.b.c.d.example/f-r-e-e/aaaaaaaa?p=1111111111",
    "www.aaaaaa.example.com, ooooo.com, mail user@yyyyy.example",
    "TNFα, NFκB, ρgh, 5 μm, ΔT, kΩ, β-blocker, π ≈ 3.14",
    "SMSка, PHPшник, IT-отдел, VIPы и USB-кабель",
    "ˈɹiːdɪŋ is how reading is said, and ə is a schwa",
    "Yes - no - yes - no, one.two.three.four, it's a U S thing",
    "#hashtag @ home, 50/50, 24/7, n/a, w/o, R&B, AC/DC, P.S.",
    "\\_(ツ)_/ and (╯°□°)╯ or :-) ;-) <3",
    "H2O and CO2 at 25 °C, E = mc2, x2 + y2 = z2",
    "5x faster, 4K at 60fps, 3rd, 2nd, 1st, 10th, mp3, mp4, 5G",
    "<b>bold</b> [link](https://example.org/x) `code_here` ==yes==",
    "I am, I a m, O K, o k",
    "no!no!no! ... wait; really?? yes!!!!! -----",
    "a b\nc d\ne f",
};
/* clang-format on */

static bool
writes_three_letters(const char *language)
{
    return strcmp(language, "German") == 0 || strcmp(language, "Estonian") == 0;
}

static void
sentences_of_sixty_languages_are_unharmed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        assert_unharmed(sentences[i].text, sentences[i].text);
        if ((text.view.len > 0) != writes_three_letters(sentences[i].language))
            fail_msg("%s: view \"%s\"", sentences[i].language,
                text.view.len > 0 ? text.view.data : "");
    }
}

/* One after the other, so that each stands beside each script. */
static void
sentences_side_by_side_are_unharmed(void **state)
{
    size_t n = sizeof(sentences) / sizeof(sentences[0]);
    char in[4096];

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k += 7) {
            snprintf(in, sizeof(in), "%s %s\n%s", sentences[i].text,
                sentences[k].text, sentences[i].text);
            assert_unharmed(in, in);
        }
}

static void
snippets_are_unharmed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(snippets) / sizeof(snippets[0]); i++)
        assert_unharmed(snippets[i], snippets[i]);
}

/* What is not for the eye goes, as in training, and is no evidence. */
static void
joiners_and_selectors_of_ordinary_text_are_not_counted(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        { "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466 and "
          "\U0001F469\U0001F3FD\u200D\U0001F680 \u2764\uFE0F\u200D\U0001F525",
            "\U0001F468\U0001F469\U0001F467\U0001F466 and "
            "\U0001F469\U0001F3FD\U0001F680 \u2764\U0001F525" },
        { "\U0001F3F3\uFE0F\u200D\U0001F308 1\uFE0F\u20E3 2\uFE0F\u20E3",
            "\U0001F3F3\U0001F308 1\u20E3 2\u20E3" },
        { "\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7 v \U0001F1E7\U0001F1F7 "
          "\U0001F3F4\U000E0067\U000E0062\U000E0077\U000E006C\U000E0073"
          "\U000E007F!",
            "\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7 v "
            "\U0001F1E7\U0001F1F7 \U0001F3F4!" },
        /* Persian, Hindi, Bengali, Khmer, Hebrew */
        { "\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645 "
          "\u0622\u0646\u200C\u0647\u0627 \u0648",
            "\u0645\u06CC\u062E\u0648\u0627\u0647\u0645 "
            "\u0622\u0646\u0647\u0627 \u0648" },
        { "\u0915\u094D\u200D\u0937", "\u0915\u094D\u0937" },
        { "\u09B0\u200D\u09CD\u09AF", "\u09B0\u09CD\u09AF" },
        { "\u1791\u17C5\u200B\u1795", "\u1791\u17C5\u1795" },
        { "\u05E9\u05DC \u200Eabc\u200F \u05E2\u05D5",
            "\u05E9\u05DC abc \u05E2\u05D5" },
        /* fullwidth beside Han */
        { "\uFF21\uFF22\uFF23\u4F1A\u793E\uFF11\uFF12", "ABC\u4F1A\u793E12" },
        /* what NFC has one character for, in two and three */
        { "Vie\u0323\u0302t, e\u0301te\u0301, \u03B1\u0314\u0342\u0345",
            "Vi\u1EC7t, \u00E9t\u00E9, \u1F87" },
        /* one circled digit, one letter in brackets, a blood group, no-entry */
        { "\u249C x \u249D y", "(a) x (b) y" },
        { "\u2460 \u249C \U0001F17E+ \u2260 a=\u0338b",
            "1 (a) O+ \u2260 a\u2260b" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        assert_unharmed(t[i].in, t[i].out);
}

/* A heading in spaced letters is read as its words. */
static void
spaced_headings_keep_their_words_apart(void **state)
{
    (void)state;
    harden("C H A P T E R   O N E\nIt was late.");
    assert_string_equal(text.data, "CHAPTER ONE\nIt was late.");
    harden("N E W S - today");
    assert_string_equal(text.data, "NEWS - today");
    harden("C H A P T E R   1");
    assert_string_equal(text.data, "CHAPTER 1");
}

/* A long number is somebody's; what is shorter says something. */
static void
only_long_numbers_lose_their_end(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = { { "call 004915112345678 now", "call 004900000000000 now" },
        { "IBAN DE89370400440532013000", "IBAN DE89370000000000000000" },
        { "12345678 and 100000000", "12345678 and 100000000" },
        { "https://wa.example/004915112345678",
            "https://wa.example/004915112345678" },
        { "wa.example/004915112345678", "wa.example/004915112345678" } };

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        assert_unharmed(t[i].in, t[i].out);
}

/* What a sentence may mean is left, and read otherwise in the second view. */
static void
what_is_doubtful_is_left_to_the_second_view(void **state)
{
    static const struct {
        const char *in, *view;
    } t[] = { { "I a m", "Iam" }, { "N.A.T.O. met", "NATO. met" },
        { "R.S.V.P. by May", "RSVP. by May" }, { "Schifffahrt", "Schiffahrt" },
        { "md5sum", "mdssum" }, { "the gene TNF\u03B1 is", "the gene TNFa is" },
        { "SMS\u043A\u0430 on", "SMSka on" } };

    (void)state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        harden(t[i].in);
        assert_string_equal(text.data, t[i].in);
        assert_string_equal(text.view.data, t[i].view);
    }
}

/* A policy must see the links that a post has, not what they look like. */
static void
links_and_addresses_are_never_folded(void **state)
{
    static const char *const links[] = { "p\u0430ypal.example/login",
        "http://\u0440\u0430ypal.com", "g00gle.com", "aaaaaaa.com",
        "f-r-e-e.example.com", "f.r.e.e.example/x", "user@g00gle.com",
        "user@p\u0430y.example", "hxxp://f-r-e-e[.]com" };

    (void)state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        harden(links[i]);
        assert_string_equal(text.data, links[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sentences_of_sixty_languages_are_unharmed),
    cmocka_unit_test(sentences_side_by_side_are_unharmed),
    cmocka_unit_test(snippets_are_unharmed),
    cmocka_unit_test(joiners_and_selectors_of_ordinary_text_are_not_counted),
    cmocka_unit_test(spaced_headings_keep_their_words_apart),
    cmocka_unit_test(only_long_numbers_lose_their_end),
    cmocka_unit_test(what_is_doubtful_is_left_to_the_second_view),
    cmocka_unit_test(links_and_addresses_are_never_folded),
};

int
main(void)
{
    return wn_test_run("classifier/benign", tests,
        sizeof(tests) / sizeof(tests[0]), start, finish);
}
