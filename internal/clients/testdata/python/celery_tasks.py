"""The tasks of celery_queues.py, which Celery's workers import. What they connect to is in the environment."""

import os
import time

import redis
from celery import Celery

url, prefix = os.environ["REDIS_URL"], os.environ["KEY_PREFIX"]
app = Celery("tasks", broker=url, backend=url)
app.conf.update(
    task_default_queue=prefix + "default",
    task_routes={"celery_tasks.count": {"queue": prefix + "counted"}},
    task_acks_late=True,
    broker_transport_options={"visibility_timeout": 3600, "priority_steps": [0, 5]},
    worker_prefetch_multiplier=4,
)
store = redis.Redis.from_url(url)


@app.task
def count(k, n):
    store.rpush(k, n)
    return n


@app.task
def double(n):
    return 2 * n


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def flaky(self, k):
    if store.incr(k) < 3:
        raise self.retry(countdown=0.05)
    return "at last"


@app.task
def wrong():
    raise KeyError("no such thing")


@app.task
def sleep(k):
    store.rpush(k, "slept")
    time.sleep(60)


@app.task(bind=True)
def progress(self, listens):
    channel = app.backend.get_key_for_task(self.request.id)
    while not store.exists(listens) or store.pubsub_numsub(channel)[0][1] == 0:  # the client hears what comes from now on
        time.sleep(0.01)
    self.update_state(state="HALFWAY", meta={"percent": 50})
    return "all the way"
