#!/bin/sh
# The sample posts are JSON Lines with ids that differ, in many languages.
set -eu
f=deploy/samples/posts.jsonl
[ "$(jq -r ".post.lang // empty" $f | sort -u | wc -l)" -ge 10 ]
[ "$(jq -r .type $f | sort -u | wc -l)" -eq 3 ]
[ "$(jq -r "select(.type==\"post.created\") | .post.id" $f | sort -u | wc -l)" -ge 250 ]
