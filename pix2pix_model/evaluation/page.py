"""The page of an evaluation: its scores, the colours, and the pictures that did best and worst; one offline file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pix2pix_data.report.document import document
from pix2pix_data.report.markup import Html, element, join
from pix2pix_data.report.pictures import PAIR, embed
from pix2pix_data.report.section import Section, counted
from pix2pix_model.evaluation.lab_histograms import LabHistograms
from pix2pix_model.evaluation.scores import Score
from pix2pix_model.evaluation.tables import arrow, notes, number
from pix2pix_model.evaluation.tally import LabelTable, PictureScores

if TYPE_CHECKING:
    from pix2pix_data.pair import RGB

__all__ = ["chosen_examples", "evaluation_page", "examples_section", "ranking_key", "scores_section"]

_EXAMPLES = 6
_LOWER_IS_BETTER = ("lpips", "l1")
_SPOKEN = {"per_pixel": "per-pixel accuracy", "lpips": "LPIPS", "ssim": "SSIM", "l1": "L1"}
_CAPTION = {"per_pixel": "accuracy", "l1": "L1", "psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS"}
_CHART_WIDTH, _CHART_HEIGHT = 320, 96


def ranking_key(pictures: Sequence[PictureScores]) -> str:
    """Return the measure that tells good pictures from bad ones: the first that all have of accuracy, LPIPS, SSIM."""
    return next(key for key in _SPOKEN if all(math.isfinite(one.values.get(key, math.nan)) for one in pictures))


def chosen_examples(pictures: Sequence[PictureScores]) -> dict[str, list[PictureScores]]:
    """Choose pictures to show, none twice: the worst and the best first, and some evenly spread between them."""
    key = ranking_key(pictures)
    sign = -1 if key in _LOWER_IS_BETTER else 1
    ranked = sorted(pictures, key=lambda one: (sign * one.values[key], one.key))
    num_shown = min(_EXAMPLES, -(-len(ranked) // 3))
    worst, best = ranked[:num_shown], ranked[num_shown:][::-1][:num_shown]
    between = ranked[len(worst) : len(ranked) - len(best)]
    num_between = min(_EXAMPLES, len(between))
    spread = [between[(2 * i + 1) * len(between) // (2 * num_between)] for i in range(num_between)]
    shown = {"Worst": worst, "Best": best, "Between": spread}
    return {name: ones for name, ones in shown.items() if ones}


def evaluation_page(
    title: str,
    facts: Sequence[tuple[str, str]],
    scores: Sequence[Score],
    labels: LabelTable | None,
    colors: tuple[LabHistograms, LabHistograms],
    pictures: Sequence[PictureScores],
    examples: Mapping[str, Sequence[RGB]],
    titles: Sequence[str],
) -> str:
    """Write the page.

    Parameters
    ----------
    title : str
    facts : sequence of (str, str)
        What was evaluated: names and values.
    scores : sequence of Score
    labels : LabelTable or None
    colors : (LabHistograms, LabHistograms)
        Of what was made, and of the real pictures.
    pictures : sequence of PictureScores
    examples : mapping of str to sequence of ndarray of shape (H, W, 3), uint8
        By key; those that `chosen_examples` names.
    titles : sequence of str
        What the pictures of an example are called, such as A, G(A), B.
    """
    sections = [scores_section(scores)]
    sections += [examples_section(pictures, examples, titles), _colors_section(*colors)]
    if labels is not None:
        sections.append(_labels_section(labels))
    sections.append(_facts_section(facts))
    links = [element("a", section.title, href=f"#{section.name}") for section in sections]
    header = element(
        "header",
        element("p", "Evaluation", class_="kicker"),
        element("h1", title),
        element("p", f"{counted(len(pictures), 'pictures')}. {facts[0][1]}", class_="about"),
        element("nav", *links, aria_label="Sections"),
    )
    body = [header, element("main", *(section.to_html() for section in sections))]
    return document(title, join(body))


def scores_section(scores: Sequence[Score]) -> Section:
    """Write the table of scores, with what it takes to read it."""
    rows = [_head("", "made", "\N{PLUS-MINUS SIGN}", "real")]
    for score in scores:
        name = element("th", f"{arrow(score.better)} {score.name}", scope="row")
        values = (score.value, score.spread, score.real)
        rows.append(element("tr", name, *(_number(number(value, score.digits)) for value in values)))
    lead = (
        f"{arrow('higher')} higher is better, {arrow('lower')} lower, {arrow('nearest')} as the real pictures. "
        f"\N{PLUS-MINUS SIGN}: deviation over pictures, unless a note says otherwise."
    )
    table = element("table", *rows)
    return Section(
        "scores", "Scores", lead, join([table, *(element("p", note, class_="keys") for note in notes(scores))])
    )


def examples_section(
    pictures: Sequence[PictureScores], examples: Mapping[str, Sequence[RGB]], titles: Sequence[str]
) -> Section:
    """Show the pictures that `chosen_examples` names, with their measures; those that are not there are passed over."""
    parts: list[Html] = []
    for name, chosen in chosen_examples(pictures).items():
        shown = [_example(one, examples[one.key], titles) for one in chosen if one.key in examples]
        parts += [element("h3", name), element("ul", *shown, class_="examples strips")]
    key = ranking_key(pictures)
    lead = f"{' | '.join(titles)}. The worst and the best by {_SPOKEN[key]}, and some between them."
    return Section("examples", "Examples", lead, join(parts))


def _example(scores: PictureScores, example: Sequence[RGB], titles: Sequence[str]) -> Html:
    shown = zip(titles, example, strict=True)
    pictures = element("div", *(embed(picture, title, PAIR) for title, picture in shown), class_="sides")
    told = ", ".join(f"{name} {scores.values[key]:.3g}" for key, name in _CAPTION.items() if key in scores.values)
    caption = element("figcaption", f"{scores.key}: {told}", title=scores.key)
    return element("li", element("figure", pictures, caption))


def _colors_section(made: LabHistograms, real: LabHistograms) -> Section:
    charts = []
    for axis, ours, theirs in zip(("L", "a", "b"), made.shares, real.shares, strict=True):
        ends = ("dark", "bright") if axis == "L" else (("green", "red") if axis == "a" else ("blue", "yellow"))
        ends_line = element("p", *(element("span", end) for end in ends), class_="ends")
        charts.append(element("figure", element("figcaption", axis), _chart(ours, theirs, axis), ends_line))
    lead = "CIE Lab over all pixels: red what was made, blue what is real. Heights are square roots of shares."
    return Section("colors", "Colours", lead, element("div", *charts, class_="histograms"))


def _chart(made: Tensor, real: Tensor, axis: str) -> Html:
    """Draw two distributions over each other; a part at each end that both lack is left out."""
    there = torch.nonzero(made + real).flatten()
    first, last = int(there[0]), int(there[-1]) + 1
    highest = max(float(made.max()), float(real.max()))
    areas = [
        element("polygon", points=_outline((shares[first:last] / highest).sqrt()), class_=color)
        for color, shares in (("blue", real), ("red", made))
    ]
    return element(
        "svg",
        *areas,
        viewBox=f"0 0 {_CHART_WIDTH} {_CHART_HEIGHT}",
        class_="histogram",
        role="img",
        aria_label=f"Distributions of {axis}, made and real",
        preserveAspectRatio="none",
    )


def _outline(heights: Tensor) -> str:
    step = _CHART_WIDTH / len(heights)
    tops = [(i * step, _CHART_HEIGHT * (1 - height)) for i, height in enumerate(heights.tolist())]
    steps = " ".join(f"{left:.1f},{top:.1f} {left + step:.1f},{top:.1f}" for left, top in tops)
    return f"0,{_CHART_HEIGHT} {steps} {_CHART_WIDTH},{_CHART_HEIGHT}"


def _labels_section(labels: LabelTable) -> Section:
    titles = ("", "accuracy", "IoU") + (("real: accuracy", "real: IoU") if labels.real else ())
    rows = [_head(*titles)]
    for i, name in enumerate(labels.names):
        sides = [labels.made, *([labels.real] if labels.real else [])]
        values = [number(value, 3) for side in sides for value in (side.accuracies[i], side.ious[i])]
        rows.append(element("tr", element("th", name, scope="row"), *map(_number, values)))
    lead = "Each class by itself; a dash where no real label map has it, and means leave it out."
    return Section("classes", "Classes", lead, element("table", *rows))


def _facts_section(facts: Sequence[tuple[str, str]]) -> Section:
    listed = [part for name, value in facts for part in (element("dt", name), element("dd", value))]
    return Section("evaluated", "What was evaluated", "", element("dl", *listed, class_="facts"))


def _head(first: str, *titles: str) -> Html:
    cells = [element("th", first), *(element("th", title, scope="col", class_="number") for title in titles)]
    return element("tr", *cells)


def _number(text: str) -> Html:
    return element("td", text, class_="number")
