# SPDX-License-Identifier: Apache-2.0
"""The cryptography of the test kit, which writes the vectors of encryption on its own: against the program age in both directions, the
age files of C2SP/CCTV and the XChaCha20-Poly1305 vectors of Wycheproof."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from age_test import with_terminal

ROOT = Path(os.environ["SAFEMODEL_SOURCE_DIR"])
CORPUS = ROOT.parent / "shared/corpus/vectors"
sys.path.insert(0, str(ROOT / "spec"))
try:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from testkit import aead, age
    from testkit.encryption import ALICE, BOB, PASSPHRASE, passphrase, wrap, wrap_content
    from testkit.envelope import BUILDER
    from testkit.reader import Refusal
    from testkit.reader import age as reader
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)


def decrypt(folder, identity, file):
    path = folder / "wrap.age"
    path.write_bytes(file)
    return subprocess.run(["age", "-d", "-i", str(identity), str(path)], check=True, stdout=subprocess.PIPE).stdout


def check_program(folder):
    keys = folder / "alice"
    keys.write_text(ALICE.text() + "\n")
    shown = subprocess.run(["age-keygen", "-y", str(keys)], check=True, stdout=subprocess.PIPE).stdout
    assert shown.decode().strip() == ALICE.recipient()
    assert decrypt(folder, keys, wrap(BOB, ALICE)[1]) == wrap_content()
    ssh = folder / "ssh"
    ssh.touch(0o600)
    ssh.write_bytes(BUILDER.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    file = wrap(BOB, lambda file_key, drawn: age.ssh_stanza(BUILDER.public, file_key, drawn))[1]
    assert decrypt(folder, ssh, file) == wrap_content()
    theirs = subprocess.run(["age", "-r", BOB.recipient(), "-r", ALICE.recipient()], input=wrap_content(), check=True,
                            stdout=subprocess.PIPE).stdout
    for identity in (ALICE, BOB):
        opened = reader.open_file(reader.parse(theirs), [reader.read_identity(identity.text())])
        assert opened == (wrap_content(), None)
    ours, plain = folder / "ours.age", folder / "plain"
    ours.write_bytes(wrap(passphrase())[1])
    code, seen = with_terminal(["age", "-d", "-o", str(plain), str(ours)], [PASSPHRASE.encode()])
    assert code == 0 and plain.read_bytes() == wrap_content(), seen
    print("age opens what the test kit seals for X25519, ssh-ed25519 and a passphrase; the test kit opens what age seals")


def answer(body, identities):
    """In the words of CCTV. We call a work factor over our limit by its name."""
    try:
        content, code = reader.open_file(reader.parse(body), identities)
    except reader.NotAge:
        return "header failure", None
    except Refusal as refusal:
        assert refusal.code == "scrypt_cost", refusal
        return "header failure", None
    words = {"no_identity": "no match", "wrong_passphrase": "no match", "age_mac": "HMAC failure",
             "age_payload": "payload failure", None: "success"}
    return words[code], content


def check_cctv():
    folder, asked = CORPUS / "cctv-age", 0
    if not folder.exists():
        print("skipped: the corpus has no cctv-age")
        return
    reader.MOST_BYTES = 1 << 30
    for path in sorted(folder.iterdir()):
        head, body = path.read_bytes().split(b"\n\n", 1)
        lines = [line.split(": ", 1) for line in head.decode().split("\n")]
        fields = dict(lines)
        secrets = [value for name, value in lines if name == "identity"]
        if "armored" in fields or any("-PQ-" in secret for secret in secrets):
            continue
        if fields.get("compressed") == "zlib":
            body = zlib.decompress(body)
        identities = [reader.read_identity(secret) for secret in secrets]
        identities += [reader.Identity(passphrase=value) for name, value in lines if name == "passphrase"]
        word, content = answer(body, identities)
        assert word == fields["expect"], (path.name, word, fields["expect"])
        if word == "success":
            assert hashlib.sha256(content).hexdigest() == fields["payload"], path.name
        asked += 1
    assert asked == 92, asked
    print("CCTV age: 92 files as stated")


def check_wycheproof():
    path, opened = CORPUS / "wycheproof/xchacha20_poly1305_test.json", 0
    if not path.exists():
        print("skipped: the corpus has no", path.name)
        return
    for group in json.loads(path.read_text())["testGroups"]:
        for test in group["tests"]:
            key, nonce, associated, plain, sealed, tag = (
                bytes.fromhex(test[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag"))
            right = len(nonce) == 24 and aead.unseal(key, nonce, associated, sealed + tag) == plain
            assert right == (test["result"] == "valid"), test
            assert not right or aead.seal(key, nonce, associated, plain) == sealed + tag
            opened += right
    assert opened == 246, opened
    print("Wycheproof xchacha20_poly1305: 246 open, and are sealed alike; the others do not")


def main():
    missing = [name for name in ("age", "age-keygen") if shutil.which(name) is None]
    if missing:
        print("skipped: there is no", ", ".join(missing))
        return 77
    with tempfile.TemporaryDirectory() as name:
        check_program(Path(name))
    check_cctv()
    check_wycheproof()
    return 0


if __name__ == "__main__":
    sys.exit(main())
