"""Generates a Solana key with a Frostfleet and has a message signed, with
nothing but NATS and an Ed25519 library.

    pip install -r requirements.txt
    python jobs.py nats://127.0.0.1:4222 manifest.json client0 client.key gateway0 GATEWAY_PUBLIC_KEY keys.jsonl

Credentials and TLS come from the variables that the nats command line reads: NATS_NKEY or NATS_CREDS, NATS_CA.
"""

import asyncio
import json
import os
import ssl
import sys
import uuid
from datetime import datetime, timedelta, timezone
from hashlib import sha256

import nats
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def tagged(tag, *parts):
    """The fleet's hash: SHA-256 over the tag's hash, twice, and parts with their lengths."""
    t = sha256(tag).digest()
    h = sha256(t + t)
    for part in parts:
        h.update(len(part).to_bytes(8, "big") + part)
    return h.digest()


def manifest_hash(m):
    """Identity of a manifest, which every signature of the fleet names."""
    counts = (m["n"], m["t"], m["epoch"], int(m["attest_signing"]))
    keys = (bytes.fromhex(node[key]) for node in m["nodes"] for key in ("identity", "encryption"))
    head = (m["fleet"].encode(), m["network"].encode())
    return tagged(b"frostfleet/manifest/v1", *head, *(c.to_bytes(4, "big") for c in counts), *keys)


def connection():
    """Options for nats.connect: a file with an nkey's seed or a .creds file, and the authority's certificate."""
    options = {}
    if "NATS_NKEY" in os.environ:
        options["nkeys_seed"] = os.environ["NATS_NKEY"]
    if "NATS_CREDS" in os.environ:
        options["user_credentials"] = os.environ["NATS_CREDS"]
    if "NATS_CA" in os.environ:
        options["tls"] = ssl.create_default_context(cafile=os.environ["NATS_CA"])
    return options


class Fleet:
    def __init__(self, nc, manifest, client, key, gateways):
        self.nc, self.client, self.key, self.gateways = nc, client, key, gateways
        self.fleet, self.network, self.manifest = manifest["fleet"], manifest["network"], manifest_hash(manifest)

    def signed(self, tag, subject, payload):
        """What client and gateways sign: tag, subject, network, the manifest's hash and the payload, a line each."""
        return "\n".join((tag, subject, self.network, self.manifest.hex(), "")).encode() + payload

    async def run(self, kind, **fields):
        """Publishes a job and returns its payload and its result."""
        job = str(uuid.uuid4())
        expires = datetime.now(timezone.utc) + timedelta(minutes=10)
        payload = json.dumps({"job": job, "kind": kind, "expires": expires.isoformat(), **fields}).encode()
        subject = f"frost.{self.fleet}.job.{kind}.{self.client}"
        signature = self.key.sign(self.signed("frostfleet/job/v2", subject, payload))
        announced = await self.nc.subscribe(f"frost.{self.fleet}.result.{self.client}.{job}")
        ack = json.loads((await self.nc.request(subject, payload, timeout=5, headers={
            "Frost-Client": self.client, "Frost-Signature": signature.hex()})).data)
        if "error" in ack or ack.get("duplicate"):  # 10077: busy, 256 open jobs of this kind
            raise RuntimeError(f"not stored: {ack}")
        names = (name.encode() for name in (self.fleet, self.network, kind, self.client))
        want = tagged(b"frostfleet/job/v2", self.manifest, *names, payload).hex()
        while datetime.now(timezone.utc) < expires:
            msg = await self.answer(announced, job)
            result = msg and self.verified(msg, job)
            if result and result["digest"] == want and result.get("rejected", signature.hex()) == signature.hex():
                if result["status"] != "done":
                    raise RuntimeError(f"{result['code']}: {result['error']}")
                return payload.decode(), result
        raise TimeoutError(f"no answer to job {job}")

    async def answer(self, announced, job):
        """The announced result, or after a while of silence the stored one."""
        try:
            return await announced.next_msg(timeout=5)
        except nats.errors.TimeoutError:
            stream = f"FROST_{self.fleet.upper()}_RESULTS"
            stored = f"frost.{self.fleet}.res.{self.client}.{job}"
            msg = await self.nc.request(f"$JS.API.DIRECT.GET.{stream}.{stored}", b"", timeout=5)
            return None if "Status" in (msg.headers or {}) else msg

    def verified(self, msg, job):
        """The result, if one of the fleet's gateways signed it."""
        subject = f"frost.{self.fleet}.result.{self.client}.{job}"
        headers = msg.headers or {}
        try:
            gateway = self.gateways[headers.get("Frost-Gateway")]
            signed = self.signed("frostfleet/result/v2", subject, msg.data)
            gateway.verify(bytes.fromhex(headers.get("Frost-Signature", "")), signed)
            return json.loads(msg.data)
        except Exception as err:  # anybody may have put it there
            print("ignored a result:", repr(err), file=sys.stderr)
            return None


async def main(url, manifest_file, client, key_file, gateway, gateway_key, keys_file):
    with open(manifest_file) as f:
        manifest = json.load(f)
    with open(key_file) as f:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(f.read().strip()))
    gateways = {gateway: Ed25519PublicKey.from_public_bytes(bytes.fromhex(gateway_key))}
    nc = await nats.connect(url, **connection())
    try:
        f = Fleet(nc, manifest, client, key, gateways)

        job, result = await f.run("keygen", chain="solana", count=1)
        with open(keys_file, "a") as out:  # for: frostctl verify --keys
            out.write(json.dumps({"client": client, "job": job, "result": result}) + "\n")
        new = result["keys"][0]

        message = b"hello from Python"
        _, result = await f.run("sign", items=[{"key": new["id"], "message": message.hex()}])
        signature = result["signatures"][0]["signature"]
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(new["public_key"]))
        public.verify(bytes.fromhex(signature), message)  # raises InvalidSignature
        print(json.dumps({"key": new["id"], "address": new["address"], "signature": signature}))
    finally:
        await nc.close()


if __name__ == "__main__":
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
