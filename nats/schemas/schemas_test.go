// Package schemas_test holds the JSON schemas next to it to what the programs
// really write and read.
package schemas_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func load(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func check(t *testing.T, s *jsonschema.Schema, payload []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

const (
	jobID = "0198c0de-0000-7000-8000-000000000001"
	keyID = "00112233445566778899aabbccddeeff.999"
)

// someDescriptor is of BIP 32's first vector, m.
const someDescriptor = "tr([3442193e]xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7us" +
	"gUDFdp6W1EGMcet8/<0;1>/*)#k0dlfa5k"

func keygenJob() wire.Job {
	return wire.Job{ID: jobID, Kind: wire.KindKeygen, Expires: time.Now().Add(time.Minute).UTC(), Chain: "bitcoin", Count: 5000}
}

func signJob() wire.Job {
	return wire.Job{ID: jobID, Kind: wire.KindSign, Expires: time.Now().Add(time.Minute).UTC(), Items: []wire.JobItem{
		{Key: keyID, Message: make([]byte, 32)},
		{Key: keyID, Message: make([]byte, 4096), ScriptRoot: make([]byte, 32)},
		{Key: keyID, Message: make([]byte, 32), Path: new("0/17")},
	}}
}

func keys(n int) (list []wire.SignKey) {
	for i := range n {
		list = append(list, wire.SignKey{Key: wire.KeyID{Batch: keyID[:32], Index: i}.String()})
	}
	return list
}

func requestJob(f func(*wire.Job)) wire.Job {
	j := wire.Job{ID: jobID, Kind: wire.KindSign, Expires: time.Now().Add(time.Minute).UTC(), Keys: keys(1)}
	f(&j)
	return j
}

func psbtJob() wire.Job {
	return requestJob(func(j *wire.Job) { j.PSBT = wire.Base64("psbt\xff") })
}

func transactionJob() wire.Job {
	return requestJob(func(j *wire.Job) { j.SolanaTransaction = make([]byte, 100) })
}

// TestJobs says, of each payload, what the schema and the fleet's own parser
// think: they must agree.
func TestJobs(t *testing.T) {
	keygen, sign := load(t, "job-keygen.json"), load(t, "job-sign.json")
	change := func(job wire.Job, f func(*wire.Job)) wire.Job { f(&job); return job }
	tests := []struct {
		name string
		job  wire.Job
		ok   bool
	}{
		{"keygen", keygenJob(), true},
		{"keygen for solana", change(keygenJob(), func(j *wire.Job) { j.Chain = "solana" }), true},
		{"keygen, unknown chain", change(keygenJob(), func(j *wire.Job) { j.Chain = "dogecoin" }), false},
		{"keygen, too many", change(keygenJob(), func(j *wire.Job) { j.Count = wire.MaxJobKeys + 1 }), false},
		{"keygen, none", change(keygenJob(), func(j *wire.Job) { j.Count = 0 }), false},
		{"keygen, id in upper case", change(keygenJob(), func(j *wire.Job) { j.ID = strings.ToUpper(j.ID) }), true},
		{"keygen, id that is no UUID", change(keygenJob(), func(j *wire.Job) { j.ID = "order-17" }), false},
		{"keygen with items", change(keygenJob(), func(j *wire.Job) { j.Items = signJob().Items }), false},
		{"sign", signJob(), true},
		{"sign, nothing", change(signJob(), func(j *wire.Job) { j.Items = nil }), false},
		{"sign, too many", change(signJob(), func(j *wire.Job) { j.Items = make([]wire.JobItem, wire.MaxJobItems+1) }), false},
		{"sign, bad key id", change(signJob(), func(j *wire.Job) { j.Items[0].Key = "1" }), false},
		{"sign, key index with zero", change(signJob(), func(j *wire.Job) { j.Items[0].Key = keyID[:33] + "01" }), false},
		{"sign, short script root", change(signJob(), func(j *wire.Job) { j.Items[0].ScriptRoot = make([]byte, 31) }), false},
		{"sign, one step", change(signJob(), func(j *wire.Job) { j.Items[0].Path = new("2147483647") }), true},
		{"sign, most steps", change(signJob(), func(j *wire.Job) { j.Items[0].Path = new("1/2/3/4/5/6/7/8") }), true},
		{"sign, too many steps", change(signJob(), func(j *wire.Job) { j.Items[0].Path = new("1/2/3/4/5/6/7/8/9") }), false},
		{"sign, hardened path", change(signJob(), func(j *wire.Job) { j.Items[0].Path = new("0'/17") }), false},
		{"sign, path with a zero", change(signJob(), func(j *wire.Job) { j.Items[0].Path = new("0/01") }), false},
		{"sign, path from m", change(signJob(), func(j *wire.Job) { j.Items[0].Path = new("m/0") }), false},
		{"sign, empty path", change(signJob(), func(j *wire.Job) { j.Items[0].Path = new("") }), false},
		{"sign, index of eleven digits", change(signJob(), func(j *wire.Job) { j.Items[0].Path = new("10000000000") }), false},
		{"psbt", psbtJob(), true},
		{"psbt, all there is", change(psbtJob(), func(j *wire.Job) {
			j.Partial, j.Finalize, j.Replaces = true, true, "0198c0de-0000-7000-8000-000000000002"
		}), true},
		{"psbt, replaces what is no id", change(psbtJob(), func(j *wire.Job) { j.Replaces = "the last one" }), false},
		{"psbt, no keys", change(psbtJob(), func(j *wire.Job) { j.Keys = nil }), false},
		{"psbt, too many keys", change(psbtJob(), func(j *wire.Job) { j.Keys = keys(wire.MaxPSBTKeys + 1) }), false},
		{"psbt, most keys", change(psbtJob(), func(j *wire.Job) { j.Keys = keys(wire.MaxPSBTKeys) }), true},
		{"psbt, a key twice", change(psbtJob(), func(j *wire.Job) { j.Keys = append(j.Keys, j.Keys...) }), false},
		{"psbt with a path", change(psbtJob(), func(j *wire.Job) { j.Keys[0].Path = new("0/17") }), false},
		{"psbt, bad key id", change(psbtJob(), func(j *wire.Job) { j.Keys[0].Key = "1" }), false},
		{"psbt and items", change(psbtJob(), func(j *wire.Job) { j.Items = signJob().Items }), false},
		{"psbt and a transaction", change(psbtJob(), func(j *wire.Job) { j.SolanaTransaction = j.PSBT }), false},
		{"psbt in part, and a transaction", change(psbtJob(), func(j *wire.Job) {
			j.Partial, j.SolanaTransaction = true, j.PSBT
		}), false},
		{"items with keys", change(signJob(), func(j *wire.Job) { j.Keys = keys(1) }), false},
		{"items, partial", change(signJob(), func(j *wire.Job) { j.Partial = true }), false},
		{"items, finalize", change(signJob(), func(j *wire.Job) { j.Finalize = true }), false},
		{"transaction", transactionJob(), true},
		{"transaction, by a child", change(transactionJob(), func(j *wire.Job) { j.Keys[0].Path = new("0/17") }), true},
		{"transaction, by two children", change(transactionJob(), func(j *wire.Job) {
			j.Keys = append(j.Keys, wire.SignKey{Key: keyID, Path: new("0/17")})
		}), true},
		{"transaction, hardened path", change(transactionJob(), func(j *wire.Job) { j.Keys[0].Path = new("0'") }), false},
		{"transaction, too many signers", change(transactionJob(), func(j *wire.Job) { j.Keys = keys(wire.MaxTxSigners + 1) }), false},
		{"transaction, partial", change(transactionJob(), func(j *wire.Job) { j.Partial = true }), false},
		{"bitcoin message", requestJob(func(j *wire.Job) { j.BitcoinMessage = new("hello") }), true},
		{"solana message", requestJob(func(j *wire.Job) { j.SolanaMessage = new("grüß dich") }), true},
		{"two messages", requestJob(func(j *wire.Job) { j.SolanaMessage, j.BitcoinMessage = new("a"), new("a") }), false},
		{"empty message", requestJob(func(j *wire.Job) { j.SolanaMessage = new("") }), false},
		{"long message", requestJob(func(j *wire.Job) { j.BitcoinMessage = new(strings.Repeat("a", wire.MaxTextMessage+1)) }), false},
		{"message by two keys", requestJob(func(j *wire.Job) { j.BitcoinMessage, j.Keys = new("a"), keys(2) }), false},
		{"keygen with keys", change(keygenJob(), func(j *wire.Job) { j.Keys = keys(1) }), false},
		{"keygen with a psbt", change(keygenJob(), func(j *wire.Job) { j.PSBT = psbtJob().PSBT }), false},
		{"sign with a count", change(signJob(), func(j *wire.Job) { j.Count = 1 }), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			payload, err := json.Marshal(tt.job)
			if err != nil {
				t.Fatal(err)
			}
			schema := keygen
			if tt.job.Kind == wire.KindSign {
				schema = sign
			}
			if err := check(t, schema, payload); (err == nil) != tt.ok {
				t.Errorf("schema: %v, want ok = %v", err, tt.ok)
			}
			signed := wire.SignedJob{Kind: tt.job.Kind, Payload: payload}
			job, refusal := signed.Parse(time.Now())
			for i := 0; refusal == nil && i < len(job.Items); i++ {
				refusal = job.Items[i].Check()
			}
			if (refusal == nil) != tt.ok {
				t.Errorf("parser: %v, want ok = %v", refusal, tt.ok)
			}
		})
	}
}

func TestResults(t *testing.T) {
	schema := load(t, "result.json")
	hash := make([]byte, 32)
	base := wire.Result{Job: jobID, Client: "alice", Digest: hash, Fleet: "main", Network: "regtest", Manifest: hash, Attempts: 1}
	keygen := base
	keygen.Kind, keygen.Status, keygen.Chain, keygen.Suite = wire.KindKeygen, wire.StatusDone, "bitcoin", "secp256k1-tr"
	key := wire.Key{ID: keyID, PublicKey: append([]byte{2}, hash...), Address: "bcrt1p"}
	keygen.Keys = []wire.Key{key}
	keygen.Batches = []wire.Batch{{ID: keyID[:32], Part: 0, Attempt: 1, Count: 1, Certificates: []wire.HexBytes{hash}}}
	sign := base
	sign.Kind, sign.Status, sign.Suite = wire.KindSign, wire.StatusDone, "ed25519"
	sign.Sigs = []wire.Signed{{Key: keyID, PublicKey: hash, Signature: make([]byte, 64)}}
	child := sign
	child.Sigs = []wire.Signed{{Key: keyID, Path: "0/17", PublicKey: hash, Signature: make([]byte, 64)}}
	failed := base
	failed.Kind, failed.Status, failed.Code, failed.Error, failed.Attempts = wire.KindSign, wire.StatusFailed, wire.CodeNotOwner, "item 0: ...", 0
	rejected := failed
	rejected.Rejected = make([]byte, 64)
	noKeys := keygen
	noKeys.Keys = nil
	root, badDescriptor := keygen, keygen
	key.ChainCode, key.Descriptor = hash, someDescriptor
	root.Keys = []wire.Key{key}
	key.Descriptor = strings.Replace(someDescriptor, "<0;1>", "0", 1)
	badDescriptor.Keys = []wire.Key{key}
	noReason := failed
	noReason.Code = ""
	shortSig := sign
	shortSig.Sigs = []wire.Signed{{Key: keyID, PublicKey: hash, Signature: make([]byte, 63)}}
	signed, refused := sign.Sigs[0], wire.Signed{Key: "x", Code: wire.CodeUnknownKey, Error: "..."}
	partial := sign
	partial.Status, partial.Code, partial.Error = wire.StatusPartial, wire.CodeUnknownKey, "item 1: ..."
	partial.Sigs = []wire.Signed{signed, refused}
	doneInPart := sign
	doneInPart.Sigs = partial.Sigs
	partialKeygen := keygen
	partialKeygen.Status, partialKeygen.Code, partialKeygen.Error = wire.StatusPartial, wire.CodeUnknownKey, "..."
	neither := partial
	neither.Sigs = []wire.Signed{signed, {Key: keyID}}
	both := partial
	both.Sigs = []wire.Signed{{Key: keyID, PublicKey: hash, Signature: make([]byte, 64), Code: refused.Code, Error: "..."}}
	read := sign
	read.Sigs = []wire.Signed{{At: new(0), Key: keyID, Path: "0/17", PublicKey: hash, Signature: make([]byte, 64)}}
	read.PSBT, read.Transaction = wire.Base64("psbt\xff"), "0200"
	left := partial
	left.PSBT, left.Sigs = read.PSBT, []wire.Signed{read.Sigs[0], {At: new(1), Code: wire.CodeMissingAmount, Error: "..."}}
	solana := read
	solana.PSBT, solana.Transaction = nil, "AQ=="
	message := sign
	message.MessageSignature = make([]byte, 64)
	denied := failed
	denied.Status, denied.Code = wire.StatusDenied, wire.CodePolicyDenied
	deniedNoReason := denied
	deniedNoReason.Error = ""
	deniedKeygen := denied
	deniedKeygen.Kind = wire.KindKeygen
	oddTransaction := read
	oddTransaction.Transaction = "02001"
	partialNoReason := partial
	partialNoReason.Code = ""
	tests := []struct {
		name   string
		result wire.Result
		ok     bool
	}{
		{"keygen", keygen, true}, {"keygen with roots", root, true}, {"one chain", badDescriptor, false},
		{"sign", sign, true}, {"child", child, true}, {"failed", failed, true}, {"rejected", rejected, true},
		{"partial", partial, true}, {"done in part", doneInPart, false}, {"keygen in part", partialKeygen, false},
		{"neither signed nor refused", neither, false}, {"signed and refused", both, false},
		{"partial without code", partialNoReason, false},
		{"psbt", read, true}, {"psbt in part", left, true}, {"transaction", solana, true}, {"message", message, true},
		{"denied", denied, true}, {"denied without a reason", deniedNoReason, false}, {"keygen denied", deniedKeygen, false},
		{"transaction cut short", oddTransaction, false},
		{"done without keys", noKeys, false}, {"failed without code", noReason, false}, {"short signature", shortSig, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := check(t, schema, tt.result.Encode()); (err == nil) != tt.ok {
				t.Errorf("schema: %v, want ok = %v", err, tt.ok)
			}
		})
	}
}

