package interop_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	btc "github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// payment is what a library makes a PSBT of, or does with one.
type payment struct {
	Coins   []coin   `json:"coins,omitempty"`
	Outputs []output `json:"outputs,omitempty"`
	Fee     int64    `json:"fee,omitempty"`
	Secret  string   `json:"secret,omitempty"` // of the wallet that the foreign coins are of
	PSBT    string   `json:"psbt,omitempty"`   // base64
	TxID    string   `json:"txid,omitempty"`
}

// coin is an output that is spent: a child's, or of another wallet (P2WPKH).
type coin struct {
	Funding string `json:"funding"` // the transaction that has it
	Index   int    `json:"index"`
	Path    string `json:"path"`
	Foreign bool   `json:"foreign"`
}

type output struct {
	Script string `json:"script"`
	Amount int64  `json:"amount"`
	Change bool   `json:"change"` // to the child at Path
	Path   string `json:"path"`
}

// psbtKind is a kind of PSBT, and the way that it goes.
type psbtKind struct {
	name          string
	ours, foreign int
	before        bool // the other wallet signs before the fleet does
	finalize      bool // by the fleet
}

func psbtKinds(many int) []psbtKind {
	return []psbtKind{
		{"of one wallet", 4, 0, false, false},
		{"finalised by the fleet", 5, 0, false, true},
		{"of two wallets, the fleet's last", 3, 2, true, false},
		{"of two wallets, the fleet's first", 3, 2, false, false},
		{"many inputs", many, 1, false, true},
	}
}

// rootOf is a key as parent of others.
func rootOf(k client.Key) derive.Key {
	return derive.Key{Suite: frost.Secp256k1TR, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}
}

// childScript pays to a child.
func childScript(k client.Key, path string) []byte {
	child := must(rootOf(k).Child(must(derive.ParsePath(path))))
	return must(hex.DecodeString(outputScript(child.PublicKey, nil)))
}

// draw chooses what a PSBT spends and pays. The change is of the branch for it, and not far.
func (f *fleet) draw(kind psbtKind) question {
	account := []string{"", "5", "7/2147483647"}[f.random.IntN(3)]
	k := f.key(wire.Bitcoin)
	q := f.question(k, account)
	a := must(k.Account())
	if account != "" {
		a = must(a.At(account))
	}
	q.Descriptor = must(a.Descriptors()).Both
	path := func(branch, most int) string {
		return strings.TrimPrefix(fmt.Sprintf("%s/%d/%d", account, branch, f.random.IntN(most)), "/")
	}
	secret, public := btcec.PrivKeyFromBytes(f.bytes(32))
	q.Secret = hex.EncodeToString(secret.Serialize())
	total := int64(0)
	for len(q.Coins) < kind.ours+kind.foreign {
		funding, first := btc.NewMsgTx(2), len(q.Coins) // of up to three coins
		funding.AddTxIn(btc.NewTxIn(btc.NewOutPoint((*chainhash.Hash)(f.bytes(32)), 1), nil, [][]byte{{1}}))
		for range min(1+f.random.IntN(3), kind.ours+kind.foreign-first) {
			c := coin{Path: path(f.random.IntN(2), 150), Index: len(funding.TxOut), Foreign: len(q.Coins) >= kind.ours}
			script := append([]byte{txscript.OP_0, txscript.OP_DATA_20}, btcutil.Hash160(public.SerializeCompressed())...)
			if !c.Foreign {
				script = childScript(k, c.Path)
			}
			funding.AddTxOut(btc.NewTxOut(50_000+f.random.Int64N(1_000_000), script))
			total += funding.TxOut[c.Index].Value
			q.Coins = append(q.Coins, c)
		}
		for i := range q.Coins[first:] {
			q.Coins[first+i].Funding = hexOf(funding)
		}
	}
	f.random.Shuffle(len(q.Coins), func(i, j int) { q.Coins[i], q.Coins[j] = q.Coins[j], q.Coins[i] })
	q.Fee = 1000 + f.random.Int64N(10_000)
	pays := total / 3
	taproot := append([]byte{txscript.OP_1, txscript.OP_DATA_32}, childScript(f.key(wire.Bitcoin), "0/0")[2:]...)
	q.Outputs = []output{
		{Script: hex.EncodeToString(append([]byte{txscript.OP_0, txscript.OP_DATA_20}, f.bytes(20)...)), Amount: pays},
		{Script: hex.EncodeToString(taproot), Amount: pays / 2},
	}
	change := output{Change: true, Path: path(1, 20), Amount: total - pays - pays/2 - q.Fee}
	change.Script = hex.EncodeToString(childScript(k, change.Path))
	q.Outputs = append(q.Outputs, change)
	return q
}

func hexOf(tx *btc.MsgTx) string {
	var out strings.Builder
	if err := tx.Serialize(hex.NewEncoder(&out)); err != nil {
		panic(err)
	}
	return out.String()
}

func parseTx(text string) *btc.MsgTx {
	tx := new(btc.MsgTx)
	if err := tx.Deserialize(hex.NewDecoder(strings.NewReader(text))); err != nil {
		panic(err)
	}
	return tx
}

func parsePSBT(text string) *psbt.Packet {
	return must(psbt.NewFromRawBytes(strings.NewReader(text), true))
}

