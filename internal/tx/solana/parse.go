package solana

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

const (
	// MaxSize is how many bytes a transaction may have (PACKET_DATA_SIZE: what IPv6 carries
	// in one packet of 1,280 bytes).
	MaxSize = 1232

	signatureSize = ed25519.SignatureSize
	keySize       = ed25519.PublicKeySize
)

// key is the address of an account.
type key [keySize]byte

// compiled is a transaction's message, legacy or version 0. Accounts are named by their
// numbers: first the keys, of which the first are the signers, then what the lookup tables
// yield, whose keys nobody can know from the bytes.
type compiled struct {
	keys         []key
	signers      int // how many of keys sign
	instructions []instruction
	behind       int // accounts behind lookup tables
}

// instruction calls a program. Its bytes are parts of the transaction's.
type instruction struct {
	program  int
	accounts []byte
	data     []byte
}

// envelope is a whole transaction.
type envelope struct {
	start   int    // of the message, which goes to the end
	message []byte // what is signed
	compiled
}

// signature returns where signature i is.
func (e *envelope) signature(i int) int { return e.start - (e.signers-i)*signatureSize }

// parseTransaction reads signatures and message. It takes what a validator could execute, and
// refuses one encoding more than there need be: of every meaning there is one.
func parseTransaction(raw []byte) (*envelope, error) {
	c, signatures, err := parseSignatures(raw)
	if err != nil {
		return nil, err
	}
	e := &envelope{start: len(raw) - len(c.rest), message: c.rest}
	if e.compiled, err = parseMessage(e.message); err != nil {
		return nil, err
	}
	if signatures != e.signers {
		return nil, fmt.Errorf("it has room for %d signatures and asks for %d", signatures, e.signers)
	}
	seen := make(map[key]bool, len(e.keys))
	for i, k := range e.keys {
		if seen[k] {
			return nil, fmt.Errorf("account %d, %s, is there twice", i, address(k))
		}
		seen[k] = true
	}
	return e, nil
}

// parseSignatures returns what comes after the signatures, and how many there are.
func parseSignatures(raw []byte) (cursor, int, error) {
	c := cursor{rest: raw}
	if len(raw) > MaxSize {
		return c, 0, fmt.Errorf("it has %d bytes, more than %d", len(raw), MaxSize)
	}
	signatures := c.length("the number of signatures")
	c.take(signatures*signatureSize, "the signatures")
	return c, signatures, c.err
}

// parseMessage reads a message of a transaction under the rules of the runtime's sanitize.
// That no account is there twice is for its caller to check.
func parseMessage(b []byte) (m compiled, err error) {
	c := cursor{rest: b}
	versioned := len(b) > 0 && b[0]&0x80 != 0
	if versioned {
		if version := c.byte("the version") & 0x7f; version != 0 {
			return m, fmt.Errorf("it is of version %d: legacy and 0 are read", version)
		}
	}
	m.signers = c.byte("the header")
	readonlySigners, readonlyOthers := c.byte("the header"), c.byte("the header")
	keys := c.take(c.length("the number of accounts")*keySize, "the accounts")
	c.take(keySize, "the blockhash")
	for i, n := 0, c.length("the number of instructions"); i < n && c.err == nil; i++ {
		m.instructions = append(m.instructions, instruction{
			program: c.byte("an instruction"), accounts: c.bytes("an instruction"), data: c.bytes("an instruction")})
	}
	if versioned {
		m.behind = c.lookups()
	}
	switch {
	case c.err != nil:
		return m, c.err
	case len(c.rest) > 0:
		return m, fmt.Errorf("%d bytes follow its end", len(c.rest))
	case readonlySigners >= m.signers:
		return m, errors.New("it has no writable signer, who would pay the fee")
	case m.signers+readonlyOthers > len(keys)/keySize:
		return m, errors.New("its header counts more accounts than it has")
	case len(keys)/keySize+m.behind > 256:
		return m, fmt.Errorf("it has %d accounts, more than 256", len(keys)/keySize+m.behind)
	}
	m.keys = make([]key, len(keys)/keySize)
	for i := range m.keys {
		m.keys[i] = key(keys[i*keySize:])
	}
	return m, m.checkInstructions()
}

// checkInstructions checks that what they name is there.
func (m *compiled) checkInstructions() error {
	for i, in := range m.instructions {
		// The fee payer is no program, and a program's key is always in the bytes.
		if in.program == 0 || in.program >= len(m.keys) {
			return fmt.Errorf("instruction %d calls account %d, which can't be a program", i, in.program)
		}
		for _, a := range in.accounts {
			if int(a) >= len(m.keys)+m.behind {
				return fmt.Errorf("instruction %d names account %d of %d", i, a, len(m.keys)+m.behind)
			}
		}
	}
	return nil
}

// lookups reads the address lookup tables of a version 0 message and returns how many
// accounts they yield.
func (c *cursor) lookups() (accounts int) {
	const what = "a lookup table"
	for i, n := 0, c.length("the number of lookup tables"); i < n && c.err == nil; i++ {
		c.take(keySize, what)
		yields := len(c.bytes(what)) + len(c.bytes(what))
		if yields == 0 && c.err == nil {
			c.err = fmt.Errorf("lookup table %d yields no account", i)
		}
		accounts += yields
	}
	return accounts
}

// cursor reads bytes from the front. After an error it yields zeros.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) take(n int, what string) []byte {
	if c.err == nil && n > len(c.rest) {
		c.err = fmt.Errorf("it ends within %s", what)
	}
	if c.err != nil {
		return nil
	}
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) byte(what string) int {
	if b := c.take(1, what); c.err == nil {
		return int(b[0])
	}
	return 0
}

// length reads a compact-u16: seven bits a byte, the lowest first, in as few bytes as it takes.
func (c *cursor) length(what string) int {
	n := 0
	for shift := 0; shift < 21; shift += 7 {
		b := c.byte(what)
		n |= (b & 0x7f) << shift
		if b >= 0x80 {
			continue
		}
		if b == 0 && shift > 0 || n > 0xffff {
			break
		}
		return n
	}
	if c.err == nil {
		c.err = fmt.Errorf("%s: a length that is not a compact-u16", what)
	}
	return 0
}

// bytes reads a length and so many bytes.
func (c *cursor) bytes(what string) []byte { return c.take(c.length(what), what) }
