"""One kazoo client with all addresses: works, waits while a server is killed, works again.

Started by kazoo.rs: `with_kazoo.py host:port,host:port,...`. After each part it prints a line and waits
for one on standard input.
"""

import logging
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, NoNodeError, OperationTimeoutError, SessionExpiredError


def main(hosts):
    # It warns of each connection that it loses, which is what happens here.
    logging.basicConfig(level=logging.ERROR)
    client = KazooClient(hosts=hosts, timeout=10)
    client.start(timeout=20)
    session = client.client_id[0]
    work(client, "/app/before")
    pause("before")
    write_again(client, "/app", within=30)
    work(client, "/app/after")
    assert client.client_id[0] == session, "the session survives its server"
    assert client.exists("/app/before/ephemeral").ephemeralOwner == session
    pause("after")
    client.stop()
    client.close()
    look_from_outside(hosts)
    print("done", flush=True)


def work(client, base):
    """What kazoo's users do most: paths, data, versions, ephemerals, sequences, children."""
    node = base + "/deep/node"
    assert client.create(node, b"one", makepath=True) == node
    assert client.get(node)[0] == b"one"
    assert client.set(node, b"two").version == 1
    data, stat = client.get(node)
    assert (data, stat.version, stat.dataLength) == (b"two", 1, 3)
    client.create(base + "/kept", b"two")

    ephemeral = client.create(base + "/ephemeral", ephemeral=True)
    assert client.exists(ephemeral).ephemeralOwner == client.client_id[0]
    numbered = [client.create(base + "/n-", sequence=True) for _ in range(3)]
    assert numbered == sorted(set(numbered)) and all(len(n) == len(base) + 13 for n in numbered)
    names = {path.rsplit("/", 1)[1] for path in numbered}
    assert set(client.get_children(base)) == names | {"deep", "kept", "ephemeral"}

    client.delete(node)
    assert client.exists(node) is None
    try:
        client.get(node)
        raise AssertionError("a deleted node was read")
    except NoNodeError:
        pass
    client.delete(base + "/deep", recursive=True)
    assert client.sync(base) == base


def pause(said):
    print(said, flush=True)
    assert sys.stdin.readline() == "\n"


def write_again(client, path, within):
    """Until a write gets through: kazoo reports the loss of a connection to its users."""
    deadline = time.monotonic() + within
    while True:
        try:
            return client.set(path, b"x")
        except (ConnectionLoss, OperationTimeoutError, SessionExpiredError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def look_from_outside(hosts):
    """The closed session took its ephemerals along, and nothing else."""
    client = KazooClient(hosts=hosts, timeout=10)
    client.start(timeout=20)
    for base in ["/app/before", "/app/after"]:
        assert client.exists(base + "/ephemeral") is None
        assert client.get(base + "/kept")[0] == b"two"
        assert len(client.get_children(base)) == 4
    client.stop()
    client.close()


main(sys.argv[1])
