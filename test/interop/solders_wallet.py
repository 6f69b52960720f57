"""solders, the Rust SDK's Python binding: addresses, transactions that a child signs, and the runtime that executes
them (LiteSVM)."""

import base64

from solders.account import Account
from solders.address_lookup_table_account import ADDRESS_LOOKUP_TABLE_ID, AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.token.associated import get_associated_token_address
from solders.token.state import Mint, TokenAccount, TokenAccountState
from solders.transaction import Transaction, VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

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


def key(q, name):
    return Pubkey.from_string(q[name])


def token_account(q, name):
    return get_associated_token_address(key(q, name), key(q, "mint"), key(q, "program"))


def pay(q):
    if not q.get("mint"):
        return transfer(TransferParams(from_pubkey=key(q, "address"), to_pubkey=key(q, "to"), lamports=q["units"]))
    accounts = [AccountMeta(token_account(q, "address"), False, True), AccountMeta(key(q, "mint"), False, False),
                AccountMeta(token_account(q, "to"), False, True), AccountMeta(key(q, "address"), True, False)]
    data = bytes([12]) + q["units"].to_bytes(8, "little") + bytes([q["decimals"]])  # TransferChecked
    return Instruction(key(q, "program"), data, accounts)


def cosigner(q):
    return Keypair.from_seed(bytes.fromhex(q["secret"]))


def parse(text):
    return VersionedTransaction.from_bytes(base64.b64decode(text))


def text_of(tx):
    return base64.b64encode(bytes(tx)).decode()


def transaction(q, answer):
    payer, blockhash = cosigner(q).pubkey() if q.get("secret") else key(q, "address"), Hash.from_string(q["blockhash"])
    if q["v0"]:
        tables = [AddressLookupTableAccount(key(q, "table"), [key(q, "to")])] if q.get("table") else []
        made = MessageV0.try_compile(payer, [pay(q)], tables, blockhash)
    else:
        made = Message.new_with_blockhash([pay(q)], payer, blockhash)
    room = [Signature.default()] * made.header.num_required_signatures
    answer.more["transaction"] = text_of(VersionedTransaction.populate(made, room))


def cosign(q, answer):
    tx, other = parse(q["transaction"]), cosigner(q)
    signatures = list(tx.signatures)
    signatures[tx.message.account_keys.index(other.pubkey())] = other.sign_message(to_bytes_versioned(tx.message))
    answer.more["transaction"] = text_of(VersionedTransaction.populate(tx.message, signatures))


def landed(q, answer):
    tx = parse(q["transaction"])
    tx.sanitize()
    answer.same("message", bytes(parse(q["unsigned"]).message), bytes(tx.message))
    answer.same("signatures", [True] * tx.message.header.num_required_signatures, tx.verify_with_results())
    chain = world(q, tx)
    happened = chain.send_transaction(tx)
    answer.same("executed", True, isinstance(happened, TransactionMetadata) or happened)
    answer.same("paid", q["units"], balance(chain, q))


def world(q, tx):
    """A chain on which the transaction can be paid for."""
    chain = LiteSVM().with_blockhash_check(False)
    chain.warp_to_slot(10)
    rich = 10**10
    for payer in {tx.message.account_keys[0], key(q, "address")}:
        chain.set_account(payer, Account(rich, b"", Pubkey.default()))
    if q.get("table"):
        # Of the program's state: kind, slot of deactivation, slot of the last extension and where it began, authority.
        state = (1).to_bytes(4, "little") + b"\xff" * 8 + bytes(9) + b"\x01" + bytes(34) + bytes(key(q, "to"))
        chain.set_account(key(q, "table"), Account(rich, state, ADDRESS_LOOKUP_TABLE_ID))
    if q.get("mint"):
        mint = Mint(None, 10**15, q["decimals"], True)
        chain.set_account(key(q, "mint"), Account(rich, bytes(mint), key(q, "program")))
        for name, has in (("address", 10**12), ("to", 0)):
            holds = TokenAccount(key(q, "mint"), key(q, name), has, None, TokenAccountState.Initialized, None, 0)
            chain.set_account(token_account(q, name), Account(rich, bytes(holds), key(q, "program")))
    return chain


def balance(chain, q):
    if q.get("mint"):
        return TokenAccount.from_bytes(chain.get_account(token_account(q, "to")).data).amount
    return chain.get_balance(key(q, "to"))


serve(account=account, message=message, signature=signature, transaction=transaction, cosign=cosign, landed=landed)
