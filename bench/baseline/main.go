// Command baseline generates 2-of-3 keys with github.com/bytemare/dkg, the
// mathematics only: all three participants in one process, nothing is encoded,
// encrypted, sent or stored. It prints what that took as JSON.
//
//	go run . -suite secp256k1 -count 40
//
// It is a module of its own: the benchmark compares with this library and
// nothing in Frostfleet depends on it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/bytemare/dkg"
)

var suites = map[string]dkg.Ciphersuite{"secp256k1": dkg.Secp256k1, "ed25519": dkg.Edwards25519Sha512}

func main() {
	runtime.GOMAXPROCS(1)
	suite := flag.String("suite", "secp256k1", "secp256k1 or ed25519")
	count := flag.Int("count", 40, "keys to generate")
	flag.Parse()
	if err := run(*suite, *count); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(name string, count int) error {
	suite, ok := suites[name]
	if !ok || count < 1 {
		return fmt.Errorf("suite %q, count %d: want secp256k1 or ed25519, and at least one", name, count)
	}
	if err := generate(suite, 2, 3); err != nil { // warm
		return err
	}
	start := cpuTime()
	for range count {
		if err := generate(suite, 2, 3); err != nil {
			return err
		}
	}
	took := cpuTime() - start
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"library": "github.com/bytemare/dkg", "suite": name, "count": count, "cpu_ms_each": took.Seconds() * 1000 / float64(count),
	})
}

// generate runs one key generation as all of its participants.
func generate(suite dkg.Ciphersuite, threshold, n uint16) error {
	all := make([]*dkg.Participant, n)
	round1 := make([]*dkg.Round1Data, n)
	round2 := make([][]*dkg.Round2Data, n) // by recipient
	for i := range all {
		var err error
		if all[i], err = suite.NewParticipant(uint16(i+1), threshold, n); err != nil {
			return err
		}
		round1[i] = all[i].Start()
	}
	for _, p := range all {
		shares, err := p.Continue(round1)
		if err != nil {
			return err
		}
		for recipient, share := range shares {
			round2[recipient-1] = append(round2[recipient-1], share)
		}
	}
	var public []byte
	for i, p := range all {
		key, err := p.Finalize(round1, round2[i])
		if err != nil {
			return err
		}
		if y := key.VerificationKey.Encode(); public == nil {
			public = y
		} else if string(public) != string(y) {
			return errors.New("the participants have different keys")
		}
	}
	return nil
}

// cpuTime is what this process used, in all its threads.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
