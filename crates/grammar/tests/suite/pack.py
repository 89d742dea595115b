"""Packs a checkout of JSON-Schema-Test-Suite: pack.py CHECKOUT"""

import glob
import json
import os
import sys

for draft in ("draft7", "draft2020-12"):
    base = os.path.join(sys.argv[1], "tests", draft)
    files = {}
    for path in sorted(glob.glob(base + "/**/*.json", recursive=True)):
        with open(path) as file:
            files[os.path.relpath(path, base)[:-5]] = [
                {
                    "description": group["description"],
                    "schema": group["schema"],
                    "valid": [test["data"] for test in group["tests"] if test["valid"]],
                    "invalid": [test["data"] for test in group["tests"] if not test["valid"]],
                }
                for group in json.load(file)
            ]
    # A line a group, so that a diff shows what a newer suite changes.
    packed = [
        json.dumps(name) + ": [\n" + ",\n".join(json.dumps(group, separators=(",", ":")) for group in groups) + "\n]"
        for name, groups in files.items()
    ]
    with open(draft + ".json", "w") as file:
        file.write("{\n" + ",\n".join(packed) + "\n}\n")
