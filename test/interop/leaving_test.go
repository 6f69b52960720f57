package interop_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	files "github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestLeaving: what the nodes of a fleet export makes wallets that spend without it. BDK
// imports the descriptor, pays and signs, and the script engines of btcd and of Bitcoin Core
// accept that; bitcoinjs-lib sees the same addresses. Solana's libraries take what sign-solana
// signs.
func TestLeaving(t *testing.T) {
	all, core, r := start(t), startEngine(t), random(t)
	frostctl, worker := build(t, "frostctl"), build(t, "frost-worker")
	for _, network := range []string{"mainnet", "signet"} { // each version of extended keys
		t.Run(network, func(t *testing.T) {
			f := startFleet(t, frostctl, network, 3)
			f.random = r
			transaction, solana := f.transferOf(t, all.of(wire.Solana)[0], transferKinds[0])
			shares := f.export(t, worker)
			for range 4 {
				f.testWallet(t, all, core, shares)
			}
			out := f.run(t, transaction.Transaction, append([]string{
				"reconstruct", "sign-solana", "--root", solana.ID + "/" + transaction.Path, "-t", "-",
			}, shares...)...)
			transaction.Ask, transaction.Transaction = "landed", strings.TrimSpace(out)
			all.of(wire.Solana).agree(t, transaction)
		})
	}
}

// export stops two nodes and has them export all keys. It returns the arguments that open the
// files.
func (f *fleet) export(t *testing.T, worker string) (arguments []string) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "ceremony.key")
	var ceremony struct{ Recipient string }
	if err := json.Unmarshal([]byte(f.run(t, "", "reconstruct", "keygen", "-o", key, "--json")), &ceremony); err != nil {
		t.Fatal(err)
	}
	arguments = []string{"--key", key}
	for _, i := range []int{2, 0} {
		f.StopNodeWith(i, len(chains))
		config := filepath.Join(f.Dir, files.NodeFile(i))
		text := string(must(os.ReadFile(config))) + "\n[exit]\nallow = true\nrecipient = \"" + ceremony.Recipient + "\"\n"
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		share := filepath.Join(dir, filepath.Base(filepath.Dir(config))+".exit")
		cmd := exec.CommandContext(t.Context(), worker, "export-share", "--config", config, "--recipient", ceremony.Recipient,
			"--keys", f.files[wire.Bitcoin], "--keys", f.files[wire.Solana], "-o", share, "--yes")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		arguments = append(arguments, share)
	}
	return arguments
}

// account is what --json has of one.
type account struct{ Descriptor, Receive, Change string }

// testWallet has a wallet pay that imported the descriptor of a key, or of an account below it.
func (f *fleet) testWallet(t *testing.T, all programs, core *program, shares []string) {
	t.Helper()
	q := f.draw(psbtKind{ours: 4})
	at := slices.IndexFunc(f.keys[wire.Bitcoin], func(k client.Key) bool {
		return hex.EncodeToString(k.PublicKey) == q.PublicKey
	})
	for branch := range client.Branch(2) {
		q.add(wire.Bitcoin, branch, 1990, f.addresses(t, f.keys[wire.Bitcoin][at], q.Account, branch, 1990, 5))
	}
	args := append([]string{"reconstruct", "--print", "--json"}, shares...)
	if q.Account != "" {
		args = append(args, "--account", q.Account)
	}
	q.Descriptor = ""
	for line := range bytes.Lines([]byte(f.run(t, "", args...))) {
		var root struct {
			PublicKey string `json:"public_key"`
			account
			Accounts []account
		}
		if err := json.Unmarshal(line, &root); err != nil {
			t.Fatal(err)
		}
		if root.PublicKey != q.PublicKey {
			continue
		}
		if q.Account != "" {
			root.account = root.Accounts[0]
		}
		q.Descriptor, q.Receive, q.Change = root.Descriptor, root.Receive, root.Change
	}
	q.Ask = "leave"
	all.named("bitcoinjs").agree(t, q)
	for _, p := range all.named("bdk") {
		a := p.good(t, q)
		if a.Compared != 11 {
			t.Fatalf("%s compared %d", p.name, a.Compared)
		}
		tx := parseTx(a.Transaction)
		accept(t, core, "of a wallet with the private key", a.Transaction, q.spent(tx))
		q.pays(t, tx, true)
	}
}
