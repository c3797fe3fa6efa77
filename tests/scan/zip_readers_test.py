#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What PyTorch's own reader and Python's zipfile take from an archive, the scanner has judged.

Archives with several copies of `data.pkl`, lying headers, moved directories and so on are assembled byte by byte. In
each, one copy at a time holds a dangerous pickle: if a reader hands out that one, the scan must not be clean. The
readers return bytes; nothing is unpickled. Archives whose scan is clean are converted, and must hold what readers take.
SAFEMODEL_CLI names the program; exit code 77 when PyTorch is absent."""

import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings
import zipfile

import zip_readers_cases as cases

try:
    import torch
except ImportError as missing:
    print(f"SKIP: {missing}")
    sys.exit(77)

CLI = os.environ["SAFEMODEL_CLI"]
LEAST_FILES, LEAST_TAKEN, LEAST_CLEAN = 9000, 6000, 200


def torch_records(path):
    """What PyTorch returns for `data.pkl` and for every record that it lists, by name."""
    records = {}
    try:
        reader = torch._C.PyTorchFileReader(path)
        names = reader.get_all_records()
    except (RuntimeError, UnicodeDecodeError, MemoryError):
        return records
    for name in {"data.pkl", *names}:
        try:
            records[name] = reader.get_record(name)
        except (RuntimeError, MemoryError):
            pass
    return records


def zipfile_records(path):
    """What zipfile returns for every name, and for every entry of the directory."""
    records = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for number, info in enumerate(archive.infolist()):
                for key, wanted in ((info.filename, info.filename), (f"{info.filename}#{number}", info)):
                    try:
                        records[key] = archive.read(wanted)
                    except Exception:  # whatever it refuses, it hands to nobody
                        pass
    except Exception:
        pass
    return records


def scan(folder):
    done = subprocess.run([CLI, "scan", "--json", folder], capture_output=True, timeout=600)
    return {os.path.basename(report["path"]): report for report in json.loads(done.stdout)["inputs"]}


def rules(report):
    return sorted({finding["rule"] for finding in report["findings"]})


class Test:
    def __init__(self):
        self.counts = collections.Counter()
        self.failures = 0

    def fail(self, title, what):
        self.failures += 1
        if self.failures <= 20:
            print(f"FAIL {title}: {what}", flush=True)

    def check(self, title, path, report):
        """One archive: whoever hands out the dangerous pickle, the scan warned."""
        taken = []
        readers = {"torch": torch_records(path), "zipfile": zipfile_records(path)}
        for reader, records in readers.items():
            taken += [f"{reader} {name!r}" for name, content in records.items() if cases.calls(content)]
        self.counts["files"] += 1
        self.counts[report["verdict"]] += 1
        self.counts["readable by torch"] += bool(readers["torch"])
        if taken:
            self.counts["taken"] += 1
            self.counts["taken, the call is named"] += cases.RULE in rules(report)
            # Where headers lie about sizes of deflated bytes, readers take different parts, and some archives are unreadable.
            if report["verdict"] not in ("dangerous", "unreadable"):
                self.fail(title, f"{', '.join(taken)} returns the payload, the scan says {report['verdict']} {rules(report)}")
        if report["verdict"] == "clean":
            self.check_clean(title, path, readers)

    def check_clean(self, title, path, readers):
        """A clean archive is one for both readers, and a conversion holds what they take."""
        self.counts["clean, compared"] += 1
        pickles, storages = ({*taken_by(readers["torch"], record), *taken_by(readers["zipfile"], record)} for record in ("data.pkl", "data/0"))
        if len(pickles) != 1 or len(storages) != 1 or not readers["torch"] or not readers["zipfile"]:
            return self.fail(title, f"clean, but readers take {pickles} and {storages}")
        for step in (["convert", path, "-o", path + ".smd"], ["export", "--insecure-skip-verification", path + ".smd", "-o", path + ".safetensors"]):
            done = subprocess.run([CLI, *step], capture_output=True, text=True)
            if "ZIP-CRC" in done.stderr:  # a scan reads no tensors
                self.counts["clean, but the conversion finds a wrong checksum"] += 1
                return None
            if done.returncode != 0:
                return self.fail(title, f"clean, but: {done.stderr}")
        with open(path + ".safetensors", "rb") as file:
            content = file.read()
        size = int.from_bytes(content[:8], "little")
        names = [name for name in json.loads(content[8 : 8 + size]) if name != "__metadata__"]
        if names != [cases.mark_of(*pickles)] or content[8 + size :] not in storages:
            self.fail(title, f"readers take {cases.mark_of(*pickles)} and {storages}, the conversion holds {names} and {content[8 + size:]}")


def taken_by(records, record):
    """What a reader returns for a record, under whatever root; PyTorch regards no case and adds the root itself."""
    return [content for name, content in records.items() if name.split("#")[0].casefold() == record or name.split("#")[0].casefold().endswith("/" + record)]


def main():
    test = Test()
    with tempfile.TemporaryDirectory() as folder:
        titles = {}
        for number, (title, content) in enumerate(cases.files(random.Random(1))):
            name = f"{number:05}.pt"
            titles[name] = title
            with open(os.path.join(folder, name), "wb") as out:
                out.write(content)
        reports = scan(folder)
        warnings.simplefilter("ignore")  # zipfile's about equal names
        for name, title in titles.items():
            test.check(title, os.path.join(folder, name), reports[name])
    print(dict(test.counts))
    for what, least in (("files", LEAST_FILES), ("taken", LEAST_TAKEN), ("taken, the call is named", 0.99 * test.counts["taken"]), ("clean, compared", LEAST_CLEAN)):
        if test.counts[what] < least:
            test.fail(what, f"{test.counts[what]} of at least {least}")
    print(f"{test.failures} failures")
    sys.exit(test.failures > 0)


if __name__ == "__main__":
    main()
