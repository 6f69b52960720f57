package bitcoin

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// rawField encodes a field.
func rawField(kind byte, data, value []byte) []byte {
	out := append([]byte{byte(1 + len(data)), kind}, data...)
	return append(append(out, byte(len(value))), value...)
}

// withRaw puts fields at the end of a map of a PSBT: 0 is the global one, then come inputs
// and outputs.
func withRaw(t testing.TB, raw []byte, at int, fields ...[]byte) []byte {
	t.Helper()
	p, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	sections := append(append([]section{p.global}, p.inputs...), p.outputs...)
	for _, f := range fields {
		sections[at] = append(sections[at], field{raw: f})
	}
	var out bytes.Buffer
	out.WriteString(magic)
	for _, s := range sections {
		s.write(&out)
	}
	return out.Bytes()
}

// Two PSBTs of BIP 371's vectors: one that spends by an internal key, and one whose internal
// key has 33 bytes.
const (
	keyPathVector = "cHNidP8BAF4CAAAAASd0Srq/MCf+DWzyOpbu4u+xiO9SMBlUWFiD5ptmJLJCAAAAAAD/////AUjmBSoBAAAAIlEgg2mO" +
		"RYxmZOFZXXXaJZfeHiLul9eY5wbEwKS1qYI810MAAAAAAAEBKwDyBSoBAAAAIlEgWiws9bUs8x+DrS6Npj/wMYPs2PYJ" +
		"x1EK6KSOA5EKB1chFv40kGTJjW4qhT+jybEr2LMEoZwZXGDvp+4jkwRtP6IyGQB3Ky2nVgAAgAEAAIAAAACAAQAAAAAA" +
		"AAABFyD+NJBkyY1uKoU/o8mxK9izBKGcGVxg76fuI5MEbT+iMgABBSARJNp67JLM0GyVRWJkf0N7E4uVchqEvivyJ2u9" +
		"2rPmcSEHESTaeuySzNBslUViZH9DexOLlXIahL4r8idrvdqz5nEZAHcrLadWAACAAQAAgAAAAIAAAAAABQAAAAA="
	longKeyVector = "cHNidP8BAHECAAAAASd0Srq/MCf+DWzyOpbu4u+xiO9SMBlUWFiD5ptmJLJCAAAAAAD/////Anh8AQAAAAAAFgAUg6fj" +
		"S9mf8DpJYu+KGhAbspVGHs5gawQqAQAAABYAFHrDad8bIOAz1hFmI5V7CsSfPFLoAAAAAAABASsA8gUqAQAAACJRIFos" +
		"LPW1LPMfg60ujaY/8DGD7Nj2CcdRCuikjgORCgdXARchAv40kGTJjW4qhT+jybEr2LMEoZwZXGDvp+4jkwRtP6IyAAAA"
)

func TestBIP371Vectors(t *testing.T) {
	t.Parallel()
	good, err := base64.StdEncoding.DecodeString(keyPathVector)
	if err != nil {
		t.Fatal(err)
	}
	if _, refusal := tryRead(good, false, newWallet("treasury")); refusal == nil || refusal.Code != intent.NoInput {
		t.Errorf("nobody's inputs: %v", refusal)
	}
	if same := withRaw(t, good, 0); !bytes.Equal(same, good) {
		t.Errorf("%x, written again %x", good, same)
	}
	p, err := parse(good)
	if err != nil {
		t.Fatal(err)
	}
	at, ok, err := p.inputs[0].place(0, inTapDerivation, inTapInternalKey)
	says := fmt.Sprintf("%x %d", at.fingerprint, []uint32(at.path))
	if err != nil || !ok || says != "772b2da7 [2147483734 2147483649 2147483648 1 0]" {
		t.Errorf("%+v, %t, %v", at, ok, err)
	}
	bad, err := base64.StdEncoding.DecodeString(longKeyVector)
	if err != nil {
		t.Fatal(err)
	}
	if _, refusal := tryRead(bad, false, newWallet("treasury")); refusal == nil || refusal.Code != intent.BadPSBT ||
		!strings.Contains(refusal.Reason, "map of input 0: its field 0x17 has a value of 33 bytes") {
		t.Errorf("%v", refusal)
	}
}

