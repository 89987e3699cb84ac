from __future__ import annotations

import asyncio
import threading

import pytest

from pix2pix_model.paint.turns import Crowded, Overtaken, Turns


def test_of_a_client_only_the_newest_request_waits():
    async def scene() -> list[object]:
        turns, gate = Turns("test"), threading.Event()
        first = asyncio.create_task(turns.run("a", lambda: gate.wait(20) and "first"))
        await asyncio.sleep(0.05)  # it has begun
        others = [asyncio.create_task(turns.run(*one)) for one in (("a", lambda: "old"), ("b", lambda: "b's"))]
        await asyncio.sleep(0)
        newest = asyncio.create_task(turns.run("a", lambda: "newest"))
        await asyncio.sleep(0)
        gate.set()
        told = await asyncio.gather(first, *others, newest, return_exceptions=True)
        turns.close()
        return told

    first, old, of_b, newest = asyncio.run(scene())
    assert (first, of_b, newest) == ("first", "b's", "newest")
    assert isinstance(old, Overtaken)


def test_so_many_may_wait_and_no_more():
    async def scene() -> None:
        turns, gate = Turns("test", most_waiting=2), threading.Event()
        running = asyncio.create_task(turns.run("a", lambda: gate.wait(20)))
        await asyncio.sleep(0.05)
        waiting = [asyncio.create_task(turns.run(name, lambda: None)) for name in "bc"]
        await asyncio.sleep(0)
        with pytest.raises(Crowded):
            await turns.run("d", lambda: None)
        gate.set()
        await asyncio.gather(running, *waiting)
        turns.close()

    asyncio.run(scene())


def test_what_goes_wrong_is_told_to_its_client_and_the_next_one_is_served():
    async def scene() -> int:
        turns = Turns("test")
        with pytest.raises(ZeroDivisionError):
            await turns.run("a", lambda: 1 // 0)
        served = await turns.run("a", lambda: 7)
        turns.close()
        return served

    assert asyncio.run(scene()) == 7