// TestFields compares the schemas' properties with the Go fields, both ways.
func TestFields(t *testing.T) {
	var keygen, sign, result map[string]any
	for name, into := range map[string]*map[string]any{"job-keygen.json": &keygen, "job-sign.json": &sign, "result.json": &result} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	job := append(properties(keygen), properties(sign)...)
	slices.Sort(job)
	tests := []struct {
		name  string
		have  []string
		value any
	}{
		{"job", slices.Compact(job), wire.Job{}},
		{"item", properties(items(sign, "items")), wire.JobItem{}},
		{"result", properties(result), wire.Result{}},
		{"key", properties(items(result, "keys")), wire.Key{}},
		{"batch", properties(items(result, "batches")), wire.Batch{}},
		{"signature", properties(items(result, "signatures")), wire.Signed{}},
		{"sign key", properties(items(sign, "keys")), wire.SignKey{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if want := tags(tt.value); !slices.Equal(tt.have, want) {
				t.Errorf("schema has %q, the Go struct %q", tt.have, want)
			}
		})
	}
}

func properties(schema map[string]any) []string {
	var names []string
	for name := range schema["properties"].(map[string]any) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func items(schema map[string]any, property string) map[string]any {
	return schema["properties"].(map[string]any)[property].(map[string]any)["items"].(map[string]any)
}

func tags(v any) []string {
	var names []string
	for field := range reflect.TypeOf(v).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// TestEnums: the chains and kinds of the schemas are the tables'.
func TestEnums(t *testing.T) {
	for name, want := range map[string]map[string][]string{
		"job-keygen.json": {"chain": wire.ChainNames(), "kind": {string(wire.KindKeygen)}},
		"job-sign.json":   {"kind": {string(wire.KindSign)}},
		"result.json":     {"chain": wire.ChainNames(), "kind": wire.KindNames()},
	} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var schema struct {
			Properties map[string]struct {
				Enum  []string `json:"enum"`
				Const string   `json:"const"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(data, &schema); err != nil {
			t.Fatal(err)
		}
		for property, values := range want {
			got := schema.Properties[property]
			if got.Const != "" {
				got.Enum = []string{got.Const}
			}
			if !slices.Equal(got.Enum, values) {
				t.Errorf("%s: %s is one of %q, want %q", name, property, got.Enum, values)
			}
		}
	}
}
