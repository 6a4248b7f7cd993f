"""The table of docs/api.md: python3 table.py NAME=RESULTS …, with the files that run.py --results wrote."""

import json
import sys

from run import CLASSES

columns = [argument.split("=", 1) for argument in sys.argv[1:]]
results = {name: json.loads(open(path).read()) for name, path in columns}
print("| Operation | Variants | " + " | ".join(results) + " |")
print("|---" * (len(results) + 2) + "|")
first = next(iter(results.values()))
for operation in [*sorted(first), "all"]:
    row = []
    for result in results.values():
        counts = [sum(one.get(name, 0) for key, one in result.items() if operation in (key, "all")) for name in CLASSES]
        row.append(" / ".join(map(str, counts)))
        total = sum(counts)
    print(f"| {operation} | {total} | " + " | ".join(row) + " |")
