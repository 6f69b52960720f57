package bench_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

const (
	policyPairs = 10
	policyTurns = 8 // of each side in a pair
)

// benchPolicy has a destination (draft.Payee, on regtest), and counts by minute, hour, day and
// week, for the client and for each key.
const benchPolicy = `
version = 1
[[rule]]
name = "payments"
clients = ["*"]
keys = ["*"]
kinds = ["psbt"]
destinations = ["PAYEE"]
max_fee = ["0.01 BTC"]
[[rule.limit]]
amount = "1000000 signatures"
per = "minute"
[[rule.limit]]
amount = "1000 BTC"
per = "hour"
[[rule.limit]]
amount = "10000 BTC"
per = "day"
scope = "key"
[[rule.limit]]
amount = "100000 BTC"
per = "week"
`

// BenchmarkPolicy is what a policy with counters costs: the processor time of a fleet in this
// process whose nodes have one, and of its client, above that of a fleet without, in turns.
func BenchmarkPolicy(b *testing.B) {
	with := startPolicy(b)
	without := inProcess(b, fleettest.Options{Log: slog.New(slog.DiscardHandler), Unobserved: true})
	for _, work := range []struct {
		name        string
		jobs, sizes int // of a turn
	}{{"policy_cpu_percent", 20, 10}, {"policy_cpu_percent_large", 1, 500}, {"policy_cpu_percent_small", 40, 1}} {
		results.Record(work.name, policyCost(b, with, without, work.jobs, work.sizes), "%", "<= 5")
	}
}

// policyCost is the median of pairs, in percent. A pair is many short turns of both: what
// else the machine does, and how fast it is, changes between two turns less than between two
// long runs. Whoever is first takes turns.
func policyCost(b *testing.B, with, without *side, jobs, size int) float64 {
	b.Helper()
	sizes := make([]int, jobs)
	for i := range sizes {
		sizes[i] = size
	}
	sign := func(s *side) time.Duration {
		keys := s.keysOf(b, "bitcoin")[:1]
		psbts := psbtsOf(b, keys[0], sizes)
		return processorTime(b, func() { s.signPSBTs(b, psbts, keys); settle(b) })
	}
	sign(with)
	sign(without) // warm
	var ratios []float64
	for range policyPairs {
		var took [2]time.Duration // with, without
		for turn := range policyTurns {
			for i := range took {
				which := (turn + i) % 2
				took[which] += sign([]*side{with, without}[which])
			}
		}
		ratios = append(ratios, float64(took[0])/float64(took[1]))
	}
	results.Say("processor time with a policy to that without, PSBTs of %d inputs: %.3f", size, ratios)
	return 100 * (benchreport.Median(ratios) - 1)
}

// settle waits until this process has next to nothing to do any more: what nodes do once the
// client has its signatures belongs to the turn that it is of.
func settle(b *testing.B) {
	b.Helper()
	const look = 20 * time.Millisecond
	for range 50 {
		before := processUsage(b)
		time.Sleep(look)
		if processUsage(b)-before < look/10 {
			return
		}
	}
}

// payeeAddress is draft.Payee's.
func payeeAddress(b *testing.B) string {
	b.Helper()
	_, addresses, _, err := txscript.ExtractPkScriptAddrs(draft.Payee(), &chaincfg.RegressionNetParams)
	if err != nil || len(addresses) != 1 {
		b.Fatal(addresses, err)
	}
	return addresses[0].EncodeAddress()
}

// startPolicy starts a fleet with policies, which are in force.
func startPolicy(b *testing.B) *side {
	b.Helper()
	s := inProcess(b, fleettest.Options{
		Log: slog.New(slog.DiscardHandler), Unobserved: true, BeforeStart: func(dir string) { putPolicies(b, dir) },
	})
	k := s.keysOf(b, "bitcoin")[0]
	root := derive.Key{Suite: frost.Secp256k1TR, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}
	raw, err := draft.NewPSBT().Spend(root, derive.Path{0, 0}, 1000).Pay([]byte{0x6a, 1, 7}, 500).Bytes()
	if err != nil {
		b.Fatal(err)
	}
	_, err = s.client.SignPSBT(b.Context(), client.SignPSBTRequest{PSBT: raw, Keys: []client.Key{k}})
	if denied, ok := errors.AsType[*client.JobError](err); !ok || denied.Code != client.CodePolicyDenied {
		b.Fatalf("no policy is in force: %v", err)
	}
	return s
}

// putPolicies gives each node of a fleet's folder the policy.
func putPolicies(b *testing.B, dir string) {
	b.Helper()
	rules := strings.ReplaceAll(benchPolicy, "PAYEE", payeeAddress(b))
	for i := range 3 {
		file := filepath.Join(dir, fleet.NodeFile(i))
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		named := strings.Replace(string(text), "[node]\n", "[node]\npolicy = \"policy.toml\"\n", 1)
		for name, content := range map[string]string{file: named, filepath.Join(filepath.Dir(file), "policy.toml"): rules} {
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
}
