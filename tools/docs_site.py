"""What `make docs` does besides mkdocs: pages that lie elsewhere in the repository, and links to its files.

mkdocs calls the functions at the end, its hooks. On a page, links lead where they do in the repository: to another
page where the file is one, else to a copy of the file.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "examples/README.md": "examples.md"}
"""Files that are pages of the site, though they do not lie in docs/."""

COPIED = "repository"
"""The folder of the site that other files are copied to, as they are."""

_LINK = re.compile(r"(\]\()([^)#:\s]+)(#[^)]*)?(\))")
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def place_of(path: str) -> str:
    """Return where a file of the repository lies in the site: as text where mkdocs would take it for a page."""
    return f"{COPIED}/{path}{'.txt' if path.endswith('.md') else ''}"


def moved(markdown: str, source: str) -> tuple[str, set[str]]:
    """Point the links of a page at where their files are in the site.

    Parameters
    ----------
    markdown : str
    source : str
        Where the page lies in the repository, such as "docs/makers.md".

    Returns
    -------
    str
        The page.
    set of str
        Which files of the repository must be copied for it.
    """
    copied: set[str] = set()

    def point(link: re.Match[str]) -> str:
        start, path, anchor, end = link.groups(default="")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target in PAGES:
            target = PAGES[target]
        elif target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif (ROOT / target).is_file():
            copied.add(target)
            target = place_of(target)
        else:
            return link.group()
        return f"{start}{target}{anchor}{end}"

    parts = _FENCED.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(point, part) for part in parts), copied


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that the menu of mkdocs.yml does not name at its end, by their titles."""
    named = set(re.findall(r"[\w-]+\.md", str(config.nav)))
    config.nav += [path.name for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in named]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere, and the files that pages link to."""
    from mkdocs.structure.files import File

    copied = set()
    for source, name in PAGES.items():
        markdown, linked = moved((ROOT / source).read_text(encoding="utf-8"), source)
        files.append(File.generated(config, name, content=markdown))
        copied |= linked
    for page in files.documentation_pages():
        if page.src_uri not in PAGES.values():
            copied |= moved(page.content_string, f"docs/{page.src_uri}")[1]
    for path in sorted(copied):
        files.append(File.generated(config, place_of(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Point the links of a page of docs/ at where their files are in the site."""
    if page.file.src_uri in PAGES.values():
        return markdown
    return moved(markdown, f"docs/{page.file.src_uri}")[0]
