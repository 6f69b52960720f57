package rfc9591

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	*h, err = hex.DecodeString(s)
	return err
}

// vectorFile is RFC 9591's vector for FROST(Ed25519, SHA-512), appendix E.1,
// as the library carries it.
type vectorFile struct {
	Inputs struct {
		Signers      []uint16 `json:"participant_list"`
		Secret       hexBytes `json:"group_secret_key"`
		Public       hexBytes `json:"group_public_key"`
		Message      hexBytes
		Coefficients []hexBytes `json:"share_polynomial_coefficients"`
		Shares       []struct {
			ID    uint16   `json:"identifier"`
			Share hexBytes `json:"participant_share"`
		} `json:"participant_shares"`
	}
	RoundOne struct {
		Outputs []struct {
			ID            uint16   `json:"identifier"`
			HidingRandom  hexBytes `json:"hiding_nonce_randomness"`
			BindingRandom hexBytes `json:"binding_nonce_randomness"`
			Hiding        hexBytes `json:"hiding_nonce"`
			Binding       hexBytes `json:"binding_nonce"`
			HidingPoint   hexBytes `json:"hiding_nonce_commitment"`
			BindingPoint  hexBytes `json:"binding_nonce_commitment"`
			Factor        hexBytes `json:"binding_factor"`
		}
	} `json:"round_one_outputs"`
	RoundTwo struct {
		Outputs []struct {
			ID    uint16   `json:"identifier"`
			Share hexBytes `json:"sig_share"`
		}
	} `json:"round_two_outputs"`
	Final struct {
		Signature hexBytes `json:"sig"`
	} `json:"final_output"`
}

// loadVectors finds the library's folder, which is there whenever this builds.
func loadVectors(t *testing.T) *vectorFile {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/bytemare/frost").Output()
	if err != nil {
		t.Fatalf("go list does not find bytemare/frost: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "tests", "vectors", "frost-ed25519-sha512.json"))
	if err != nil {
		t.Fatal(err)
	}
	v := new(vectorFile)
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
	if len(v.RoundOne.Outputs) < 2 || len(v.Inputs.Coefficients) == 0 {
		t.Fatal("the vector file is not what it was")
	}
	return v
}

func TestVectors(t *testing.T) {
	v := loadVectors(t)
	commitments := make([]byte, 0, 64)
	for _, c := range append([]hexBytes{v.Inputs.Secret}, v.Inputs.Coefficients...) {
		p := edwards25519.Encode(edwards25519.BaseMult(mustScalar(t, c)))
		commitments = append(commitments, p[:]...)
	}
	threshold := len(commitments) / 32
	key, err := NewKey(len(v.Inputs.Shares), threshold, v.Inputs.Public, commitments)
	if err != nil {
		t.Fatal(err)
	}
	set, err := NewSignerSet(len(v.Inputs.Shares), threshold, v.Inputs.Signers)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[uint16][]byte{}
	for _, s := range v.Inputs.Shares {
		secrets[s.ID] = s.Share
		if must(key.Pubshare(s.ID))(t).Equal(edwards25519.BaseMult(mustScalar(t, s.Share))) != 1 {
			t.Fatalf("public share of %d is wrong", s.ID)
		}
	}
	var nonces []*SecNonce
	var publics []*PubNonce
	for i, o := range v.RoundOne.Outputs {
		sec, pub, err := generate(bytes.NewReader(append(bytes.Clone(o.HidingRandom), o.BindingRandom...)), secrets[o.ID])
		if err != nil {
			t.Fatal(err)
		}
		pair := sec.pair.Load()
		hiding, binding := edwards25519.EncodeScalar(&pair.secrets[0]), edwards25519.EncodeScalar(&pair.secrets[1])
		if !bytes.Equal(hiding[:], o.Hiding) || !bytes.Equal(binding[:], o.Binding) {
			t.Fatalf("nonces of %d are wrong", o.ID)
		}
		if !bytes.Equal(pub.Bytes(), append(bytes.Clone(o.HidingPoint), o.BindingPoint...)) {
			t.Fatalf("public nonces of %d are wrong", o.ID)
		}
		if o.ID != v.Inputs.Signers[i] {
			t.Fatal("the vector's signers are not in order")
		}
		nonces, publics = append(nonces, sec), append(publics, pub)
	}
	session, err := newSession(key, set, publics, v.Inputs.Message)
	if err != nil {
		t.Fatal(err)
	}
	checkVectorAnswers(t, v, session, nonces, secrets)
}

func checkVectorAnswers(t *testing.T, v *vectorFile, session *Session, nonces []*SecNonce, secrets map[uint16][]byte) {
	t.Helper()
	own := &session.transcript
	var shares [][]byte
	for i, o := range v.RoundTwo.Outputs {
		if got := edwards25519.EncodeScalar(&own.rho[i]); !bytes.Equal(got[:], v.RoundOne.Outputs[i].Factor) {
			t.Fatalf("own binding factor of %d is wrong", o.ID)
		}
		share, err := session.Sign(nonces[i], secrets[o.ID], o.ID)
		if err != nil || !bytes.Equal(share, o.Share) {
			t.Fatalf("signature share of %d: %x, %v; want %x", o.ID, share, err, o.Share)
		}
		shares = append(shares, share)
		if !VerifyBatch([]Claim{{session, o.ID, share}}) {
			t.Fatalf("signature share of %d does not verify", o.ID)
		}
	}
	sig, err := session.Aggregate(shares)
	if err != nil || !bytes.Equal(sig, v.Final.Signature) {
		t.Fatalf("signature %x, %v; want %x", sig, err, v.Final.Signature)
	}
	if !bytes.Equal(sig[:32], own.r[:]) {
		t.Fatal("own group commitment is wrong")
	}
	if !ed25519.Verify(ed25519.PublicKey(v.Inputs.Public), v.Inputs.Message, sig) {
		t.Fatal("crypto/ed25519 refuses the signature")
	}
}
