package solana

import (
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Instructions of the token programs that are read, by their first byte.
const (
	tokenTransfer        = 3
	tokenTransferChecked = 12
	tokenFeeExtension    = 26 // Token-2022: transfer fees, with a second byte
	transferCheckedFee   = 1
)

// token reads an instruction of SPL Token or Token-2022. Only transfers that name their mint
// are understood; an approval, another authority, a closed account or an extension of
// Token-2022 is not.
func token(c *call) string {
	if !c.touched() {
		return ""
	}
	// source, mint, destination, authority. More accounts are signers of a multisig, or
	// those of a hook that the mint has called.
	const mint, destination, authority = 1, 2, 3
	units, decimals, ok := c.transferChecked()
	switch {
	case !ok && len(c.data) > 0 && c.data[0] == tokenTransfer:
		return "is Transfer, which doesn't say of which token: use TransferChecked"
	case !ok:
		return notRead("an instruction on tokens")
	case len(c.accounts) != 4:
		return notRead("TransferChecked")
	case c.hidden():
		return behindLookup("TransferChecked")
	case !c.isOurs(authority):
		return notRead("TransferChecked")
	}
	c.pay(intent.Payment{
		To:       c.payee(c.key(destination), c.key(mint)),
		Amount:   intent.Amount{Asset: "spl:" + address(c.key(mint)), Units: units},
		Decimals: decimals,
	})
	return ""
}

// transferChecked reads what TransferChecked, and Token-2022's TransferCheckedWithFee, take
// from the source. A fee is a part of it.
func (c *call) transferChecked() (units uint64, decimals uint8, ok bool) {
	data := c.data
	switch {
	case len(data) == 1+8+1 && data[0] == tokenTransferChecked:
		return u64(data[1:]), data[9], true
	case c.program == token2022Program && len(data) == 2+8+1+8 && data[0] == tokenFeeExtension &&
		data[1] == transferCheckedFee:
		return u64(data[2:]), data[10], true
	}
	return 0, 0, false
}

// payee returns who gets what goes to a token account: its owner, if the transaction says so.
func (c *call) payee(account, mint key) string {
	if made, ok := c.made[account]; ok && made.mint == mint && made.program == c.program {
		return address(made.owner)
	}
	return "account:" + address(account)
}
