#!/bin/sh
# `winnow run` itself, two of them, model and all, between a real broker and a real PostgreSQL: every record, audit row
# and output once, and the counters of /metrics are those of the tables. With 50,000 posts: make rig RIG='--worker
# build/winnow --posts 50000 --workers 2 --metrics'.
exec "${BUILD:-build}/tests/rig/rig" --worker "${BUILD:-build}/winnow" --posts 2000 --workers 2 --metrics \
    --seed "${WN_SEED:-1}"
