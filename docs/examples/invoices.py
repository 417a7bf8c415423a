"""Run it: pip install websockets && python3 invoices.py

A worker that makes invoices; start as many as there is work for. Each job pushed to invoices comes
to one of them, in turn, and waits in the broker while there is none. The total is published on
shop/invoices, where whoever listens to shop hears it, such as orders.mjs. A job by hand:
    curl -d '{"id":"1","item":"tea","count":2}' http://localhost:3000/push/invoices
"""
import asyncio
import json
import logging
import os
import random
import re
import signal
import sys
from operator import index
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

BROKER = re.sub("^ws", "http", os.environ.get("MERCURY_URL", "http://localhost:3000"))
PRICES = {"tea": 4, "coffee": 5}


def publish(message):
    """A POST is answered with 200 once the broker has the message, else with a sentence."""
    request = Request(f"{BROKER}/pub/shop/invoices", message.encode())
    urlopen(request, timeout=9).close()


async def work(job):
    """Makes one invoice, and is done when the broker has it: nobody else would make it again."""
    try:
        order = json.loads(job)
        total = PRICES[order["item"]] * index(order["count"])  # a whole number
        invoice = json.dumps({"id": order["id"], "total": total})
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        # whoever may connect may push: JSON of another shape, or too deep, must not end a worker
        return logging.error("not an order: %.200r: %r", job, error)
    while True:
        try:
            await asyncio.to_thread(publish, invoice)
            return logging.info("published %s", invoice)
        except HTTPError as refusal:
            logging.error("refused: %s", refusal.read().decode().strip())
            if refusal.code < 500 and refusal.code != 429:
                return None  # it would be refused again
        except OSError as error:
            logging.error("not published: %s", error)
        await asyncio.sleep(random.uniform(0, 5))


async def main():
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    jobs = closing = None

    def stop():
        nonlocal closing
        if jobs is None or closing:
            this.cancel()  # there is no connection, or this is the second signal
        else:
            # The broker now gives jobs to others. What had come before its answer is still done.
            closing = loop.create_task(jobs.close())

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    # While there is no broker, connect() tries again by itself, less and less often.
    url = BROKER.replace("http", "ws", 1) + "/pull/invoices"
    async for jobs in connect(url, close_timeout=60):
        logging.info("waiting for jobs")
        try:
            async for job in jobs:
                await work(job)
        except ConnectionClosed:
            pass  # the code below says how
        if closing:
            return await closing
        logging.error("closed: %s %s", jobs.close_code, jobs.close_reason)
        if jobs.close_code == 1008:  # the broker's "not you": to come back would not help
            sys.exit(1)
        jobs = None
        await asyncio.sleep(random.uniform(0, 5))  # not all workers at the same moment


logging.basicConfig(level=logging.INFO, format="%(message)s")
try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
except InvalidStatus as refusal:
    sys.exit(f"refused: {refusal.response.status_code} {refusal.response.body.decode().strip()}")
