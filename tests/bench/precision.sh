#!/bin/sh
# int8 beside our own fp32 on held-out texts: AUC a head, and how many texts get the same flags and action of the default
# policy. precision.sh FILE.jsonl.gz [N]: every Nth text; writes build/bench/precision.txt too. 25 minutes for 30,000 texts.
set -eu
w=${BUILD:-build}/winnow
file=$1
every=${2:-1}
dir=build/bench/precision
[ -r "$file" ] || { echo "bench-precision: skipped: $file is not there (DATA= names the data)"; exit 0; }
mkdir -p "$dir"
zcat "$file" >"$dir/all.jsonl"
awk -v n="$every" 'NR % n == 0' "$dir/all.jsonl" >"$dir/labelled.jsonl"
rm "$dir/all.jsonl"
jq -c '{id: (input_line_number | tostring), text}' "$dir/labelled.jsonl" >"$dir/texts.jsonl"

# NAME OPTIONS...: scores and measures in one way. Not through a pipe: it would hide a failure.
names=
measure() {
    name=$1; shift
    names="$names $name"
    echo "scoring and measuring: $name" >&2
    "$w" score --jsonl "$@" <"$dir/texts.jsonl" >"$dir/$name.jsonl"
    jq -c '[.flags, .action]' "$dir/$name.jsonl" >"$dir/$name.verdicts"
    rm "$dir/$name.jsonl"
    [ "$(wc -l <"$dir/$name.verdicts")" -eq "$texts" ] ||
        { echo "bench-precision: $name: not a line for each of $texts texts" >&2; exit 1; }
    "$w" eval "$dir/labelled.jsonl" --json "$dir/$name.json" "$@" >"$dir/$name.eval"
}
texts=$(wc -l <"$dir/texts.jsonl")
measure fp32 --model.precision=fp32
measure bf16 --model.precision=bf16
measure int8
measure int8-avx2 --kernels.isa=avx2
measure int8-fine-avx2 --kernels.isa=avx2 --model.precision=int8-fine

{
    printf '%s texts of %s\n%-16s %10s %10s %10s %10s %10s   %s\n' "$texts" "$(basename "$file")" '' spam scam bait ai_text \
        'agreement' '(AUC a head; same flags and action as fp32)'
    for name in $names; do
        same=$(paste -d ' ' "$dir/fp32.verdicts" "$dir/$name.verdicts" | awk '{ n++; if ($1 == $2) same++ } END { printf "%.2f %%", 100 * same / n }')
        jq -r --arg name "$name" --arg same "$same" '[$name, (.heads | .spam, .scam, .bait, .ai_text | .all.auc * 100000 | round / 100000), $same]
            | @tsv' "$dir/$name.json" | awk -F '\t' '{ printf "%-16s %10s %10s %10s %10s %10s\n", $1, $2, $3, $4, $5, $6 }'
    done
} >build/bench/precision.txt
cat build/bench/precision.txt