// What is not a PSBT of version 0 says so.
func TestBadPSBT(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	raw := twoChildren(w).bytes(t)
	version := binary.LittleEndian.AppendUint32(nil, 2)
	v2 := append(append([]byte(magic), rawField(globalVersion, nil, version)...), rawField(0x04, nil, []byte{1})...)
	huge := bytes.Repeat([]byte{0xff}, 9)
	many := make([][]byte, maxFields)
	for i := range many {
		many[i] = rawField(0xfc, []byte{byte(i), byte(i >> 8)}, nil)
	}
	for name, c := range map[string]struct {
		raw  []byte
		says string
	}{
		"nothing":            {nil, "does not begin with"},
		"another magic":      {append([]byte("psbT\xff"), raw[5:]...), "does not begin with"},
		"too long":           {append(raw, make([]byte, MaxPSBT)...), "more than 1048576 bytes"},
		"version 2":          {append(v2, 0, 0), "version 2: only version 0 is read"},
		"no transaction":     {append([]byte(magic), 0, 0, 0), "has no unsigned transaction"},
		"cut off":            {raw[:len(raw)-1], "map of output 1: it ends within a field"},
		"more than its maps": {append(raw[:len(raw):len(raw)], 0), "goes on after its last map"},
		"an unknown field twice": {withRaw(t, raw, 3, rawField(0xfc, []byte{1}, nil), rawField(0xfc, []byte{1}, []byte{1})),
			"map of output 0: it has a field 0xfc twice"},
		"twice among many": {withRaw(t, raw, 3, append(many[:20:20], rawField(0xfc, []byte{3, 0}, []byte{1}))...),
			"it has a field 0xfc twice"},
		"as many fields as may be":          {withRaw(t, raw, 3, many...), ""},
		"one field more":                    {withRaw(t, raw, 4, many...), "more than 4096 fields"},
		"a length that is not the shortest": {append(append([]byte(magic), 0xfd, 1, 0), raw[6:]...), "ends within a field"},
	} {
		_, refusal := tryRead(c.raw, false, w)
		if c.says == "" {
			if refusal != nil {
				t.Errorf("%s: %v", name, refusal)
			}
			continue
		}
		if refusal == nil || refusal.Code != intent.BadPSBT || !strings.Contains(refusal.Reason, c.says) {
			t.Errorf("%s: %v, want %q", name, refusal, c.says)
		}
	}
	for name, field := range map[string][]byte{
		"a non_witness_utxo that is none": rawField(inNonWitnessUtxo, nil, []byte{1}),
		"one of many inputs":              rawField(inNonWitnessUtxo, nil, append([]byte{1, 0, 0, 0}, huge...)),
		"one of many witnesses":           rawField(inNonWitnessUtxo, nil, append([]byte{1, 0, 0, 0, 0, 1, 0, 0}, huge...)),
	} {
		if _, refusal := tryRead(withRaw(t, raw, 1, field), false, w); refusal == nil || refusal.Code != intent.BadInput {
			t.Errorf("%s: %v", name, refusal)
		}
	}
}

