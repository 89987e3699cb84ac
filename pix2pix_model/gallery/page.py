"""The page of a run: a slider over its steps, its curves, and its results; one offline file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files

from pix2pix_data.report.document import document
from pix2pix_data.report.markup import Html, element, join
from pix2pix_data.report.pictures import Limits, embed
from pix2pix_data.report.section import Section, counted, name_caption
from pix2pix_model.evaluation.page import examples_section, scores_section
from pix2pix_model.gallery.curves import MARKER_SPAN, curve_figure
from pix2pix_model.gallery.progress import Logged, Progress
from pix2pix_model.gallery.results import Results

__all__ = ["gallery_page"]

_PICTURE = Limits(256, 12_000)  # 40 steps of 6 pairs make less than 4 MB of these


def gallery_page(
    title: str, facts: Sequence[tuple[str, str]], progress: Progress, results: Results | None, note: str = ""
) -> str:
    """Write the page.

    Parameters
    ----------
    title : str
        Name of the run.
    facts : sequence of (str, str)
        What was trained: names and values.
    progress : Progress
    results : Results or None
        None where there are none.
    note : str
        Why there are none.
    """
    sections = [_progress_section(progress)]
    if results is not None:
        scores = scores_section(results.scores)
        scored = Section(scores.name, scores.title, f"{results.origin}. {scores.lead}", scores.content)
        sections += [examples_section(results.pictures, results.examples, results.titles), scored]
    listed = [part for name, value in facts for part in (element("dt", name), element("dd", value))]
    sections.append(Section("run", "The run", note, element("dl", *listed, class_="facts")))
    counts = {"steps": progress.last_step, "epochs": max(progress.epochs.values(), default=0)}
    numbers = [element("div", element("dt", name), element("dd", f"{number:,}")) for name, number in counts.items()]
    links = [element("a", section.title, href=f"#{section.name}") for section in sections]
    header = element(
        "header",
        element("p", "Training", class_="kicker"),
        element("h1", title),
        element("dl", *numbers, class_="counts"),
        element("nav", *links, aria_label="Sections"),
    )
    body = join([header, element("main", *(section.to_html() for section in sections))])
    here = files("pix2pix_model.gallery")
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("gallery.css", "gallery.js"))
    return document(title, body, style=style, script=script)


def _progress_section(progress: Progress) -> Section:
    steps = [frame.step for frame in progress.frames]
    labels = [_label(step, progress) for step in steps]
    controls = element(
        "div",
        element("button", "Play", type="button", class_="play"),
        element(
            "input",
            type="range",
            class_="steps",
            min=0,
            max=len(steps) - 1,
            step=1,
            value=len(steps) - 1,
            autocomplete="off",
            aria_label="Step of the training",
        ),
        element("output", labels[-1], class_="step"),
        class_="controls",
        hidden=True,  # without a script the last step is shown, and nothing can be moved
    )
    curves = [curve_figure(one, progress.last_step, steps) for one in _in_order(progress)]
    samples = element("div", *(_pair(progress, i) for i in range(len(progress.keys))), class_="samples")
    player = element(
        "div",
        controls,
        element("div", samples, element("div", *curves, class_="curves"), class_="course"),
        class_="player",
        data_labels=json.dumps(labels),
        data_at=" ".join(f"{MARKER_SPAN * step / progress.last_step:.1f}" for step in steps),
    )
    lead = [f"{' | '.join(progress.titles)}, always of the same pairs."]
    if progress.split == "train":
        lead.append("They are trained on: there is no validation split.")
    if len(steps) > 1:
        lead.append("Arrow keys move the step, space plays.")
    if progress.num_left_out:
        lead.append(f"{counted(progress.num_left_out, 'sheets')} drawn otherwise left out.")
    return Section("progress", "Progress", " ".join(lead), player)


def _in_order(progress: Progress) -> list[Logged]:
    """Put what is measured before the losses."""
    return sorted(progress.logged, key=lambda one: not one.name.startswith("val_"))


def _label(step: int, progress: Progress) -> str:
    epoch = next((epoch for logged, epoch in sorted(progress.epochs.items()) if logged >= step), None)
    return f"step {step:,}" + (f", epoch {epoch}" if epoch else "")


def _pair(progress: Progress, index: int) -> Html:
    *given_titles, made_title, real_title = progress.titles
    given = [embed(one, title, _PICTURE) for one, title in zip(progress.given[index], given_titles, strict=True)]
    last = len(progress.frames) - 1
    frames = [
        element("span", embed(frame.made[index], f"{made_title} after step {frame.step}", _PICTURE), hidden=i != last)
        for i, frame in enumerate(progress.frames)
    ]
    pictures = [*given, element("div", *frames, class_="frames"), embed(progress.real[index], real_title, _PICTURE)]
    return element("figure", element("div", *pictures, class_="sides"), name_caption(progress.keys[index]))
