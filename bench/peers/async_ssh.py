"""The Python peer of `gabier-bench ssh`: asyncssh as its documentation shows it. Commands come as lines of JSON."""

import asyncio
import json
import sys
import time

import asyncssh

clients = []
sessions = []


async def open_(port, user, key, connections):
    for _ in range(connections):
        client = await asyncssh.connect("127.0.0.1", port, username=user, client_keys=[key], known_hosts=None, config=[])
        clients.append(client)
    return True


async def run(client):
    await client.run("true", check=True)


async def exec_(number):
    times = []
    for _ in range(number):
        begin = time.perf_counter()
        await run(clients[0])
        times.append((time.perf_counter() - begin) * 1e3)
    return times


async def burst(number, channels):
    left = iter(range(number))

    async def worker(client):
        for _ in left:
            await run(client)

    begin = time.perf_counter()
    await asyncio.gather(*(worker(client) for client in clients for _ in range(channels)))
    return number / (time.perf_counter() - begin)


async def sftp():
    if not sessions:
        sessions.append(await clients[0].start_sftp_client())
    return sessions[0]


async def put(source, target, tree):
    await (await sftp()).put(source, target, recurse=tree)
    return True


async def get(source, target, tree):
    await (await sftp()).get(source, target, recurse=tree)
    return True


COMMANDS = {"open": open_, "exec": exec_, "burst": burst, "put": put, "get": get}


async def main():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        try:
            answer = {"ok": await COMMANDS[command.pop("command")](**command)}
        except Exception as error:  # the run shows it
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
