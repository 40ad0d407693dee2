#!/usr/bin/env python3
"""What the transformers library makes of a folder of `winnow model export`, by the lines in the folder's own README.md.

    PYTHON tests/golden/export_logits.py FOLDER TEXTS OUT

TEXTS has a JSON string a line; OUT gets their logits, little-endian floats, (texts, labels). tests/unit/cmd_export.c runs
this where WN_TEST_PYTHON, or build/golden/venv/bin/python, has the library: `make build/golden/venv/.done` installs it.
"""
import json
import os
import re
import sys

import torch

BATCH = 8  # of several lengths, so that padding plays a part


def main():
    folder, texts_file, out_file = map(os.path.abspath, sys.argv[1:])
    torch.set_num_threads(1)
    with open(texts_file, encoding="utf-8") as f:
        texts = [json.loads(line) for line in f]
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as f:
        lines = re.search(r"```python\n(.*?)```", f.read(), re.S).group(1)
    os.chdir(folder)  # where README.md says that its lines are run
    names = {}
    exec(compile(lines, "README.md", "exec"), names)
    parts = [names["logits"](texts[i:i + BATCH]) for i in range(0, len(texts), BATCH)]
    torch.cat(parts).numpy().astype("<f4").tofile(out_file)


if __name__ == "__main__":
    main()
