package bip445

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

const vectorDir = "../../../../shared/vectors/bip445/"

// A file has one group of inputs or, in test_groups, one per (t, n). Everything in a group named *_tests is a list of
// cases. list runs one case of the list it is named after.
type list func(*testing.T, *group, *vector)

func TestNonceGenVectors(t *testing.T) {
	runFile(t, "nonce_gen_vectors.json", map[string]list{"valid_tests": nonceGenValid})
}

func TestNonceAggVectors(t *testing.T) {
	runFile(t, "nonce_agg_vectors.json", map[string]list{"valid_tests": nonceAggValid, "error_tests": nonceAggError})
}

func TestSignVerifyVectors(t *testing.T) {
	runFile(t, "sign_verify_vectors.json", map[string]list{
		"valid_tests": signValid, "sign_error_tests": signError,
		"verify_fail_tests": verifyFail, "verify_error_tests": verifyError,
	})
}

func TestTweakVectors(t *testing.T) {
	runFile(t, "tweak_vectors.json", map[string]list{"valid_tests": signValid, "error_tests": signError})
}

func TestSigAggVectors(t *testing.T) {
	runFile(t, "sig_agg_vectors.json", map[string]list{"valid_tests": sigAggValid, "error_tests": sigAggError})
}

// runFile runs every case of a file, and fails on anything in it that it doesn't know.
func runFile(t *testing.T, name string, lists map[string]list) {
	file, err := os.ReadFile(vectorDir + name)
	if os.IsNotExist(err) {
		t.Skip("no BIP 445 vectors at ../shared/vectors: only the constants in core_test.go are checked")
	}
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, g := range parseGroups(t, file) {
		for name, cases := range g.lists {
			run, known := lists[name]
			if !known {
				t.Fatalf("group %q has a list of cases that nothing runs: %s", g.ID, name)
			}
			for i := range cases {
				ran++
				t.Run(fmt.Sprintf("%s/%s/%d", g.ID, name, cases[i].ID), func(t *testing.T) { run(t, g, &cases[i]) })
			}
		}
	}
	if held := bytes.Count(file, []byte(`"tc_id"`)); ran != held || ran == 0 {
		t.Errorf("ran %d cases of the %d in the file", ran, held)
	}
}

func parseGroups(t *testing.T, file []byte) []*group {
	var groups struct {
		Groups []json.RawMessage `json:"test_groups"`
	}
	decode(t, file, &groups, false)
	if groups.Groups == nil {
		groups.Groups = []json.RawMessage{file}
	}
	var out []*group
	for _, raw := range groups.Groups {
		var fields map[string]json.RawMessage
		decode(t, raw, &fields, true)
		g := &group{lists: map[string][]vector{}}
		for name, value := range fields {
			if strings.HasSuffix(name, "_tests") {
				var cases []vector
				decode(t, value, &cases, true)
				g.lists[name] = cases
				delete(fields, name)
			}
		}
		inputs, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		decode(t, inputs, g, true)
		out = append(out, g)
	}
	return out
}

func decode(t *testing.T, b []byte, into any, strict bool) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// group is the inputs that cases share, which they name by index.
type group struct {
	ID           string `json:"tg_id"`
	T, N         int
	ThresholdKey hexBytes `json:"thresh_pk"`
	Pubshares    []hexBytes
	Pubnonces    []hexBytes
	Secshares    []hexBytes
	Secnonces    []hexBytes
	Tweaks       []hexBytes

	lists map[string][]vector
}

// vector is a case of any file; each uses some of the fields.
type vector struct {
	ID      int `json:"tc_id"`
	Comment string

	Rand      hexBytes
	Secshare  hexBytes
	Pubshare  hexBytes
	XOnlyKey  hexBytes `json:"thresh_pk_xonly"`
	Extra     hexBytes `json:"extra_in"`
	MyID      int      `json:"my_id"`
	IDs       []int
	Pubshares []int `json:"pubshare_indices"`
	Pubnonces []int `json:"pubnonce_indices"`
	SecshareI int   `json:"secshare_index"`
	SecnonceI int   `json:"secnonce_index"`
	AggNonce  hexBytes
	Msg       hexBytes
	Tweaks    []int  `json:"tweak_indices"`
	XOnly     []bool `json:"is_xonly"`

	Psig        hexBytes
	Psigs       []hexBytes
	SignerIndex int `json:"signer_index"`
	Expected    hexList
	Error       *wantError
}

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

// hexList is one value or a list of them.
type hexList []hexBytes

func (h *hexList) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*[]hexBytes)(h))
	}
	*h = make(hexList, 1)
	return json.Unmarshal(b, &(*h)[0])
}

// wantError is how the vectors describe an error.
type wantError struct {
	Type    string
	Message string
	Signer  *int `json:"signer_index"`
	Contrib string
}

// messages maps the reference code's messages to ours, with the position that an error message carries.
var messages = map[string]struct {
	reason   Reason
	position int // or -1
}{
	"The signer's id must be present in the participant identifier list.": {OwnIDMissing, -1},
	"The participant identifier list contains duplicate elements.":        {DuplicateID, -1},
	"The signer's pubshare must be included in the list of pubshares.":    {OwnPubshareMissing, -1},
	"Invalid pubshare at index 0.":                                        {BadPubshare, 0},
	"Invalid pubshare at index 1.":                                        {BadPubshare, 1},
	"The participant identifier at index 0 is out of range.":              {BadID, 0},
	"The provided key material is incorrect.":                             {WrongKeyMaterial, -1},
	"The threshold pubkey must not be the point at infinity.":             {KeyAtInfinity, -1},
	"first secnonce value is out of range.":                               {BadFirstNonce, -1},
	"second secnonce value is out of range.":                              {BadSecondNonce, -1},
	"The number of signers must be between t and n.":                      {BadSignerCount, -1},
	"The signer's secret share value is out of range.":                    {BadSecretShare, -1},
	"The tweak value is out of range.":                                    {BadTweak, -1},
	"The result of tweaking cannot be infinity.":                          {TweakToInfinity, -1},
	"The tweaks and is_xonly arrays must have the same length.":           {BadTweakCount, -1},
	"The tweak must be a 32-byte array.":                                  {BadTweakLength, -1},
	"The psigs and ids arrays must have the same length.":                 {BadPartialSigCount, -1},
}

func (w *wantError) check(t *testing.T, err error) {
	t.Helper()
	switch w.Type {
	case "ValueError":
		want, known := messages[w.Message]
		if !known {
			t.Fatalf("a message of the reference code without a counterpart here: %q", w.Message)
		}
		text := string(want.reason)
		if want.position >= 0 {
			text = fmt.Sprintf("%s (position %d)", text, want.position)
		}
		if !errors.Is(err, want.reason) || err.Error() != text {
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
