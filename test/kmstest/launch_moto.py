"""Runs moto's server, an imitation of AWS, with one correction.

    python3 launch_moto.py PORT   on 127.0.0.1, until Ctrl-C
    python3 launch_moto.py        on any free port, until standard input ends

KMS signs a message of type DIGEST as it is. Moto 5.2.5 doesn't look at the
type and hashes every message, so its signature of a digest verifies for
nobody. Here a digest is signed as it is.
"""

import os
import sys
import threading

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey
from moto.server import main

request = threading.local()
sign_request, sign_message = KmsResponse.sign, ECDSAPrivateKey.sign


def sign(self):
    request.digest = self._get_param("MessageType") == "DIGEST"
    return sign_request(self)


def sign_digest(self, message, algorithm):
    if algorithm != "ECDSA_SHA_256" or not request.digest:
        return sign_message(self, message, algorithm)
    return self.private_key.sign(message, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


KmsResponse.sign, ECDSAPrivateKey.sign = sign, sign_digest


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


port = sys.argv[1] if len(sys.argv) > 1 else "0"
if port == "0":
    threading.Thread(target=end_with_parent, daemon=True).start()
main(["-H", "127.0.0.1", "-p", port])
