"""The workers that prepare data: an error ends all of them."""

import concurrent.futures
from types import SimpleNamespace

import pytest

from tools.preparation.workers import Workers


def test_nothing_is_begun_after_an_error_and_it_is_the_error_that_is_raised(monkeypatch):
    wait = concurrent.futures.wait
    monkeypatch.setattr(concurrent.futures, "wait", lambda pending, *_: wait(pending))  # who waits learns of it last
    begun, ended = [], []

    def work(worker, shard):
        begun.append(shard.number)
        if shard.number == 1:
            raise ValueError("the second")

    jobs = [(SimpleNamespace(number=number, start=0, stop=1),) for number in range(4)]
    with pytest.raises(ValueError, match="the second"), Workers({}, dict, processes=1) as workers:
        workers.run(work, jobs, lambda shard, _: ended.append(shard.number), "testing")
    assert begun == [0, 1] and ended == [0]
