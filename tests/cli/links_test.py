#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cache of the Hugging Face Hub, where every file is a link into blobs/: envelopes are read through links, never written."""

import os
import shutil
import unittest

from cli_case import CliTest, floats, safetensors


class CacheTest(CliTest):
    def setUp(self):
        super().setUp()
        self.make_signed()
        self.run_cli("keygen", "-o", "second", "--no-passphrase")
        (self.path / "blobs").mkdir()
        (self.path / "snapshots/abc").mkdir(parents=True)

    def cache(self, *names):
        """Moves the files into the cache."""
        for name in names:
            shutil.move(self.path / name, self.path / f"blobs/of-{name}")
            (self.path / f"snapshots/abc/{name}").symlink_to(f"../../blobs/of-{name}")

    def blobs(self):
        return {p.name: p.read_bytes() for p in (self.path / "blobs").iterdir()}

    def test_a_container_with_its_envelope_beside_it(self):
        self.run_cli("convert", "m.safetensors", "-o", "d.safemodel")
        self.run_cli("sign", "d.safemodel", "-k", "k.key", "--detached")
        self.cache("d.safemodel", "d.safemodel.envelope")
        before = self.blobs()
        container = "snapshots/abc/d.safemodel"
        self.run_cli("verify", container, "--key", "k.pub")
        self.assertTrue(self.run_json("inspect", container, "--key", "k.pub")["authenticated"])
        self.run_cli("export", container, "-o", "out.safetensors", "--key", "k.pub")
        self.run_cli("verify", container, "--key", "second.pub", expect=1)
        for verb in (["sign", container, "-k", "second.key"], ["sign", container, "-k", "second.key", "--detached"]):
            refused = self.run_json(*verb, expect=4)
            self.assertIn("put a copy of that file in the place of the link", refused["message"])
            self.assertIn("blobs/of-d.safemodel.envelope", refused["subject"])
        self.assertEqual(self.blobs(), before)
        self.assertTrue((self.path / (container + ".envelope")).is_symlink())

    def test_a_link_that_leads_nowhere_is_not_no_envelope(self):
        """Else whoever takes the blob away makes readers believe the older envelope inside."""
        envelope = self.path / "m.safemodel.envelope"
        for target in ("nowhere", ".", "m.safemodel.envelope"):
            envelope.symlink_to(target)
            self.assertEqual(self.run_json("verify", "m.safemodel", "--key", "k.pub", expect=4)["files"][0]["stage"], "io")
            envelope.unlink()
        os.mkfifo(self.path / "fifo")
        envelope.symlink_to("fifo")
        self.run_cli("verify", "m.safemodel", "--key", "k.pub", expect=4)
        envelope.unlink()
        self.run_cli("verify", "m.safemodel", "--key", "k.pub")

    def test_files_and_folders_with_a_linked_envelope(self):
        (self.path / "folder").mkdir()
        self.write("folder/a", b"x")
        self.run_cli("sign", "m.safetensors", "-k", "k.key")
        self.run_cli("sign", "folder", "-k", "k.key")
        self.cache("m.safetensors", "m.safetensors.envelope", "folder.envelope")
        shutil.move(self.path / "folder", self.path / "snapshots/abc/folder")
        self.write("p.json", b"{}")
        before = self.blobs()
        for name in ("snapshots/abc/m.safetensors", "snapshots/abc/folder"):
            self.run_cli("verify", name, "--key", "k.pub")
            for verb in (["sign"], ["sign", "--update"], ["attest", "--predicate", "p.json", "--type", "slsa"]):
                refused = self.run_json(*verb, name, "-k", "second.key", expect=4)
                self.assertIn("not written through", refused["message"])
        self.assertEqual(self.blobs(), before)


if __name__ == "__main__":
    unittest.main()
