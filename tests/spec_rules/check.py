#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the catalogue of rules with its page, and both with the codes that the sources give and
the tests name.

    check.py ROOT          checks the tree at ROOT
    check.py --self-test   checks that each difference is found
"""

import re
import sys
import tempfile
from pathlib import Path

ENTRY = re.compile(r'^SAFEMODEL_RULE\((.*?)\)$', re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^### ([A-Z0-9-]+)$", re.MULTILINE)
FACTS = re.compile(r"^Verdict: ([a-z ]+)\. Severity: (\w+)\. ATLAS: ([A-Z0-9., a-z]+)\.$", re.MULTILINE)
VERDICTS = {"D": "dangerous", "X": "unreadable", "U": "unknown", "N": "note"}
CODE = re.compile(r'"((?:GLOBAL|CALL|NEW|EXT|CODE|STATE|ITEMS|PKL|FILE|NATIVE|ZIP|TAR|WRAP|TORCH|JOBLIB|NPY|MEM|STRUCT|LIMIT|SECRET)-[A-Z0-9-]+)"')

EXPECTED = re.compile(CODE.pattern.replace('"', '(?:"|"[a-z]+ )', 1))  # "limit LIMIT-MEMO" names its stage too


def rules_of_table(root):
    """(id, verdicts, severity, ATLAS ids, title, advice) of each entry."""
    text = (root / "libsafemodel/pickle/scan_rules.inc").read_text()
    rules = []
    for body in ENTRY.findall(text):
        severity = re.search(r",\s*k(\w+),", body).group(1).lower()
        joined = re.sub(r'"\s*\n\s*"', "", body)
        rule, verdicts, atlas, title, advice = re.findall(r'"([^"]*)"', joined)
        words = " or ".join(VERDICTS[letter] for letter in verdicts)
        rules.append((rule, words, severity, ", ".join(atlas.split()) or "none", title, advice))
    assert rules and len(rules) == text.count("SAFEMODEL_RULE("), "an entry of the table cannot be read"
    return rules


def rules_of_page(root):
    parts = SECTION.split((root / "spec/scan-rules.md").read_text())
    rules = []
    for rule, body in zip(parts[1::2], parts[2::2]):
        body = re.split(r"^## ", body, flags=re.MULTILINE)[0]
        words, severity, atlas = FACTS.search(body).groups()
        title = re.search(r"^\*(.*)\.\*$", body, re.MULTILINE).group(1)
        advice = " ".join(body.split("What to do: ")[1].split())
        rules.append((rule, words, severity, atlas, title[0].lower() + title[1:], advice))
    return rules


def severity_expected(rule, words):
    """The severity that the page's introduction promises for the gravest verdict."""
    if rule.startswith("SECRET-"):
        return "high"
    if words.startswith("dangerous"):
        return "high" if rule.startswith("GLOBAL-") else "critical"
    return {"unreadable": "high", "unknown": "medium", "note": "note"}[words.split()[0]]


def codes_of_sources(root):
    codes = {}
    for path in sorted((root / "libsafemodel").rglob("*")):
        if path.suffix in (".cc", ".h"):
            for code in CODE.findall(path.read_text()):
                codes.setdefault(code, path.relative_to(root))
    return codes


def codes_of_tests(root):
    """The rules that the tests of the scanner name: C++ cases, rows, and the files of real libraries."""
    paths = [path for folder in ("pickle", "scan", "interop", "cli") for path in (root / "tests" / folder).glob("*") if path.suffix in (".cc", ".py")]
    return {code for path in paths for code in EXPECTED.findall(path.read_text())}


