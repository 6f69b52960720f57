package bitcoin

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/btcutil/psbt"
)

// TestBare: btcd's library reads the same in a bare PSBT, but for the keys of wallets.
func TestBare(t *testing.T) {
	w := newWallet("treasury")
	r := read(t, manyInputs(w, 3).bytes(t), w)
	signature := bytes.Repeat([]byte{7}, 64)
	for _, finalize := range []bool{false, true} {
		raw, _, err := r.Finish([][]byte{signature, nil, signature}, finalize)
		if err != nil {
			t.Fatal(err)
		}
		bare, err := Bare(raw)
		if err != nil || len(bare) >= len(raw) {
			t.Fatalf("%d bytes of %d: %v", len(bare), len(raw), err)
		}
		want, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := psbt.NewFromRawBytes(bytes.NewReader(bare), false)
		if err != nil {
			t.Fatal(err)
		}
		gone := 0
		for i := range want.Inputs {
			gone += len(want.Inputs[i].TaprootInternalKey)
			want.Inputs[i].TaprootInternalKey, want.Inputs[i].TaprootBip32Derivation = nil, nil
		}
		for i := range want.Outputs {
			want.Outputs[i].TaprootInternalKey, want.Outputs[i].TaprootBip32Derivation = nil, nil
		}
		if gone == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("final %v: %+v, want %+v", finalize, got, want)
		}
	}
	if _, err := Bare([]byte("psbt\xffrubbish")); err == nil {
		t.Error("rubbish is one")
	}
}

// BenchmarkBare: btcd's library reads a signed PSBT as it is, and bare.
func BenchmarkBare(b *testing.B) {
	const count = 500
	w := newWallet("treasury")
	raw := manyInputs(w, count).bytes(b)
	for name, of := range map[string]func([]byte) ([]byte, error){
		"whole": func(raw []byte) ([]byte, error) { return raw, nil }, "bare": Bare,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				text, err := of(raw)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := psbt.NewFromRawBytes(bytes.NewReader(text), false); err != nil {
					b.Fatal(err)
				}
			}
			perInput(b, count)
		})
	}
}