// Fields that are not as BIP 174 and BIP 371 have them, put at the end of a map that is.
func TestBadFields(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	raw := twoChildren(w).bytes(t)
	derivation := make([]byte, 5)
	huge := bytes.Repeat([]byte{0xff}, 9)
	for name, c := range map[string]struct {
		at          int
		kind        byte
		data, value []byte
		says        string
	}{
		"a field of version 2": {0, 0x04, nil, []byte{1},
			"belongs to version 2"},
		"an input's of version 2": {1, 0x0e, nil, make([]byte, 32),
			"belongs to version 2"},
		"a field twice": {1, inTapInternalKey, nil, make([]byte, 32),
			"map of input 0: it has a field 0x17 twice"},
		"key data where none belongs": {1, inSighashType, []byte{1}, make([]byte, 4),
			"key data of 1 bytes"},
		"a short sighash type": {1, inSighashType, nil, []byte{1},
			"value of 1 bytes"},
		"a short signature": {1, inTapKeySig, nil, make([]byte, 63),
			"value of 63 bytes"},
		"a short Merkle root": {1, inTapMerkleRoot, nil, make([]byte, 31),
			"value of 31 bytes"},
		"a derivation of a short key": {1, inTapDerivation, make([]byte, 31), derivation,
			"key data of 31 bytes"},
		"an empty derivation": {1, inTapDerivation, make([]byte, 32), nil,
			"input 0 has a derivation that is none"},
		"a derivation of many leaves": {1, inTapDerivation, make([]byte, 32), append(huge, derivation...),
			"derivation that is none"},
		"a derivation of odd length": {1, inTapDerivation, make([]byte, 32), append(derivation, 1),
			"derivation that is none"},
		"an output's derivation": {4, outTapDerivation, make([]byte, 32), nil,
			"output 1 has a derivation that is none"},
		"a final witness that is none": {1, inFinalWitness, nil, []byte{1, 2, 3},
			"input 0 has a final witness that is none"},
		"a final witness of many items": {1, inFinalWitness, nil, huge,
			"final witness that is none"},
	} {
		_, refusal := tryRead(withRaw(t, raw, c.at, rawField(c.kind, c.data, c.value)), false, w)
		if refusal == nil || refusal.Code != intent.BadPSBT || !strings.Contains(refusal.Reason, c.says) {
			t.Errorf("%s: %v, want %q", name, refusal, c.says)
		}
	}
}

// A transaction that lies about its counts and lengths is refused before btcd decodes it.
func TestLyingTransactions(t *testing.T) {
	t.Parallel()
	// btcd's buffer for scripts has 4 MiB: one that took some, and one that says it has the rest, overrun it.
	long := append(append([]byte{1, 0, 0, 0, 1}, make([]byte, 36)...), 0xfe, 0, 0x35, 0x0c, 0)
	long = append(append(append(long, make([]byte, 800_000+4)...), 1), make([]byte, 8)...)
	long = append(long, 0xfe, 0, 0x09, 0x3d, 0)
	if _, ok := wellFormed(long, true); ok {
		t.Error("a script of four million bytes that are not there")
	}
	for name, tx := range map[string][]byte{
		"inputs":  {1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x01, 0, 0, 0, 0},
		"script":  append(append([]byte{1, 0, 0, 0, 1}, make([]byte, 36)...), 0xfe, 0xff, 0xff, 0x3f, 0, 0, 0, 0, 0),
		"outputs": append(append([]byte{1, 0, 0, 0, 1}, make([]byte, 41)...), 0xfe, 0xff, 0xff, 0xff, 0x01, 0, 0, 0, 0),
	} {
		raw := append(append([]byte(magic), rawField(globalUnsignedTx, nil, tx)...), 0, 0, 0)
		if n, err := Inputs(raw); err == nil {
			t.Errorf("%s: %d inputs", name, n)
		}
		if _, refusal := tryRead(raw, false); refusal == nil || refusal.Code != intent.BadPSBT {
			t.Errorf("%s: %v", name, refusal)
		}
	}
	d := manyInputs(newWallet("treasury"), 1)
	d.UnsignedTx.TxOut[0].PkScript = make([]byte, maxUnsigned)
	if _, err := Inputs(d.bytes(t)); err == nil || !strings.Contains(err.Error(), "no node relays") {
		t.Errorf("a transaction that no node relays: %v", err)
	}
}

func TestInputs(t *testing.T) {
	t.Parallel()
	raw := manyInputs(newWallet("treasury"), 300).bytes(t)
	if n, err := Inputs(raw); n != 300 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := Inputs(raw[:len(raw)/2]); n != 300 || err != nil { // what follows the transaction is not looked at
		t.Errorf("of the first half %d, %v", n, err)
	}
}
