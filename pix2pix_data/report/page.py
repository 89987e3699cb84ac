"""The page of a dataset: its header and its sections."""

from __future__ import annotations

from pathlib import Path

from pix2pix_data.atomic import write_file
from pix2pix_data.dataset import PairDataset
from pix2pix_data.findings import CheckResult
from pix2pix_data.palette_file import read_palette
from pix2pix_data.report.check_section import check_section, examples_to_show
from pix2pix_data.report.document import document
from pix2pix_data.report.markup import Html, element, join
from pix2pix_data.report.origin import Origin, read_origin
from pix2pix_data.report.rejects import Reason, read_rejects
from pix2pix_data.report.sampling import Sample, read_sample
from pix2pix_data.report.section import Section
from pix2pix_data.report.sections import (
    colors_section,
    origin_section,
    pairs_section,
    palette_section,
    rejects_section,
    sizes_section,
)

__all__ = ["write_report"]


def write_report(
    dataset: PairDataset,
    result: CheckResult | None,
    out: Path,
    *,
    photos: Path | None = None,
    place: Path | None = None,
) -> None:
    """Write one offline HTML page that shows a dataset: at most 6 MB, however large it is.

    Parameters
    ----------
    dataset : PairDataset
        Up to 24 pairs of each split are read, evenly spread, and the examples of the findings.
    result : CheckResult or None
        What a check found; None where nobody checked.
    out : Path
        The file to write.
    photos : Path, optional
        The folder that the dataset was made from, for thumbnails of what gave no pair; looked for beside the dataset
        under the name that it had, and not missed where it is not there.
    place : Path, optional
        Where the dataset will lie, if that is elsewhere.

    Raises
    ------
    FormatError
        If palette.json is there and cannot be read.
    """
    origin = read_origin(dataset.path)
    if photos is None and origin.source:
        photos = (place or dataset.path).resolve().parent / Path(origin.source).name
    reasons = read_rejects(dataset.path, photos)
    sample = read_sample(dataset, examples_to_show(result))
    sections = _sections(dataset, result, sample, reasons, origin)
    header = _header(dataset, result, reasons, sections)
    body = [header, element("main", *(section.to_html() for section in sections))]
    write_file(out, document(dataset.path.resolve().name, join(body)))


def _sections(
    dataset: PairDataset, result: CheckResult | None, sample: Sample, reasons: list[Reason], origin: Origin
) -> list[Section]:
    name = dataset.path.resolve().name
    sections = [check_section(name, result, sample.thumbnails), pairs_section(dataset.num_pairs, sample.pairs)]
    if sizes := result.facts.sizes if result else sample.sizes:
        sections.append(sizes_section(sizes, sum(dataset.num_pairs.values())))
    if sample.sizes:
        sections.append(colors_section(sample))
    palette_path = dataset.path / "palette.json"
    if palette_path.is_file():
        sections.append(palette_section(read_palette(palette_path)))
    if reasons:
        sections.append(rejects_section(reasons))
    return [*sections, origin_section(origin)]


def _header(dataset: PairDataset, result: CheckResult | None, reasons: list[Reason], sections: list[Section]) -> Html:
    counts = dict(dataset.num_pairs)
    if reasons:
        counts["rejected"] = sum(reason.num_sources for reason in reasons)
    numbers = [element("div", element("dt", name), element("dd", f"{number:,}")) for name, number in counts.items()]
    links = [element("a", section.title, href=f"#{section.name}") for section in sections]
    about = f"A: {result.facts.about_a}. B: {result.facts.about_b}." if result else ""
    return element(
        "header",
        element("p", "Paired dataset", class_="kicker"),
        element("h1", dataset.path.resolve().name),
        *([element("p", about, class_="about")] if about else []),
        element("dl", *numbers, class_="counts"),
        element("nav", *links, aria_label="Sections"),
    )
