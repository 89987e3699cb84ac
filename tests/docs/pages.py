"""What a reader of the pages may copy: shell lines, snippets of Python and TOML, and commands within the text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)
OURS = ("p2p-data", "p2p-train", "p2p-model")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WITHIN_TEXT = re.compile(r"(?<!`)`(p2p-(?:data|train|model) [^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Line:
    """One shell line of a page, as words; what it reads and writes by `<` and `>` kept apart."""

    page: str
    text: str
    words: tuple[str, ...]
    stdin: str | None = None
    stdout: str | None = None

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


@dataclass
class _Redirected:
    words: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


def snippets(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in these languages."""
    return [body for language, body in _FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def lines() -> Iterator[Line]:
    """Yield each shell line of all pages; those that go on after a backslash as one."""
    for page in PAGES:
        for block in snippets(page, "sh", "console", "bash"):
            for text in block.replace("\\\n", " ").splitlines():
                line = read_line(page.name, text)
                if line.words:
                    yield line


def within_text() -> Iterator[Line]:
    """Yield each command that stands between backquotes."""
    for page in PAGES:
        for text in _WITHIN_TEXT.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
            yield read_line(page.name, text)


def read_line(page: str, text: str) -> Line:
    """Divide a shell line into words, without its comment."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="<>")
    lexer.whitespace_split = True
    told, arrow = _Redirected(), ""
    for word in lexer:
        if word in ("<", ">"):
            arrow = word
        elif arrow:
            told.files[arrow], arrow = word, ""
        else:
            told.words.append(word)
    clean = " ".join(text.split(" #")[0].split())
    return Line(page, clean, tuple(told.words), told.files.get("<"), told.files.get(">"))
