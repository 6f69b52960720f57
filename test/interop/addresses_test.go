package interop_test

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// question about a key's account, without addresses.
func (f *fleet) question(k client.Key, account string) question {
	return question{
		Ask: "account", Network: f.network, Account: account,
		PublicKey: hex.EncodeToString(k.PublicKey), ChainCode: hex.EncodeToString(k.ChainCode),
	}
}

// add takes in a run of addresses. Where addresses are keys, so are these.
func (q *question) add(chain string, branch client.Branch, first uint32, addresses []string) {
	r := run{Branch: uint32(branch), First: first, Addresses: addresses}
	if chain == wire.Solana {
		for _, a := range addresses {
			r.PublicKeys = append(r.PublicKeys, hex.EncodeToString(must(base58.Decode(a))))
		}
	}
	q.Runs = append(q.Runs, r)
}

// batch is how many addresses a run has.
const batch = 25

// account asks about two runs of package client's addresses.
func (f *fleet) account(k client.Key, path string, first [2]uint32) question {
	a := must(k.Account())
	if path != "" {
		a = must(a.At(path))
	}
	q := f.question(k, path)
	if k.Chain == wire.Bitcoin {
		d := must(a.Descriptors())
		q.Xpub, q.Descriptor, q.Receive, q.Change = must(a.ExtendedKey()), d.Both, d.Receive, d.Change
	}
	for branch, from := range first {
		var addresses []string
		for address, err := range a.Addresses(client.Branch(branch), from, batch) {
			addresses = append(addresses, must(address, err).Address)
		}
		q.add(k.Chain, client.Branch(branch), from, addresses)
	}
	return q
}

// testAccount: package client's, for any key, account and index.
func (f *fleet) testAccount(t *testing.T, all programs, count int) {
	for _, chain := range chains {
		var questions []question
		for range (count + 2*batch - 1) / (2 * batch) {
			first := [2]uint32{f.index(batch), f.index(batch)}
			questions = append(questions, f.account(f.key(chain), f.path(derive.MaxDepth-2), first))
		}
		all.of(chain).agree(t, questions...)
	}
}

// accounts are those that frostctl is asked about, in turns.
var accounts = [2][]string{{"", "1/2/3/4/5/6"}, {"5", "7/2147483647"}}

// testFrostctl: what the commands print, in all forms.
func (f *fleet) testFrostctl(t *testing.T, all programs, accounts []string) {
	for _, chain := range chains {
		for _, path := range accounts {
			k := f.key(chain)
			q := f.question(k, path)
			if chain == wire.Bitcoin {
				f.printed(t, &q, k, "keys", "xpub")
				f.printed(t, &q, k, "keys", "descriptor")
			}
			for _, first := range []uint32{0, 1_000_000, client.MaxIndex - 9} {
				for branch := range client.Branch(2) {
					q.add(chain, branch, first, f.addresses(t, k, path, branch, first, 10))
				}
			}
			all.of(chain).agree(t, q)
		}
	}
}

// arguments of a command that derives from a key.
func (f *fleet) arguments(k client.Key, account string, command ...string) []string {
	args := append(command, "--key", k.ID, "--keys", f.files[k.Chain])
	if account != "" {
		args = append(args, "--account", account)
	}
	return args
}

// printed has a command fill in what it prints.
func (f *fleet) printed(t *testing.T, q *question, k client.Key, command ...string) {
	t.Helper()
	text := f.run(t, "", append(f.arguments(k, q.Account, command...), "--json")...)
	if err := json.Unmarshal([]byte(text), q); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
}

// addresses are what frostctl prints as CSV and as JSON lines, which say the same.
func (f *fleet) addresses(
	t *testing.T, k client.Key, account string, b client.Branch, first uint32, count int,
) []string {
	t.Helper()
	args := append(f.arguments(k, account, "addresses"), "--count", strconv.Itoa(count))
	args = append(args, "--from", strconv.Itoa(int(first)))
	if b == client.Change {
		args = append(args, "--change")
	}
	var lines, want [][]string
	decoder := json.NewDecoder(strings.NewReader(f.run(t, "", append(args, "--json")...)))
	for decoder.More() {
		var line struct{ Key, Path, Address string }
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, []string{line.Key, line.Path, line.Address})
	}
	rows := must(csv.NewReader(strings.NewReader(f.run(t, "", append(args, "--csv")...))).ReadAll())
	if len(rows) != count+1 || !slices.EqualFunc(rows[1:], lines, slices.Equal) {
		t.Fatalf("CSV has\n%q\nJSON has\n%q", rows, lines)
	}
	var addresses []string
	for i, line := range lines {
		path := strings.TrimPrefix(fmt.Sprintf("%s/%d/%d", account, b, int(first)+i), "/")
		want = append(want, []string{k.ID, path})
		addresses = append(addresses, line[2])
		if !slices.Equal(line[:2], want[i]) {
			t.Fatalf("line %d is of %q, want %q", i, line[:2], want[i])
		}
	}
	return addresses
}
