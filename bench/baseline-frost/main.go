// Command baseline-frost makes 2-of-3 signatures with github.com/bytemare/frost
// (RFC 9591, Ed25519), the mathematics only: the signers and the coordinator in
// one process, nothing is encoded, sent or stored. Signers and configurations are
// made beforehand. It prints what the signatures took as JSON.
//
//	go run . -count 400
//
// It is a module of its own, because its dependencies and those of
// bench/baseline exclude one another.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/bytemare/frost"
	"github.com/bytemare/frost/debug"
)

const suite = frost.Ed25519

func main() {
	runtime.GOMAXPROCS(1)
	count := flag.Int("count", 400, "signatures to make")
	flag.Parse()
	if err := run(*count); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(count int) error {
	if count < 1 {
		return fmt.Errorf("count %d: want at least one", count)
	}
	c, signers, err := fleet(2, 3)
	if err != nil {
		return err
	}
	if err := sign(c, signers, []byte("warm")); err != nil {
		return err
	}
	start := cpuTime()
	for i := range count {
		if err := sign(c, signers, fmt.Appendf(nil, "message %d", i)); err != nil {
			return err
		}
	}
	took := cpuTime() - start
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"library": "github.com/bytemare/frost", "suite": "ed25519", "count": count, "cpu_ms_each": took.Seconds() * 1000 / float64(count),
	})
}

// fleet gives a key's configuration and its first t signers.
func fleet(t, n uint16) (*frost.Configuration, []*frost.Signer, error) {
	shares, public, _ := debug.TrustedDealerKeygen(suite, nil, t, n)
	c := &frost.Configuration{Ciphersuite: suite, Threshold: t, MaxSigners: n, VerificationKey: public}
	for _, s := range shares {
		c.SignerPublicKeyShares = append(c.SignerPublicKeyShares, s.PublicKeyShare())
	}
	if err := c.Init(); err != nil {
		return nil, nil, err
	}
	var signers []*frost.Signer
	for _, s := range shares[:t] {
		signer, err := c.Signer(s)
		if err != nil {
			return nil, nil, err
		}
		signers = append(signers, signer)
	}
	return c, signers, nil
}

// sign makes one signature and verifies it, and no shares: they are checked
// only if the signature is bad.
func sign(c *frost.Configuration, signers []*frost.Signer, message []byte) error {
	var commitments frost.CommitmentList
	for _, s := range signers {
		commitments = append(commitments, s.Commit())
	}
	commitments.Sort()
	var shares []*frost.SignatureShare
	for _, s := range signers {
		share, err := s.Sign(message, commitments)
		if err != nil {
			return err
		}
		shares = append(shares, share)
	}
	signature, err := c.AggregateSignatures(message, shares, commitments, false)
	if err != nil {
		return err
	}
	return frost.VerifySignature(suite, message, signature, c.VerificationKey)
}

// cpuTime is what this process used, in all its threads.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
