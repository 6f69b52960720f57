package bip445

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
)

const vectorDir = "../../../../shared/vectors/bip445/"

// hexBytes is hex in JSON; null is nil and "" is not.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return err
	}
	d, err := hex.DecodeString(*s)
	*h = append([]byte{}, d...)
	return err
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(vectorDir + name)
	if os.IsNotExist(err) {
		t.Skip("no BIP 445 vectors at ../shared/vectors: nothing to check against")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// wantError is how the vectors describe an error.
type wantError struct {
	Type    string
	Message string
	Signer  *int `json:"signer_index"`
	Contrib string
}

// messages maps the reference code's messages to ours, with the position
// that an error message carries.
var messages = map[string]ValueError{
	"The signer's id must be present in the participant identifier list.": {OwnIDMissing, -1},
	"The participant identifier list contains duplicate elements.":        {DuplicateID, -1},
	"The signer's pubshare must be included in the list of pubshares.":    {OwnPubshareMissing, -1},
	"Invalid pubshare at index 0.":                                        {BadPubshare, 0},
	"Invalid pubshare at index 1.":                                        {BadPubshare, 1},
	"The participant identifier at index 0 is out of range.":              {BadID, 0},
	"The provided key material is incorrect.":                             {WrongKeyMaterial, -1},
	"first secnonce value is out of range.":                               {BadFirstNonce, -1},
	"second secnonce value is out of range.":                              {BadSecondNonce, -1},
	"The number of signers must be between t and n.":                      {BadSignerCount, -1},
	"The signer's secret share value is out of range.":                    {BadSecretShare, -1},
	"The tweak value is out of range.":                                    {BadTweak, -1},
	"The result of tweaking cannot be infinity.":                          {TweakToInfinity, -1},
	"The tweaks and is_xonly arrays must have the same length.":           {BadTweakCount, -1},
	"The tweak must be a 32-byte array.":                                  {BadTweakLength, -1},
}

func (w *wantError) check(t *testing.T, err error) {
	t.Helper()
	switch w.Type {
	case "ValueError":
		want, known := messages[w.Message]
		if !known {
			t.Fatalf("a message of the reference code without a counterpart here: %q", w.Message)
		}
		var got *ValueError
		if !errors.As(err, &got) || *got != want {
			t.Fatalf("got %v, want %q", err, w.Message)
		}
	case "InvalidContributionError":
		want := ContributionError{Coordinator, Contribution(w.Contrib)}
		if w.Signer != nil {
			want.Signer = *w.Signer
		}
		var got *ContributionError
		if !errors.As(err, &got) || *got != want {
			t.Fatalf("got %v, want %v", err, &want)
		}
	default:
		t.Fatalf("unknown class of error %q", w.Type)
	}
}

func TestNonceGenVectors(t *testing.T) {
	var file struct {
		Valid []struct {
			Comment      string
			Rand         hexBytes `json:"rand_"`
			SecretShare  hexBytes `json:"secshare"`
			Pubshare     hexBytes
			ThresholdKey hexBytes `json:"thresh_pk"`
			Message      hexBytes `json:"msg"`
			Extra        hexBytes `json:"extra_in"`
			Expected     [2]hexBytes
		} `json:"valid_tests"`
	}
	load(t, "nonce_gen_vectors.json", &file)
	if len(file.Valid) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Valid {
		t.Run(c.Comment, func(t *testing.T) {
			sec, pub, err := NonceGen(bytes.NewReader(c.Rand), NonceInput{
				c.SecretShare, c.Pubshare, c.ThresholdKey, c.Message, c.Extra})
			if err != nil {
				t.Fatal(err)
			}
			if got := sec.pair.Load()[:]; !bytes.Equal(got, c.Expected[0]) {
				t.Errorf("secret nonce %x, want %x", got, c.Expected[0])
			}
			if got := pub.Bytes(); !bytes.Equal(got, c.Expected[1]) {
				t.Errorf("public nonce %x, want %x", got, c.Expected[1])
			}
		})
	}
}

func TestNonceAggVectors(t *testing.T) {
	var file struct {
		Pubnonces []hexBytes
		Valid     []struct {
			Comment  string
			Indices  []int `json:"pubnonce_indices"`
			Expected hexBytes
		} `json:"valid_tests"`
		Errors []struct {
			Comment string
			Indices []int `json:"pubnonce_indices"`
			Error   wantError
		} `json:"error_tests"`
	}
	load(t, "nonce_agg_vectors.json", &file)
	if len(file.Valid) == 0 || len(file.Errors) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range file.Valid {
		got, err := NonceAgg(pick(file.Pubnonces, c.Indices))
		if err != nil || !bytes.Equal(got, c.Expected) {
			t.Errorf("%s: got %x, %v", c.Comment, got, err)
		}
	}
	for _, c := range file.Errors {
		t.Run(c.Comment, func(t *testing.T) {
			_, err := NonceAgg(pick(file.Pubnonces, c.Indices))
			c.Error.check(t, err)
		})
	}
}

func pick(from []hexBytes, indices []int) [][]byte {
	out := make([][]byte, len(indices))
	for i, x := range indices {
		out[i] = from[x]
	}
	return out
}

// group and its cases serve both sign_verify and tweak.
type group struct {
	ID           string `json:"tg_id"`
	T, N         int
	ThresholdKey hexBytes `json:"thresh_pk"`
	Pubshares    []hexBytes
	Pubnonces    []hexBytes
	Secshares    []hexBytes
	Secnonces    []hexBytes
	Tweaks       []hexBytes
	Valid        []vector `json:"valid_tests"`
	Errors       []vector `json:"error_tests"`
	SignErrors   []vector `json:"sign_error_tests"`
	VerifyFails  []vector `json:"verify_fail_tests"`
	VerifyErrors []vector `json:"verify_error_tests"`
}

type vector struct {
	Comment     string
	MyID        int `json:"my_id"`
	IDs         []int
	Pubshares   []int `json:"pubshare_indices"`
	Pubnonces   []int `json:"pubnonce_indices"`
	Secshare    int   `json:"secshare_index"`
	Secnonce    int   `json:"secnonce_index"`
	AggNonce    hexBytes
	Msg         hexBytes
	Tweaks      []int  `json:"tweak_indices"`
	XOnly       []bool `json:"is_xonly"`
	Psig        hexBytes
	SignerIndex int `json:"signer_index"`
	Expected    hexBytes
	Error       wantError
}

func (g *group) context(v *vector) (*SessionContext, error) {
	signers, err := NewSignersContext(g.N, g.T, v.IDs, pick(g.Pubshares, v.Pubshares), g.ThresholdKey)
	if err != nil {
		return nil, err
	}
	return &SessionContext{v.AggNonce, signers, pick(g.Tweaks, v.Tweaks), v.XOnly, v.Msg}, nil
}

// sign runs Sign on a copy of the vector's secret nonce.
func (g *group) sign(v *vector) ([]byte, error) {
	c, err := g.context(v)
	if err != nil {
		return nil, err
	}
	pair := [SecNonceSize]byte(g.Secnonces[v.Secnonce])
	nonce := newSecNonce(&pair)
	psig, err := Sign(nonce, g.Secshares[v.Secshare], v.MyID, c)
	if _, again := Sign(nonce, g.Secshares[v.Secshare], v.MyID, c); !errors.Is(again, ErrNonceUsed) {
		return nil, fmt.Errorf("a second Sign gives %v after %v", again, err)
	}
	return psig, err
}

func (g *group) verify(v *vector, psig []byte, i int) (bool, error) {
	c, err := g.context(v)
	if err != nil {
		return false, err
	}
	return PartialSigVerify(psig, pick(g.Pubnonces, v.Pubnonces), c, i)
}

func (g *group) run(t *testing.T) {
	if len(g.Valid) == 0 || len(g.Errors)+len(g.SignErrors) == 0 {
		t.Fatal("no cases")
	}
	each := func(cases []vector, f func(*testing.T, *vector)) {
		for i := range cases {
			t.Run(cases[i].Comment, func(t *testing.T) { f(t, &cases[i]) })
		}
	}
	each(g.Valid, g.runValid)
	signError := func(t *testing.T, v *vector) {
		psig, err := g.sign(v)
		if psig != nil {
			t.Fatal("an error with a partial signature")
		}
		v.Error.check(t, err)
	}
	each(g.Errors, signError)
	each(g.SignErrors, signError)
	each(g.VerifyFails, func(t *testing.T, v *vector) {
		if ok, err := g.verify(v, v.Psig, v.SignerIndex); ok || err != nil {
			t.Fatalf("got %v, %v; want false", ok, err)
		}
	})
	each(g.VerifyErrors, func(t *testing.T, v *vector) {
		ok, err := g.verify(v, v.Psig, v.SignerIndex)
		if ok {
			t.Fatal("an error that verifies")
		}
		v.Error.check(t, err)
	})
}

func (g *group) runValid(t *testing.T, v *vector) {
	if agg, err := NonceAgg(pick(g.Pubnonces, v.Pubnonces)); err != nil || !bytes.Equal(agg, v.AggNonce) {
		t.Fatalf("the vector's aggregate nonce is not what NonceAgg gives: %v", err)
	}
	psig, err := g.sign(v)
	if err != nil || !bytes.Equal(psig, v.Expected) {
		t.Fatalf("got %x, %v; want %x", psig, err, v.Expected)
	}
	for i, id := range v.IDs {
		ok, err := g.verify(v, psig, i)
		if err != nil || ok != (id == v.MyID) {
			t.Fatalf("as the answer of signer %d: %v, %v", id, ok, err)
		}
	}
}

func TestSignVerifyVectors(t *testing.T) { runGroups(t, "sign_verify_vectors.json") }

func TestTweakVectors(t *testing.T) { runGroups(t, "tweak_vectors.json") }

func runGroups(t *testing.T, name string) {
	var file struct {
		Groups []group `json:"test_groups"`
	}
	load(t, name, &file)
	if len(file.Groups) == 0 {
		t.Fatal("no groups")
	}
	for i := range file.Groups {
		t.Run(file.Groups[i].ID, file.Groups[i].run)
	}
}
