"""solders, the Rust SDK's Python binding: addresses, and a transaction that a child signs."""

from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction

from lines import serve


def message_of(q):
    payer = Pubkey.from_string(q["address"])
    pay = transfer(TransferParams(from_pubkey=payer, to_pubkey=Pubkey.from_string(q["to"]), lamports=1234567))
    return Message.new_with_blockhash([pay], payer, Hash.from_string(q["blockhash"]))


def account(q, answer):
    for run in q["runs"]:
        for address, key in zip(run["addresses"], run["public_keys"], strict=True):
            answer.same("address", address, str(Pubkey.from_bytes(bytes.fromhex(key))))
            answer.same("on the curve", True, Pubkey.from_string(address).is_on_curve())


def message(q, answer):
    answer.more["message"] = bytes(message_of(q)).hex()


def signature(q, answer):
    payload = message_of(q)
    answer.same("message", q["message"], bytes(payload).hex())
    sig = Signature.from_bytes(bytes.fromhex(q["signature"]))
    answer.same("signature", True, sig.verify(Pubkey.from_string(q["address"]), bytes(payload)))
    tx = Transaction.populate(payload, [sig])
    tx.verify()  # raises where a signature is wrong
    answer.same("read back", True, Transaction.from_bytes(bytes(tx)) == tx)


serve(account=account, message=message, signature=signature)
