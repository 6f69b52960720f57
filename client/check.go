package client

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/frost/ed25519batch"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// defaultRecheck is the share of signatures that a library checks as well.
const defaultRecheck = 0.01

// maxNamed bounds an error's text where many signatures don't verify.
const maxNamed = 10

// claim is a signature of a job's result, with the item that it is for and the output key
// of that. publicKey is what the gateway says, and is the output key if there is one.
type claim struct {
	at        int // the item's place in the job
	item      *SignItem
	key       *outputKey
	publicKey []byte
	signature []byte
}

// claims are the signatures of a job.
type claims struct {
	suite    string // as the gateway says
	branches *derive.Cache
	of       []claim
}

// verify verifies all signatures at once with the project's own code, and a random share
// of them, at least one, as well as all that seem bad, with the libraries of
// [VerifySignature]. Where the two don't agree, the error is ErrDisagreement; otherwise it
// names what does not verify. rechecked is how many the libraries saw.
func (c *claims) verify(share float64) (rechecked int, err error) {
	if len(c.of) == 1 {
		one := &c.of[0]
		if err := c.ask(one); err != nil || one.key.point == nil {
			return 1, err
		}
		return 1, c.compare(one, false, nil) // the others' items were refused, and its output key was computed with theirs
	}
	return c.judge(c.bad(), share)
}

// judge has the libraries look at those that the project's own code finds bad, and at some
// others.
func (c *claims) judge(found []int, share float64) (rechecked int, err error) {
	return judge(len(c.of), found, share, func(i int) error { return c.ask(&c.of[i]) },
		func(i int, bad bool, library error) error { return c.compare(&c.of[i], bad, library) })
}

// judge has a library look at those of count signatures that the project's own code finds
// bad, and at a share of the others, at least one. compare says whether the two disagree.
func judge(count int, found []int, share float64, ask func(int) error, compare func(int, bool, error) error) (
	rechecked int, err error) {
	again, bad := chosen(count, share), make([]bool, count)
	for _, i := range found {
		bad[i], again[i] = true, true
	}
	var named []error
	failed := 0
	for i := range count {
		if !again[i] {
			continue
		}
		rechecked++
		err := ask(i)
		if differs := compare(i, bad[i], err); differs != nil {
			return rechecked, differs
		}
		if err != nil {
			if failed++; failed <= maxNamed {
				named = append(named, err)
			}
		}
	}
	if more := failed - len(named); more > 0 {
		named = append(named, fmt.Errorf("and %d others of %d", more, count))
	}
	return rechecked, errors.Join(named...)
}

// ask has a library verify one signature.
func (c *claims) ask(one *claim) error {
	err := VerifySignature(c.suite, one.publicKey, one.item.Message, one.signature)
	if err != nil {
		return fmt.Errorf("item %d, key %s: %w", one.at, wire.ShortKey(one.item.Key), err)
	}
	return nil
}

// compare returns ErrDisagreement if a library's verdict on a signature or its output key is
// another than the project's own code has.
func (c *claims) compare(one *claim, bad bool, library error) error {
	if bad != (library != nil) {
		return fmt.Errorf("item %d, key %s: %w", one.at, wire.ShortKey(one.item.Key), disagreement(bad, one.publicKey,
			one.item.Message, one.signature, libraries[c.suite]))
	}
	if want := libraryKey(c.branches, *one.item); want.suite != "" && want.check(c.suite, one.publicKey) != nil {
		return fmt.Errorf("item %d, key %s: %w: the output key is %x by frostfleet's own code, and by btcd's library "+
			"it is %x", one.at, wire.ShortKey(one.item.Key), ErrDisagreement, one.publicKey, want.key)
	}
	return nil
}

// disagreement is ErrDisagreement over a signature that the project's own code finds bad or good.
func disagreement(bad bool, publicKey, message, signature []byte, library string) error {
	ours, theirs := "good", "bad"
	if bad {
		ours, theirs = theirs, ours
	}
	return fmt.Errorf("%w: the signature %x of %x under %x is %s by frostfleet's own code and %s by %s", ErrDisagreement,
		signature, message, publicKey, ours, theirs, library)
}

var libraries = map[string]string{SuiteSecp256k1TR: "btcd's library", SuiteEd25519: "crypto/ed25519"}

// bad returns which signatures don't verify by the project's own code.
func (c *claims) bad() []int {
	if c.suite == SuiteSecp256k1TR {
		batch := make([]bip340.Signature, len(c.of))
		for i, one := range c.of {
			if len(one.item.Message) == 32 { // BIP 340 signs others as well, and nodes don't
				batch[i] = bip340.Signature{PublicKey: one.publicKey, Message: one.item.Message,
					Signature: one.signature, Key: one.key.point}
			}
		}
		return bip340.BatchVerify(batch)
	}
	batch := make([]ed25519batch.Signature, len(c.of))
	for i, one := range c.of {
		if c.suite == SuiteEd25519 { // none is of another suite
			batch[i] = ed25519batch.Signature{PublicKey: one.publicKey, Message: one.item.Message,
				Signature: one.signature}
		}
	}
	return ed25519batch.Verify(rand.Reader, batch)
}

// chosen chooses each of count places with a probability of share, and if it would be none,
// one. Nobody can foresee which.
func chosen(count int, share float64) []bool {
	random := make([]byte, 4*count+8)
	_, _ = rand.Read(random) // it never fails
	places, some := make([]bool, count), false
	for i := range places {
		places[i] = float64(binary.LittleEndian.Uint32(random[4*i:]))/(math.MaxUint32+1) < share
		some = some || places[i]
	}
	if count > 0 && !some {
		places[binary.LittleEndian.Uint64(random[4*count:])%uint64(count)] = true
	}
	return places
}
