package draft

import (
	"encoding/binary"
	"slices"
)

// Transfer is a legacy Solana transaction, not signed yet: the System program moves so many
// lamports from one account, which pays the fee, to another. Addresses are their 32 bytes.
func Transfer(from, to []byte, lamports uint64, blockhash [32]byte) []byte {
	system := make([]byte, 32)
	data := binary.LittleEndian.AppendUint64([]byte{2, 0, 0, 0}, lamports) // SystemInstruction::Transfer
	return slices.Concat(
		[]byte{1}, make([]byte, 64), // room for one signature
		[]byte{1, 0, 1}, // signers, those that are read only, and others that are
		[]byte{3}, from, to, system,
		blockhash[:],
		[]byte{1, 2, 2, 0, 1, byte(len(data))}, data, // one call, of account 2, with accounts 0 and 1
	)
}
