package solana

import "math/bits"

// looksLikeTransaction reports whether bytes that a client wants signed as they are could be
// a transaction's message: a signature over them would let a validator execute it. Legacy
// messages, version 0 and version 1 (SIMD-0385) are recognised. What [ReadMessage] makes
// never does.
func looksLikeTransaction(message []byte) bool {
	_, err := parseMessage(message)
	return err == nil || isVersion1(message)
}

// isVersion1 reports whether bytes have the structure of a message of version 1. Nothing else
// of that version is read here.
func isVersion1(message []byte) bool {
	c := cursor{rest: message}
	version := c.byte("")
	c.take(3, "the header")
	mask := 0
	for _, b := range c.take(4, "the mask of the configuration") {
		mask += bits.OnesCount8(b)
	}
	c.take(keySize, "the blockhash")
	instructions, accounts := c.byte(""), c.byte("")
	c.take(accounts*keySize, "the accounts")
	c.take(mask*4, "the configuration")
	headers := c.take(instructions*4, "the instructions")
	for ; len(headers) >= 4; headers = headers[4:] { // program, number of accounts, length of data
		c.take(int(headers[1])+int(headers[2])+int(headers[3])<<8, "an instruction")
	}
	return c.err == nil && len(c.rest) == 0 && version == 0x81
}
