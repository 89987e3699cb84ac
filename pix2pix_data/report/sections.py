"""The sections of a page but for the check: pairs, sizes and colours, palette, rejects, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping

from pix2pix_data.palette_file import Palette, to_hex
from pix2pix_data.report.charts import bar, color_histogram, swatch
from pix2pix_data.report.markup import Html, element, join
from pix2pix_data.report.origin import Origin
from pix2pix_data.report.rejects import REASONS_LISTED, Reason, Reject
from pix2pix_data.report.sampling import Sample, ShownPair
from pix2pix_data.report.section import Section, command, counted, name_caption, portion

__all__ = ["colors_section", "origin_section", "pairs_section", "palette_section", "rejects_section", "sizes_section"]

_SIZES_LISTED = 8
_REASONS_OPEN = 3


def pairs_section(num_pairs: Mapping[str, int], pairs: Mapping[str, list[ShownPair]]) -> Section:
    """Show pairs that can be compared by a slider, one split at a time."""
    names = [*pairs, "all"]
    choices = [_choice(name, checked=name == names[0]) for name in names]
    parts = [element("fieldset", element("legend", "Split"), *choices, class_="choices")] if len(pairs) > 1 else []
    for split, ones in pairs.items():
        heading = element("h3", split.capitalize(), element("span", portion(len(ones), num_pairs[split])))
        parts.append(
            element("div", heading, element("div", *map(_pair, ones), class_="pairs"), class_=f"split {split}")
        )
    lead = "Drag across a picture, or use the arrow keys: A is on the left, B on the right."
    return Section("pairs", "Pairs", lead, join(parts))


def _choice(name: str, *, checked: bool) -> Html:
    radio = element("input", type="radio", name="split", value=name, checked=checked)
    return element("label", radio, element("span", name.capitalize()))


def _pair(pair: ShownPair) -> Html:
    caption = name_caption(pair.key)
    if pair.reason:
        return element("figure", element("p", f"Cannot be shown: {pair.reason}", class_="unreadable"), caption)
    slider = element(
        "input",
        type="range",
        min=0,
        max=100,
        step=1,
        value=50,
        autocomplete="off",
        aria_label=f"Share of A shown, {pair.key}",
    )
    marks = [element("span", side, class_=f"side {side.lower()}", aria_hidden="true") for side in "AB"]
    handle = element("span", class_="handle", aria_hidden="true")
    return element("figure", element("div", pair.a, pair.b, *marks, slider, handle, class_="compare"), caption)


def sizes_section(sizes: Mapping[tuple[int, int], int], num_pairs: int) -> Section:
    """List sizes by frequency, over those of all `num_pairs` pairs that were looked at."""
    num_seen = sum(sizes.values())
    ranked = [(f"{width} \N{MULTIPLICATION SIGN} {height}", num) for (width, height), num in sizes.items()]
    ranked.sort(key=lambda named: (-named[1], named[0]))
    rows = [_row(size, num, num_seen) for size, num in ranked[:_SIZES_LISTED]]
    if others := ranked[_SIZES_LISTED:]:
        rows.append(_row(counted(len(others), "other sizes"), sum(num for _, num in others), num_seen))
    lead = f"Width and height of a side in pixels. {portion(num_seen, num_pairs)}."
    return Section("sizes", "Sizes", lead, element("table", *rows))


def colors_section(sample: Sample) -> Section:
    """Draw the colour histograms of both sides."""
    charts = []
    for side, counts in sample.colors.items():
        chart = color_histogram(counts, f"Histogram of red, green and blue in {side}")
        ends = element("p", element("span", "dark"), element("span", "bright"), class_="ends")
        charts.append(element("figure", element("figcaption", side), chart, ends))
    lead = "Red, green and blue in the pairs shown above. Heights are square roots of counts."
    return Section("colors", "Colours", lead, element("div", *charts, class_="histograms"))


def palette_section(palette: Palette) -> Section:
    """List the palette's colours with names and shares."""
    rows = []
    for i, color in enumerate(palette.colors):
        cells = [element("td", swatch(to_hex(color))), element("th", palette.name_of(i), scope="row")]
        cells.append(element("td", element("code", to_hex(color))))
        if palette.shares:
            share = palette.shares[i]
            cells += [element("td", bar(share), class_="wide"), element("td", f"{share:.1%}", class_="number")]
        rows.append(element("tr", *cells))
    return Section("palette", "Palette", palette.note or counted(len(rows), "colours"), element("table", *rows))


def rejects_section(reasons: list[Reason]) -> Section:
    """List what gave no pair, by reason."""
    total = sum(reason.num_sources for reason in reasons)
    parts = [_reason(reason, is_open=len(reasons) <= _REASONS_OPEN) for reason in reasons[:REASONS_LISTED]]
    if others := reasons[REASONS_LISTED:]:
        num = sum(reason.num_sources for reason in others)
        parts.append(element("p", f"{counted(num, 'sources')} for {counted(len(others), 'other reasons')}"))
    lead = f"{counted(total, 'sources')} gave no pair; failures.jsonl names each one."
    return Section("rejects", "Rejects", lead, join(parts))


def _reason(reason: Reason, *, is_open: bool) -> Html:
    summary = element("summary", reason.name, element("span", f"{reason.num_sources:,}"))
    parts = [element("ul", *map(_reject, reason.examples), class_="rejects")]
    if others := reason.num_sources - len(reason.examples):
        parts.append(element("p", f"and {others:,} more", class_="keys"))
    return element("details", summary, *parts, open=is_open)


def _reject(reject: Reject) -> Html:
    return element("li", reject.thumbnail, element("div", element("b", reject.source), element("p", reject.detail)))


def origin_section(origin: Origin) -> Section:
    """Say by which commands a dataset was made, and from what."""
    facts = [part for name, value in origin.facts for part in (element("dt", name), element("dd", value))]
    parts = [command("\n".join(origin.commands))] if origin.commands else []
    parts += [element("p", note, class_="keys") for note in origin.notes]
    if facts:
        parts.append(element("dl", *facts, class_="facts"))
    lead = "What was typed." if origin.commands else "Its files do not say; it is read as it lies on disk."
    return Section("origin", "How it was made", lead, join(parts))


def _row(name: str, number: int, total: int) -> Html:
    share = element("td", bar(number / total), class_="wide")
    return element("tr", element("th", name, scope="row"), share, element("td", f"{number:,}", class_="number"))
