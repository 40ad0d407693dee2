# Makes classifier/confusables.inc of Unicode's confusables.txt (UTS 39, https://www.unicode.org/Public/security/):
#
#     awk -f classifier/confusables.awk confusables.txt >classifier/confusables.inc
#
# Kept are letters of other scripts that look like one ASCII letter; but no small capitals, and none of a script that
# stands beside Latin without a space in ordinary text (Han, kana, Hangul, Burmese) or runs from right to left. Styled
# letters are left to NFKC. What looks like l, I and 1 alike is I where its name says that it is a capital.
function hex(s,   i, v) {
    for (i = 1; i <= length(s); i++)
        v = v * 16 + index("0123456789ABCDEF", substr(s, i, 1)) - 1
    return v
}
/^# Version:/ { version = $3 }
/^# ©/ { owner = substr($0, 3) }
# (m itself looks like rn there)
/^[0-9A-F]+ ;\t(00[4-7][0-9A-F]|0072 006E) ;/ {
    letter = $4 == ";" ? sprintf("%c", hex($3)) : "m"
    name = $0
    sub(/^.*\) /, "", name)
    sub(/ →.*/, "", name)
    if (letter !~ /[A-Za-z]/ || name !~ / (LETTER|SYLLABICS) / || name ~ / SMALL CAPITAL / || /\t#\* /) # no letter
        next
    if (name ~ /^(LATIN|MATHEMATICAL|FULLWIDTH|HALFWIDTH|DOUBLE|SCRIPT|BLACK|HANGUL|KATAKANA|HIRAGANA|BOPOMOFO|CJK|MYANMAR|ARABIC|HEBREW|NKO)/)
        next
    if (letter == "l" && name ~ / CAPITAL /)
        letter = "I"
    code[++n] = hex($1)
    look[code[n]] = letter
    capital[code[n]] = name ~ / CAPITAL /
}
# One row; six a line.
function row(out, c) {
    return out (out == "" || split(out, parts, ")") % 6 == 1 ? " \\\n    " : " ") sprintf("X(0x%04X, '%s')", c, look[c])
}
# For each ASCII letter the first of the script that looks so, of the same case.
function back(name, from, to, but,   i, c, out, seen) {
    for (i = 1; i <= n; i++) {
        c = code[i]
        if (c < from || c > to || index(but, sprintf(" %04X ", c)) || look[c] in seen || capital[c] != (look[c] ~ /[A-Z]/))
            continue
        seen[look[c]] = 1
        out = row(out, c)
    }
    print "#define " name "(X)" out
}
END {
    for (i = 2; i <= n; i++) {
        c = code[i]
        for (k = i - 1; k > 0 && code[k] > c; k--)
            code[k + 1] = code[k]
        code[k + 1] = c
    }
    for (i = 1; i <= n; i++)
        all = row(all, code[i])
    print "/*\n * Letters that look like a Latin one, X(code point, letter), by code point; and\n" \
        " * those of Cyrillic and Greek that a Latin letter is put in the place of.\n *\n" \
        " * Made by confusables.awk of Unicode's confusables.txt, version " version ".\n" \
        " * " owner "\n * Under the Unicode License: classifier/LICENSE.unicode.\n */\n/* clang-format off */"
    print "#define WN_LOOKS(X)" all
    back("WN_LOOKS_CYRILLIC", hex("0401"), hex("0457"), " 0405 0408 0455 ")
    back("WN_LOOKS_GREEK", hex("0391"), hex("03C9"), "")
    print "/* clang-format on */"
}
