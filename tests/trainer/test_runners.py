"""Steps that are compiled or captured are the steps that run as they are."""

from __future__ import annotations

import pytest
import torch

from pix2pix_data.errors import TrainingError
from pix2pix_model.batch import Batch
from pix2pix_model.course import Course
from pix2pix_model.data import PairCache
from pix2pix_model.device import Device, choose_device
from pix2pix_model.runners import CompiledStep, GraphedStep, choose_runner
from pix2pix_model.schedule import Schedule
from pix2pix_model.state import build_state
from pix2pix_model.step import train_step

CPU = choose_device("cpu")
GPU = Device(torch.device("cuda"), "bf16", "a GPU")
OLD_GPU = Device(torch.device("cuda"), "fp16", "a GPU")


def changed(recipe, **changes):
    """Change settings, named as section__setting."""
    content = recipe.model_dump()
    for name, value in changes.items():
        section, _, setting = name.partition("__")
        content[section][setting] = value
    return type(recipe).model_validate(content)


def test_a_step_runs_as_it_is_unless_told(recipe):
    assert choose_runner(recipe, CPU) == (None, "")
    assert choose_runner(recipe, GPU) == (None, "")


def test_a_runner_that_was_asked_for_is_taken(recipe):
    for name, kind, device in (("graph", GraphedStep, GPU), ("compile", CompiledStep, CPU)):
        runner, left_out = choose_runner(changed(recipe, train__runner=name), device)
        assert isinstance(runner, kind)
        assert left_out == ""


@pytest.mark.parametrize(
    ("name", "device", "changes", "why"),
    [
        ("graph", CPU, {}, "a graph is for CUDA"),
        ("graph", OLD_GPU, {}, "fp16"),
        ("graph", GPU, {"train__micro_batch": 1, "train__batch": 2}, "micro-batches"),
        ("compile", GPU, {"loss__r1": 1.0}, "differentiated twice"),
        ("compile", GPU, {"loss__stale_logits": True}, "stale_logits"),
        ("compile", GPU, {"train__micro_batch": 1, "train__batch": 2}, "each part"),
    ],
)
def test_what_stands_in_the_way_is_told(recipe, name, device, changes, why):
    runner, left_out = choose_runner(changed(recipe, train__runner=name, **changes), device)
    assert runner is None
    assert left_out.startswith(f"train.runner={name} is left out, since ")
    assert why in left_out


# --- the same steps -----------------------------------------------------------------------------------------------


@pytest.fixture
def courses(dataset, recipe, tmp_path, monkeypatch):
    """The same course in all ways: pixels in memory or from kept files, the step as it is or compiled."""
    schedule = Schedule(recipe.train, dataset.num_pairs["train"])
    monkeypatch.setattr("pix2pix_model.data.WORTH_KEEPING_S", 0.0)

    def cache(folder: str) -> PairCache:
        monkeypatch.setenv("P2P_CACHE", folder)
        return PairCache(dataset, recipe.data, split="train", device=CPU.torch_device)

    in_memory, _, from_files = cache(""), cache(str(tmp_path / "kept")), cache(str(tmp_path / "kept"))
    compiled = CompiledStep(backend="aot_eager")
    return {
        "eager": Course(recipe, schedule, in_memory),
        "cached": Course(recipe, schedule, from_files),
        "compiled": Course(recipe, schedule, in_memory, compiled),
    }


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's own, of what it compiles
def test_all_ways_see_the_same_batches_and_learn_the_same(courses, recipe):
    """Over two epochs of seven pairs in batches of two, whose last has one."""
    taken = {}
    for name, course in courses.items():
        state, seen, losses = build_state(recipe, CPU), [], []
        for _ in range(8):
            batch = course.batch(state)
            seen.append((batch.a.clone(), batch.b.clone()))
            losses.append(torch.stack([*course.advance(state, batch).values()]))
        taken[name] = seen, torch.stack(losses), state
    seen, losses, state = taken["eager"]
    assert [len(a) for a, _ in seen] == [2, 2, 2, 1, 2, 2, 2, 1]
    assert not torch.equal(seen[0][0], seen[4][0])
    for name in ("cached", "compiled"):
        others, other_losses, other_state = taken[name]
        for (a, b), (other_a, other_b) in zip(seen, others, strict=True):
            assert torch.equal(a, other_a)
            assert torch.equal(b, other_b)
        torch.testing.assert_close(other_losses, losses, rtol=1e-4, atol=1e-5)
        assert other_state.step == state.step
        assert vars(other_state.generator).keys() == vars(state.generator).keys()  # nothing compiled is left in them
    assert torch.equal(taken["cached"][1], losses)


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_what_cannot_be_compiled_is_told_and_leaves_the_networks_as_they_were(recipe, courses):
    def without_compiler(graph, inputs):
        raise RuntimeError("no compiler here")

    state = build_state(recipe, CPU)
    before = vars(state.generator).keys()
    with pytest.raises(TrainingError, match=r"could not be compiled.*no compiler here") as caught:
        CompiledStep(backend=without_compiler)(state, courses["eager"].batch(state), recipe)
    assert "eager" in caught.value.fix
    assert vars(state.generator).keys() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a CUDA graph needs a GPU")
def test_a_captured_step_is_the_step(recipe):
    """With dropout, another learning rate at each step, and batches of another size in between."""
    device = choose_device("cuda", "float32")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    plain, captured = build_state(recipe, device), build_state(recipe, device)
    graphed = GraphedStep()
    draws = torch.Generator().manual_seed(0)
    kept = []
    for step in range(12):
        a, b = (torch.rand(1 if step % 4 == 3 else 2, 3, 32, 32, generator=draws) * 2 - 1 for _ in range(2))
        batch = Batch(a.cuda(), b.cuda())
        losses = []
        for state, run in ((plain, train_step), (captured, graphed)):
            state.set_learning_rate(2e-4 / (step + 1))
            torch.manual_seed(step)
            losses.append(run(state, batch, recipe))
            state.step += 1
        kept.append([torch.stack([*one.values()]) for one in losses])
    for own, other in kept:
        torch.testing.assert_close(other, own, rtol=1e-3, atol=1e-4)
    for name, weight in plain.generator.state_dict().items():
        torch.testing.assert_close(captured.generator.state_dict()[name], weight, rtol=1e-2, atol=1e-4)
    assert captured.optimizer_g.param_groups[0]["capturable"] is False
