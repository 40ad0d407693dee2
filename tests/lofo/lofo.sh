#!/bin/sh
# Leave one family out: weights that never saw a family of sources are tried on all that it has. Ten folds, each of which
# is skipped where it is there already, so a run that was stopped goes on. Prints a table at the end.
#
#   tests/lofo/lofo.sh DATA BASE OUT [winnow train's flags]
#
# DATA has text/{train,dev,test}.jsonl.gz, BASE is the base model's folder, OUT gets a folder a fold (40 MB each).
set -eu
[ $# -ge 3 ] || { sed -n 2,8p "$0" >&2; exit 2; }
w=${BUILD:-build}/winnow
data=$1 base=$2 out=$3
shift 3
[ -s "$data/text/train.jsonl.gz" ] || { echo "lofo: no $data/text/train.jsonl.gz: nothing to do" >&2; exit 0; }
mkdir -p "$out"

families='sms_en sms_uci,sms_mendeley
sms_other sms_turkish,sms_indonesian,sms_thai
mail enron,phish_mail,ham_mail
telegram tg_spam,tg_swindlers
yt_x yt_comments,x_posts
headlines_en cb_headlines
headlines_other cb_turkish,cb_spanish,cb_indonesian
bots tweepfake,llm_tweets
reddit_docs reddit_gpt,llm_docs
reviews gen_reviews'

# All rows of the sources, and posts that are benign by their time to fill up negatives.
rows() { # SOURCES
    pattern=$(echo "$1" | sed 's/,/|/g')
    for part in train dev test; do
        zcat "$data/text/$part.jsonl.gz" | grep -E "\"source\": ?\"($pattern)\"" || true
    done
    zcat "$data/text/test.jsonl.gz" | grep -E '"source": ?"(tweeteval|xlmt)"'
}

echo "$families" | while read -r name sources; do
    [ ! -s "$out/$name.json" ] || continue
    echo "lofo: $name leaves out $sources"
    if [ ! -s "$out/$name/config.json" ]; then
        "$w" train --data "$data/text" --data model/data/feed --base "$base" --out "$out/$name" --leave-out "$sources" \
            --epochs 1 --rows-per-source 2000 --weight feed=2.5 --weight x_posts=2 --name "lofo-$name" "$@" \
            >"$out/$name.log" 2>&1 || { tail -3 "$out/$name.log" >&2; exit 1; }
        rm -rf "$out/$name.tuned"
    fi
    rows "$sources" >"$out/$name.jsonl"
    "$w" eval "$out/$name.jsonl" --weights "$out/$name" --parts --at fpr=0.05 --json "$out/$name.part" >/dev/null
    rm "$out/$name.jsonl"
    mv "$out/$name.part" "$out/$name.json"
done

# A pair counts with at least 50 positives and 200 negatives. own: the fold's threshold, from the other families' dev; at 5 %: the
# threshold that lets 5 % of the family's negatives through, and the recall there; encoder: its AUC alone; linear: recall of
# ngram.py's reader, where it was run.
row() { # FAMILY
    other=$out/$1.ngram.json
    [ -s "$other" ] || other=/dev/null
    jq -r --arg family "$1" --slurpfile n "$other" '.heads | to_entries[] | .key as $head | .value as $v | $v.all |
        select(.pos > 0 or .neg >= 200) |
        [$head, $family, .pos, .neg, .auc // "-", .auc_encoder // "-", $v.points[0].threshold, .at[0].recall // "-",
         (.at[0].recall_ci // ["-", "-"])[], .at[0].fpr // "-", $v.points[1].threshold, .at[1].recall // "-",
         ($n[0][$head].recall // "-")] | @tsv' "$out/$1.json"
}
printf '%-8s %-15s %6s %6s %6s %7s %6s %6s %-13s %6s %6s %6s %6s\n' head family pos neg auc encoder own recall '' fpr 'at 5%' recall linear
for f in "$out"/*.json; do
    case $f in *.ngram.json) ;; *) row "$(basename "$f" .json)" ;; esac
done | sort | awk -F '\t' '
    function n4(x) { return x == "-" ? x : sprintf("%.4f", x) }
    { yes = $3 >= 50 && $4 >= 200
      printf "%-8s %-15s %6d %6d %6s %7s %6s %6s %6s-%-6s %6s %6s %6s %6s%s\n", $1, $2, $3, $4, n4($5), n4($6), n4($7), n4($8), n4($9), n4($10),
          n4($11), n4($12), n4($13), n4($14), yes ? "" : " *"
      if (yes) { n[$1]++; r[$1] += $8; all++; sum += $8; if ($14 != "-") { both++; ours += $8; linear += $14 } } }
    END { for (h in n) printf "mean recall of %s: %.3f over %d\n", h, r[h] / n[h], n[h]
          if (all) printf "mean recall over %d pairs: %.3f (* does not count)\n", all, sum / all
          if (both) printf "over %d pairs: %.3f, linear %.3f\n", both, ours / both, linear / both }'
