"""asyncio or uvloop beside bide: rival_asyncio.py asyncio|uvloop CASE...

Each case does what its twin in bide_core.c does and prints `CASE NANOSECONDS_PER_OPERATION`.
"""
import asyncio
import os
import random
import sys
import time

TARGET_NS = int(os.environ.get("BENCH_MS", "200")) * 1_000_000
now_ns = time.perf_counter_ns
total = 0


def yield_ring(members):
    async def case(count):
        turns = -(-count // members)
        start_ns = end_ns = 0

        async def member(first):
            nonlocal start_ns, end_ns
            await asyncio.sleep(0)  # after this every member has started
            if first:
                start_ns = now_ns()
            for _ in range(turns):
                await asyncio.sleep(0)
            if first:  # the ring is fair: the others did as many
                end_ns = now_ns()

        tasks = [asyncio.create_task(member(i == 0)) for i in range(members)]
        for task in tasks:
            await task
        return turns * members, end_ns - start_ns

    return case


async def leaf():
    global total
    total += 1


async def spawn_join_one(count):
    start_ns = now_ns()
    for _ in range(count):
        await asyncio.create_task(leaf())
    return count, now_ns() - start_ns


async def spawn_join_batch(count):
    batches = -(-count // 1000)
    start_ns = now_ns()
    for _ in range(batches):
        async with asyncio.TaskGroup() as group:
            for _ in range(1000):
                group.create_task(leaf())
    return batches * 1000, now_ns() - start_ns


async def channel_rendezvous(count):
    global total
    ping, pong = asyncio.Queue(1), asyncio.Queue(1)  # asyncio has no unbuffered queue

    async def answerer():
        for _ in range(count):
            await pong.put(await ping.get())

    task = asyncio.create_task(answerer())
    start_ns = now_ns()
    for i in range(count):
        await ping.put(i)
        total += await pong.get()
    elapsed_ns = now_ns() - start_ns
    await task
    return count, elapsed_ns


async def channel_buffered(count):
    global total
    queue = asyncio.Queue(128)

    async def producer():
        for i in range(count):
            await queue.put(i)

    start_ns = now_ns()
    task = asyncio.create_task(producer())
    for _ in range(count):
        total += await queue.get()
    elapsed_ns = now_ns() - start_ns
    await task
    return count, elapsed_ns


async def mutex_free(count):
    lock = asyncio.Lock()
    start_ns = now_ns()
    for _ in range(count):
        async with lock:
            pass
    return count, now_ns() - start_ns


async def mutex_contended(count):
    lock = asyncio.Lock()
    turns = -(-count // 2)

    async def member():
        for _ in range(turns):
            async with lock:
                await asyncio.sleep(0)

    start_ns = now_ns()
    async with asyncio.TaskGroup() as group:
        group.create_task(member())
        group.create_task(member())
    return turns * 2, now_ns() - start_ns


async def deadline_scope(count):
    global total
    start_ns = now_ns()
    for _ in range(count):
        async with asyncio.timeout(2):
            total += 1
    return count, now_ns() - start_ns


OUTSTANDING = 1_000_000
timers = []


async def timer_arm_cancel(count):
    """Cancels the oldest of 1,000,000 timers, arms another; the loop turns every 1000."""
    loop = asyncio.get_running_loop()
    delays = [10 + 50 * random.random() for _ in range(4096)]
    if not timers:
        timers.extend(loop.call_later(delays[i & 4095], print) for i in range(OUTSTANDING))
    place = 0
    start_ns = now_ns()
    for i in range(count):
        timers[place].cancel()
        timers[place] = loop.call_later(delays[i & 4095], print)
        place += 1
        if place == OUTSTANDING:
            place = 0
        if i % 1000 == 999:
            await asyncio.sleep(0)
    return count, now_ns() - start_ns


def status_bytes(*fields):
    with open("/proc/self/status") as status:
        return sum(int(line.split()[1]) * 1024 for line in status if line.split(":")[0] in fields)


async def parked_1m():
    """Parks 1,000,000 tasks, wakes each once, and weighs them when they are parked again."""
    members = 1_000_000
    woken = left = 0
    parked = []
    loop = asyncio.get_running_loop()

    async def park():
        future = loop.create_future()
        parked.append(future)
        await future

    async def member():
        nonlocal woken, left
        await park()
        woken += 1
        await park()
        left += 1

    before = status_bytes("VmRSS", "VmPTE")
    tasks = [asyncio.create_task(member()) for _ in range(members)]
    while len(parked) < members:
        await asyncio.sleep(0)
    asleep, parked = parked, []
    for future in asleep:
        future.set_result(None)
    del asleep, future
    while len(parked) < members:
        await asyncio.sleep(0)
    size = status_bytes("VmRSS", "VmPTE") - before
    assert woken == members and left == 0
    with open("/proc/self/maps") as maps:
        mappings = sum(1 for _ in maps)
    print(f"parked_1m {size // members}\nparked_1m_mappings {mappings}", flush=True)
    del tasks
    os._exit(0)  # taking a million tasks apart would only cost time


CASES = {
    "yield_2": (yield_ring(2), 1000),
    "yield_64": (yield_ring(64), 1000),
    "yield_1000": (yield_ring(1000), 4000),
    "yield_100k": (yield_ring(100_000), 100_000),
    "spawn_join_one": (spawn_join_one, 1000),
    "spawn_join_batch": (spawn_join_batch, 2000),
    "channel_rendezvous": (channel_rendezvous, 1000),
    "channel_buffered": (channel_buffered, 1000),
    "mutex_free": (mutex_free, 1000),
    "mutex_contended": (mutex_contended, 1000),
    "deadline_scope": (deadline_scope, 1000),
    "timer_arm_cancel": (timer_arm_cancel, 20_000),
}


async def measure(name, case, count):
    while True:
        operations, elapsed_ns = await case(count)
        if elapsed_ns * 16 >= TARGET_NS:
            break
        count = operations * 8
    count = max(1, operations * TARGET_NS // elapsed_ns)
    operations, elapsed_ns = await case(count)
    print(f"{name} {elapsed_ns / operations:.4f}", flush=True)
    if timers:
        os._exit(0)  # taking a million timers apart would only cost time


async def main():
    for name in sys.argv[2:]:
        if name == "parked_1m":
            await parked_1m()
        elif name in CASES:
            await measure(name, *CASES[name])


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        uvloop.install()
    asyncio.run(main())
