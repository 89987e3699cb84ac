"""The findings of a check on the page, with their worst examples."""

from __future__ import annotations

import shlex

from pix2pix_data.findings import CheckResult, Finding
from pix2pix_data.report.markup import Html, element, join
from pix2pix_data.report.sampling import ShownPair
from pix2pix_data.report.section import Section, command, counted, name_caption, portion

__all__ = ["check_section", "examples_to_show"]

_EXAMPLES_OF_A_FINDING = 4
_PAIRS_OF_AN_EXAMPLE = 4
_MAX_THUMBNAILS = 48


def examples_to_show(result: CheckResult | None) -> list[str]:
    """Choose which pairs get thumbnails: the worst of each finding, 48 in all, as split/key."""
    chosen: dict[str, None] = {}
    for finding in result.findings if result else ():
        for example in finding.examples[:_EXAMPLES_OF_A_FINDING]:
            chosen.update(dict.fromkeys(example[:_PAIRS_OF_AN_EXAMPLE]))
    return list(chosen)[:_MAX_THUMBNAILS]


def check_section(name: str, result: CheckResult | None, thumbnails: dict[str, ShownPair]) -> Section:
    """Show the findings, the gravest first.

    Parameters
    ----------
    name : str
        Name of the dataset.
    result : CheckResult or None
        None where nobody checked.
    thumbnails : dict of str to ShownPair
        By split/key; examples without any are named.
    """
    if result is None:
        return Section("check", "Check", "Not checked when this page was made.", command(f"p2p-data check {name}"))
    looked_at = portion(result.facts.num_looked_at, sum(result.facts.num_pairs.values()))
    verdict = "The gravest findings come first." if result.findings else "Nothing wrong was found."
    findings = [_finding(finding, thumbnails) for finding in result.findings]
    if num_mended := sum(bool(finding.mends) for finding in result.findings):
        told = f"{counted(num_mended, 'findings')} can be mended safely, in a new folder:"
        line = command(f"p2p-data check {shlex.quote(name)} --fix")
        findings = [element("div", element("p", told), line, class_="mend"), *findings]
    return Section("check", "Check", f"{looked_at} looked at. {verdict}", join(findings))


def _finding(finding: Finding, thumbnails: dict[str, ShownPair]) -> Html:
    severity = element("span", finding.severity, class_="severity")
    parts = [
        element("p", severity, element("span", counted(finding.count, "pairs")), class_="kind"),
        element("h3", _capitalized(finding.what)),
    ]
    if finding.why:
        parts.append(element("p", _capitalized(finding.why)))
    if finding.fix:
        is_command = finding.fix.startswith("p2p-") and ", " not in finding.fix
        parts.append(command(finding.fix) if is_command else element("p", f"To do: {finding.fix}"))
    shown = [example for example in finding.examples if any(name in thumbnails for name in example)]
    if shown:
        parts.append(element("ul", *(_example(example, thumbnails) for example in shown), class_="examples"))
    if others := [" = ".join(example) for example in finding.examples if example not in shown]:
        parts.append(element("p", f"Also: {', '.join(others)}", class_="keys"))
    return element("article", *parts, class_=f"finding {finding.severity}")


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _example(example: tuple[str, ...], thumbnails: dict[str, ShownPair]) -> Html:
    members = [name for name in example if name in thumbnails]
    parts = [_thumbnail(name, thumbnails[name]) for name in members]
    if others := [name for name in example if name not in thumbnails]:
        parts.append(element("p", f"and {', '.join(others)}", class_="keys"))
    return element("li", *parts)


def _thumbnail(name: str, pair: ShownPair) -> Html:
    pictures = element("p", pair.reason) if pair.reason else element("div", pair.a, pair.b, class_="sides")
    return element("figure", pictures, name_caption(name))
