"""Requests name keys that there are, mostly: none that Schemathesis makes up gets further than 404."""

import os
import zlib

import schemathesis

KEYS = os.environ["FROST_KEYS"].split()


def known(name):
    """One of the keys, or the name; the same for the same name. What is no name stays as it is."""
    if not isinstance(name, str) or not 1 <= len(name) <= 64:
        return name
    pick = zlib.crc32(name.encode("utf-8", "surrogatepass")) % (len(KEYS) + 1)
    return (KEYS + [name])[pick]


def walk(value):
    if isinstance(value, list):
        return [walk(v) for v in value]
    if not isinstance(value, dict):
        return value
    named = {k: walk(v) for k, v in value.items()}
    if "key" in named:
        named["key"] = known(named["key"])
    if isinstance(named.get("keys"), list):
        named["keys"] = [known(k) for k in named["keys"]]
    return named


@schemathesis.hook
def map_body(context, body):
    return walk(body)


@schemathesis.hook
def map_path_parameters(context, parameters):
    if parameters and "id" in parameters and "/keys/" in context.operation.path:
        return {**parameters, "id": known(parameters["id"])}
    return parameters
