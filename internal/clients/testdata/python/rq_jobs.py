"""The jobs of rq_queues.py, which rq's workers import."""

import os
import time

from rq import get_current_job


def count(k, n):
    """Notes in the list k that n was done, and returns its double."""
    get_current_job().connection.rpush(k, n)
    return 2 * n


def fail(k, times):
    """Fails that many times."""
    if get_current_job().connection.incr(k) <= times:
        raise ValueError("not yet")
    return "at last"


def add(*dependencies):
    """Returns the sum of what the jobs that this one depends on have returned."""
    return sum(job.result for job in get_current_job().fetch_dependencies())


def sleep(k):
    get_current_job().connection.rpush(k, os.getpid())
    time.sleep(60)
