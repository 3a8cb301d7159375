"""rq, as its users run it: the program that enqueues, and workers of the command line. See families.py."""

import os
import sys
from datetime import timedelta

import redis
import rq
import rq_jobs
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

from families import arguments, eventually, key, run, same, spawn

url = f"redis://{arguments.host}:{arguments.port}"
r = redis.Redis(host=arguments.host, port=arguments.port)
names = [key(f"queue-{i}") for i in range(4)]  # in several slots
queues = [rq.Queue(name, connection=r) for name in names]


def worker(*options, queues=names):
    rq_program = (sys.executable, "-c", "from rq.cli import main; main()")
    return spawn(*rq_program, "worker", "--url", url, "--path", os.path.dirname(__file__), *options, *queues)


def burst(*options, **kwargs):
    """Runs a worker until the queues are empty."""
    w = worker("--burst", *options, **kwargs)
    same(w.wait(timeout=120), 0)


class Families:
    def bursts(self):
        jobs = [queues[i % 4].enqueue(rq_jobs.count, key("done"), i) for i in range(24)]
        jobs += queues[0].enqueue_many([rq.Queue.prepare_data(rq_jobs.count, (key("done"), i)) for i in range(24, 30)])
        same([len(q) for q in queues], [12, 6, 6, 6])
        first, second = worker("--burst"), worker("--burst")
        same((first.wait(timeout=120), second.wait(timeout=120)), (0, 0))
        same(sorted(map(int, r.lrange(key("done"), 0, -1))), list(range(30)))  # each once
        same([job.get_status(refresh=True) for job in jobs], ["finished"] * 30)
        same([job.result for job in jobs], [2 * i for i in range(30)])
        same(jobs[3].latest_result().return_value, 6)
        same(sum(len(FinishedJobRegistry(queue=q)) for q in queues), 30)
        jobs[0].delete()
        same(rq.job.Job.exists(jobs[0].id, connection=r), False)

    def failed(self):
        q = queues[1]
        hopeless = q.enqueue(rq_jobs.fail, key("hopeless"), 1)
        again = q.enqueue(rq_jobs.fail, key("again"), 1, retry=rq.Retry(max=2))
        burst()
        same(hopeless.get_status(), "failed")
        assert "ValueError: not yet" in hopeless.latest_result().exc_string
        same(FailedJobRegistry(queue=q).get_job_ids(), [hopeless.id])
        same((again.get_status(), again.result), ("finished", "at last"))
        hopeless.requeue()
        burst()
        same((hopeless.get_status(), hopeless.result), ("finished", "at last"))
        same(len(FailedJobRegistry(queue=q)), 0)

    def dependent(self):
        parts = [q.enqueue(rq_jobs.count, key("parts"), 10 + i) for i, q in enumerate(queues)]
        total = queues[0].enqueue(rq_jobs.add, depends_on=parts)
        last = queues[2].enqueue(rq_jobs.add, depends_on=total)
        same(total.get_status(), "deferred")
        burst()
        same((total.get_status(), total.result), ("finished", 2 * (10 + 11 + 12 + 13)))
        same((last.get_status(), last.result), ("finished", total.result))

    def waiting(self):
        """Workers wait by BLPOP over several keys, and are told by Pub/Sub what to do."""
        workers = [worker("--name", key(f"worker-{i}")) for i in range(2)]
        eventually("two workers wait", lambda: len(rq.Worker.all(queue=queues[3])) == 2)
        jobs = [queues[i % 4].enqueue(rq_jobs.count, key("waited"), i) for i in range(20)]
        eventually("all is done", lambda: r.llen(key("waited")) == 20)
        same(sorted(map(int, r.lrange(key("waited"), 0, -1))), list(range(20)))
        eventually("all have finished", lambda: {job.get_status() for job in jobs} == {"finished"})
        long = queues[3].enqueue(rq_jobs.sleep, key("sleeps"))
        eventually("it sleeps", lambda: r.llen(key("sleeps")) == 1)
        send_stop_job_command(r, long.id)
        eventually("it is stopped", lambda: long.get_status() == "stopped")
        long = queues[3].enqueue(rq_jobs.sleep, key("sleeps"))
        eventually("it sleeps", lambda: r.llen(key("sleeps")) == 2)
        for w in rq.Worker.all(connection=r):
            if w.get_current_job_id() == long.id:
                send_kill_horse_command(r, w.name)
        eventually("it is killed", lambda: long.get_status() == "failed")
        for w in rq.Worker.all(queue=queues[3]):
            send_shutdown_command(r, w.name)
        same([w.wait(timeout=60) for w in workers], [0, 0])
        same(rq.Worker.all(queue=queues[3]), [])

    def scheduled(self):
        q = queues[2]
        soon = q.enqueue_in(timedelta(seconds=1), rq_jobs.count, key("soon"), 1)
        same(soon.id in ScheduledJobRegistry(queue=q), True)
        w = worker("--with-scheduler", queues=names[2:3])
        eventually("it is done", lambda: soon.get_status() == "finished")
        w.terminate()
        same(w.wait(timeout=60), 0)


run(Families())
for q in queues:
    q.delete(delete_jobs=True)
