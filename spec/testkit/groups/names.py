# SPDX-License-Identifier: Apache-2.0
"""X: paths of packed files, refused when the container is opened and not only when they are written to a disk."""

from ..model import File
from .base import tiny, vector


def paths(*names):
    """A model with a file of each name, on one object; in ascending order unless a vector is about the order."""
    return tiny(files=[File(name, 2) for name in names])


def vectors():
    yield vector("X0-paths-ok", "ok", "D-FILES D-PATHS", "ordinary paths", at="content",
                 model=paths(".config", "a b/c-d_e.json", "größe.txt", "tokenizer/vocab.json"))
    for name, path in [
        ("dot-dot", ".."),
        ("dot-dot-inside", "a/../b"),
        ("dot-dot-first", "../b"),
        ("absolute", "/a"),
        ("network", "//h/s"),
        ("empty-component", "a//b"),
        ("dot", "./a"),
        ("dot-alone", "."),
        ("slash-last", "a/"),
        ("empty", ""),
    ]:
        yield vector(f"X1-{name}", "malformed", "D-PATHS", "a path that leaves its folder, or has two spellings",
                     twin="X0-paths-ok", model=paths(path))
    yield vector("X1-components-32-ok", "ok", "L-LIMITS", "32 components", model=paths("/".join("a" * 32)))
    yield vector("X1-components-33", "limit", "L-LIMITS", "33 components", twin="X1-components-32-ok",
                 model=paths("/".join("a" * 33)))
    yield vector("X1-component-255-ok", "ok", "L-LIMITS", "a component of 255 bytes", model=paths("n" * 255))
    yield vector("X1-component-256", "limit", "L-LIMITS", "a component of 256 bytes", twin="X1-component-255-ok",
                 model=paths("n" * 256))
    for name, path in [
        ("backslash", "a\\b"),
        ("drive", "C:x"),
        ("stream", "a:b"),
        ("nul", b"a\0b"),
        ("newline", "a\nb"),
        ("c1", "a\x85b"),
        ("final-dot", "a."),
        ("final-space", "a "),
        ("final-dot-in-folder", "a./b"),
        ("con", "CON"),
        ("con-folder", "con/a"),
        ("nul-txt", "nul.txt"),
        ("com1", "COM1"),
        ("lpt9", "a/LPT9.tar.gz"),
        ("com-superscript", "com\u00b9"),
        ("conin", "CONIN$"),
        ("not-utf8", b"\xff"),
    ]:
        yield vector(f"X2-{name}", "malformed", "D-PATHS", "a path that some system reads as something else",
                     twin="X0-paths-ok", model=paths(path))
    for name, pair in [
        ("equal", ("a", "a")),
        ("folded", ("README", "readme")),
        ("folded-folder", ("A/b", "a/B")),
        ("folder-of-other", ("a", "a/b")),
        ("folded-folder-of-other", ("A", "a/b")),
        ("descending", ("b", "a")),
    ]:
        spec = "D-FILES" if name in ("equal", "descending") else "D-PATHS"
        yield vector(f"X3-{name}", "malformed", spec, "two paths that meet, or do not ascend", twin="X0-paths-ok",
                     model=paths(*pair))
    yield vector("X3-folder-behind-sibling", "malformed", "D-PATHS",
                 "a file that is the folder of another, with a path between them", twin="X0-paths-ok",
                 model=paths("a", "a-b", "a/b"))
    for name, path in [("git", ".git/hooks/post-checkout"), ("git-case", ".GiT/config"),
                       ("git-inside", "a/.git/config"), ("git-file", ".git"), ("git-short", "GIT~1/config")]:
        yield vector(f"X7-{name}", "unsafe", "D-GIT", "a folder of git, whose hooks run later", twin="X0-paths-ok",
                     model=paths(path))
    yield vector("X1-files-over", "limit", "L-LIMITS", "more files than the limit", twin="X0-paths-ok",
                 model=paths("a", "b"), options={"limits": ["files=1"]})
    for name, expect, size in [("long", "limit", 17), ("longest-ok", "ok", 16)]:
        yield vector(f"X2-media-type-{name}", expect, "D-FILES L-LIMITS",
                     f"a media type of {size} bytes where 16 are allowed",
                     twin=None if expect == "ok" else "X2-media-type-longest-ok", model=tiny(
                         files=[File("a", 2, "t" * size)]), options={"limits": ["name_bytes=16"]})
    yield vector("X2-media-type-control", "malformed", "D-FILES", "a media type with a control character",
                 twin="X0-paths-ok", model=tiny(files=[File("a", 2, "text/plain\n")]))
