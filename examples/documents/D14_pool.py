"""D14: the 21st holder times out, and is not told who the 20 others are."""
import asyncio


class Pool:
    def __init__(self, pool_size, max_overflow, pool_timeout):
        self.size, self.overflow, self.timeout = pool_size, max_overflow, pool_timeout
        self.slots = asyncio.Semaphore(pool_size + max_overflow)

    async def use(self, seconds):
        try:
            await asyncio.wait_for(self.slots.acquire(), self.timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(f"QueuePool limit of size {self.size} overflow {self.overflow} "
                               f"reached, connection timed out, timeout {self.timeout}") from None
        await asyncio.sleep(seconds)
        self.slots.release()


async def main():
    pool = Pool(pool_size=10, max_overflow=10, pool_timeout=0.3)
    holders = [asyncio.create_task(pool.use(0.6)) for _ in range(20)]
    await asyncio.sleep(0.01)
    try:
        await pool.use(0.01)
    except TimeoutError as error:
        print("TimeoutError:", error)
    await asyncio.gather(*holders)


asyncio.run(main())