def check(root):
    table, page = rules_of_table(root), rules_of_page(root)
    problems = [f"only in the table, or otherwise there: {rule}" for rule in table if rule not in page]
    problems += [f"only on the page, or otherwise there: {rule}" for rule in page if rule not in table]
    ids = [rule[0] for rule in table]
    if ids != sorted(set(ids)):
        problems.append("the ids of the table do not ascend")
    if len(page) != len({rule[0] for rule in page}):
        problems.append("a rule stands on the page twice")
    problems += [f"{rule[0]}: severity {rule[2]}, its verdict promises another" for rule in table if severity_expected(*rule[:2]) != rule[2]]
    techniques = set(re.findall(r"^\| (AML\.T[0-9.]+) \|", (root / "spec/scan-rules.md").read_text(), re.MULTILINE))
    problems += [f"{rule[0]}: {name} is not explained" for rule in table for name in rule[3].split(", ") if name != "none" and name not in techniques]
    emitted = codes_of_sources(root)
    problems += [f"{code} is used in {where} and is in no catalogue" for code, where in emitted.items() if code not in ids]
    problems += [f"{code} is in the catalogue, and no source gives it" for code in ids if code not in emitted]
    tested = codes_of_tests(root)
    problems += [f"{code} is in the catalogue, and no test names it" for code in ids if code not in tested]
    return len(table), problems


TABLE = """SAFEMODEL_RULE("PKL-ONE", "X", kHigh, "AML.T0076", "it is "
               "one", "Do it.")
SAFEMODEL_RULE("PKL-TWO", "DU", kCritical, "", "it is two", "Do it.")
"""
PAGE = """| AML.T0076 | Corrupt AI Model |

## A

### PKL-ONE

*It is one.*

Verdict: unreadable. Severity: high. ATLAS: AML.T0076.

Words.
What to do: Do
it.

### PKL-TWO

*It is two.*

Verdict: dangerous or unknown. Severity: critical. ATLAS: none.

What to do: Do it.
"""
SOURCE = 'return Error{Stage::kMalformed, "PKL-ONE", "x"};\nRefuse("PKL-TWO", "y");\n'
TEST = 'Row(stream, "PKL-ONE")\nRow(stream, "PKL-TWO")\n'
WRONG = [
    (TABLE.replace("X", "U"), PAGE, SOURCE),
    (TABLE.replace("one", "won"), PAGE, SOURCE),
    (TABLE, PAGE.replace("Do it", "Do not"), SOURCE),
    (TABLE, PAGE.replace("PKL-TWO", "PKL-SIX"), SOURCE),
    (TABLE.replace("kHigh", "kNote"), PAGE.replace("Severity: high", "Severity: note"), SOURCE),
    (TABLE, PAGE.replace("| AML.T0076 |", "| AML.T0077 |"), SOURCE),
    (TABLE.replace("PKL-ONE", "PKL-ZED"), PAGE.replace("PKL-ONE", "PKL-ZED"), SOURCE.replace("PKL-ONE", "PKL-ZED"), TEST.replace("PKL-ONE", "PKL-ZED")),
    (TABLE, PAGE, SOURCE + SOURCE.replace("PKL-ONE", "MEM-NONE")),
    (TABLE, PAGE, SOURCE.replace("PKL-ONE", "PKL-TWO")),
    (TABLE, PAGE, SOURCE, TEST.replace("PKL-ONE", "PKL-TWO")),
    (TABLE, PAGE + PAGE.split("## A")[1], SOURCE),
]


def self_test():
    for number, (table, page, source, *test) in enumerate([(TABLE, PAGE, SOURCE), *WRONG]):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            (root / "libsafemodel/pickle").mkdir(parents=True)
            (root / "spec").mkdir()
            (root / "libsafemodel/pickle/scan_rules.inc").write_text(table)
            (root / "libsafemodel/pickle/judge.cc").write_text(source)
            (root / "tests/scan").mkdir(parents=True)
            (root / "tests/scan/rows.py").write_text(test[0] if test else TEST)
            (root / "spec/scan-rules.md").write_text(page)
            count, problems = check(root)
            assert count == 2 and bool(problems) == (number > 0), (number, problems)
    print(f"{len(WRONG)} differences found")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    count, problems = check(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{count} rules, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