// signedPSBT is what frostctl prints.
type signedPSBT struct {
	PSBT, Transaction string
	Signatures        []struct {
		At        int
		Key, Path string
	}
}

// signPSBT has the fleet sign, and checks that it did so for its own inputs, each under its path.
func (f *fleet) signPSBT(t *testing.T, q *question, finalize bool) (signed signedPSBT) {
	t.Helper()
	args := []string{"sign", "psbt", "-", "--keys", f.files[wire.Bitcoin], "--json"}
	if finalize {
		args = append(args, "--finalize")
	}
	if err := json.Unmarshal([]byte(f.run(t, q.PSBT, args...)), &signed); err != nil {
		t.Fatal(err)
	}
	paths := map[int]string{}
	for _, s := range signed.Signatures {
		paths[s.At] = s.Path
	}
	tx := parsePSBT(q.PSBT).UnsignedTx
	for i, in := range tx.TxIn {
		at := slices.IndexFunc(q.Coins, func(c coin) bool {
			return in.PreviousOutPoint == btc.OutPoint{Hash: parseTx(c.Funding).TxHash(), Index: uint32(c.Index)}
		})
		if at < 0 {
			t.Fatalf("input %d spends something else: %v", i, in.PreviousOutPoint)
		}
		if path, ok := paths[i]; ok == q.Coins[at].Foreign || ok && path != q.Coins[at].Path {
			t.Errorf("input %d, %+v: signed is %v, under %q", i, q.Coins[at], ok, path)
		}
	}
	return signed
}

// testPSBTs: what a library makes and the fleet signs, each library finalises to the same
// transaction, and the script engines of btcd and of Bitcoin Core accept it.
func (f *fleet) testPSBTs(t *testing.T, all programs, core *program, first, cases, many int) {
	makers := all.named("bitcoinjs", "scure", "bdk")
	cosigners := all.named("bitcoinjs", "scure")
	kinds := psbtKinds(many)
	for i := range cases {
		for j, maker := range makers {
			kind := kinds[(first+i+j)%len(kinds)]
			q := f.made(t, maker, kind)
			other := cosigners[(i+j)%len(cosigners)]
			cosign := func() {
				q.Ask = "cosign"
				q.PSBT = other.good(t, q).PSBT
			}
			if kind.before {
				cosign()
			}
			signed := f.signPSBT(t, &q, kind.finalize)
			q.PSBT = signed.PSBT
			if kind.foreign > 0 && !kind.before {
				cosign()
			}
			what := fmt.Sprintf("%s by %s", kind.name, maker.name)
			spent := q.spent(parsePSBT(q.PSBT).UnsignedTx)
			if whole := kind.finalize && kind.foreign == 0; whole != (signed.Transaction != "") {
				t.Errorf("%s: the transaction is %q", what, signed.Transaction)
			} else if whole {
				accept(t, core, what+", by the fleet", signed.Transaction, spent)
			}
			q.Ask = "spend"
			for _, p := range all.named("bitcoinjs", "scure", "bdk", "embit") {
				a := p.good(t, q)
				accept(t, core, what+", finalised by "+p.name, a.Transaction, spent)
				q.pays(t, parseTx(a.Transaction), maker.name == "bdk")
			}
		}
	}
}

// made has a library make a PSBT.
func (f *fleet) made(t *testing.T, maker *program, kind psbtKind) question {
	t.Helper()
	q := f.draw(kind)
	q.Ask = "psbt"
	q.PSBT = maker.good(t, q).PSBT
	q.TxID = parsePSBT(q.PSBT).UnsignedTx.TxHash().String()
	return q
}

// good asks a program, and wants nothing wrong.
func (p *program) good(t *testing.T, q question) answer {
	t.Helper()
	a := p.ask(t, q)
	if len(a.Wrong) > 0 || q.Ask == "spend" && a.Compared == 0 {
		t.Fatalf("%s, %s: %d compared, wrong: %.2000q", p.name, must(json.Marshal(q)), a.Compared, a.Wrong)
	}
	return a
}

// spent are the outputs that a transaction spends.
func (q *question) spent(tx *btc.MsgTx) []*btc.TxOut {
	outs := map[btc.OutPoint]*btc.TxOut{}
	for _, c := range q.Coins {
		funding := parseTx(c.Funding)
		outs[btc.OutPoint{Hash: funding.TxHash(), Index: uint32(c.Index)}] = funding.TxOut[c.Index]
	}
	var spent []*btc.TxOut
	for _, in := range tx.TxIn {
		spent = append(spent, outs[in.PreviousOutPoint])
	}
	return spent
}

// pays checks the outputs. Only payments where the library chooses the change.
func (q *question) pays(t *testing.T, tx *btc.MsgTx, ownChange bool) {
	t.Helper()
	var got []string
	for _, out := range tx.TxOut {
		got = append(got, fmt.Sprintf("%d to %x", out.Value, out.PkScript))
	}
	for _, out := range q.Outputs {
		want := fmt.Sprintf("%d to %s", out.Amount, out.Script)
		if !slices.Contains(got, want) && !(ownChange && out.Change) {
			t.Errorf("the transaction has %q, and not %s", got, want)
		}
	}
	if len(got) != len(q.Outputs) {
		t.Errorf("%d outputs, want %d", len(got), len(q.Outputs))
	}
}
