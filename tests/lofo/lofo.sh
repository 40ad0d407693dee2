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
    "$w" eval "$out/$name.jsonl" --weights "$out/$name" --json "$out/$name.part" >/dev/null
    rm "$out/$name.jsonl"
    mv "$out/$name.part" "$out/$name.json"
done

# A pair counts with at least 50 positives and 200 negatives.
printf '%-10s %-16s %7s %7s %7s %18s %7s %7s\n' head family pos neg auc 'recall (95 %)' fpr counts
for f in "$out"/*.json; do
    jq -r --arg family "$(basename "$f" .json)" '.heads | to_entries[] | select(.value.all.positives > 0 or .value.all.negatives >= 200) |
        [.key, $family, .value.all.positives, .value.all.negatives, .value.all.auc, .value.all.at[0].recall,
         (.value.all.at[0].recall_ci // [null, null])[0], (.value.all.at[0].recall_ci // [null, null])[1], .value.all.at[0].fpr] | @tsv' "$f"
done | sort | awk -F '\t' '{ yes = $3 >= 50 && $4 >= 200
    printf "%-10s %-16s %7d %7d %7s %6s (%s-%s) %7s %7s\n", $1, $2, $3, $4, substr($5, 1, 6), substr($6, 1, 6), substr($7, 1, 5), substr($8, 1, 5), substr($9, 1, 6), yes ? "yes" : "no"
    if (yes) { n[$1]++; r[$1] += $6; all++; sum += $6 } }
    END { for (h in n) printf "mean recall of %s: %.3f over %d\n", h, r[h] / n[h], n[h]
          if (all) printf "mean recall over %d pairs: %.3f\n", all, sum / all }'
