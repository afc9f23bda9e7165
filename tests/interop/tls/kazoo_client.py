"""kazoo against our port of TLS: a certificate of its own, and what it is allowed by it.

usage: kazoo_client.py HOST:PORT FOLDER
"""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import ACL, Id, Permissions

hosts, folder = sys.argv[1:]
TRUST = {"use_ssl": True, "verify_certs": True, "ca": f"{folder}/roots.pem"}
SHOW = {"certfile": f"{folder}/client.pem", "keyfile": f"{folder}/client-key.pem"}

client = KazooClient(hosts=hosts, timeout=30.0, **TRUST, **SHOW)
client.start(timeout=60)
large = b"x" * 500_000
mine = [ACL(Permissions.ALL, Id("x509", "CN=client"))]
client.create("/kazoo", large, acl=mine)
assert client.get("/kazoo")[0] == large
client.create("/theirs", b"", acl=[ACL(Permissions.ALL, Id("x509", "CN=zkcli"))])
try:
    client.get("/theirs")
    raise AssertionError("another's znode was read")
except NoAuthError:
    pass
client.stop()
client.close()

stranger = KazooClient(hosts=hosts, timeout=5.0, **TRUST)
try:
    stranger.start(timeout=5)
    raise AssertionError("a client without a certificate got in")
except KazooTimeoutError:
    stranger.stop()
    stranger.close()
print("done")
