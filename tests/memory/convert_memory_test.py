# SPDX-License-Identifier: Apache-2.0
"""Converting streams: peak memory above the process's start stays under 256 MiB, whatever the size of the checkpoint.

SAFEMODEL_CLI names the program, SAFEMODEL_MEMORY_MIB the size of the checkpoint (512 by default; a release runs 2048).
This script stays small itself: Linux counts the memory of the parent at the time of the fork into a child's peak.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CLI = os.environ["SAFEMODEL_CLI"]
MEBIBYTES = int(os.environ.get("SAFEMODEL_MEMORY_MIB", "512"))
BOUND = 256 << 20


def peak_bytes(arguments):
    """Runs the program and returns its peak resident memory and its output."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([CLI, *arguments], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, f"exit code {child.returncode}"
        out.seek(0)
        return usage.ru_maxrss * 1024, out.read()


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("SAFEMODEL_MEMORY_FOLDER")) as name:
        folder = Path(name)
        source, target = folder / "checkpoint.pt", folder / "checkpoint.safemodel"
        maker = Path(__file__).with_name("make_checkpoint.py")
        subprocess.run([sys.executable, str(maker), str(source), str(MEBIBYTES)], check=True)
        start, _ = peak_bytes(["--version"])
        peak, out = peak_bytes(["convert", str(source), "-o", str(target), "--json"])
        report = json.loads(out)
        print(f"{source.stat().st_size >> 20} MiB checkpoint, {report['tensors']} tensors: peak {peak >> 20} MiB, start {start >> 20} MiB, container {report['container_bytes'] >> 20} MiB")
        assert report["tensors"] == 100_004
        # Equal but untied storages lie in the file once.
        assert report["container_bytes"] < source.stat().st_size * 3 // 4 + (64 << 20)
        assert peak - start < BOUND, "over the bound of 256 MiB"


if __name__ == "__main__":
    main()
