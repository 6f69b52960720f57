package client

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func (s *gatewayStub) maker(t *testing.T) *Maker {
	t.Helper()
	m, err := NewMaker(Config{
		Manifest: stated(s.manifest), Name: stubClient, Key: s.client,
		Gateways: map[string]ed25519.PublicKey{stubGateway: s.gateway.Public().(ed25519.PublicKey)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// answerTo is what the stub says of a job, and who signed it how.
func (s *gatewayStub) answerTo(t *testing.T, kind, payload string, change func(*wire.Result)) (result []byte, signature []byte) {
	t.Helper()
	r := s.result(wire.SignJob(s.client, s.manifest, wire.Kind(kind), stubClient, []byte(payload)))
	if change != nil {
		change(r)
	}
	signature, err := hex.DecodeString(s.header(r, s.gateway, stubGateway)[wire.HeaderSignature][0])
	if err != nil {
		t.Fatal(err)
	}
	return r.Encode(), signature
}

// TestMadeElsewhere: a job is made and its result checked without a connection; what is not
// signed by a gateway, is of another job, or proves nothing is refused.
func TestMadeElsewhere(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	m := s.maker(t)
	keygen, err := m.Keygen(KeygenRequest{Chain: "bitcoin", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	result, signature := s.answerTo(t, keygen.Kind, keygen.Payload, nil)
	keys, err := keygen.Check(result, stubGateway, signature)
	if err != nil || len(keys.Keys) != 2 {
		t.Fatalf("%+v, %v", keys, err)
	}
	item := SignItem{Key: keys.Keys[0].ID, PublicKey: keys.Keys[0].PublicKey, Message: message(7)}
	sign, err := m.Sign(SignRequest{Items: []SignItem{item}})
	if err != nil {
		t.Fatal(err)
	}
	input := wire.JobSigningInput(s.manifest, wire.KindSign, stubClient, []byte(sign.Payload))
	if !ed25519.Verify(s.client.Public().(ed25519.PublicKey), input, sign.Signature) {
		t.Fatal("the job's signature does not verify")
	}
	result, signature = s.answerTo(t, sign.Kind, sign.Payload, nil)
	got, err := sign.Check(result, stubGateway, signature)
	if err != nil || len(got.Signatures) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	other, err := m.Sign(SignRequest{Items: []SignItem{item}})
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func() (*SignResult, error){
		"another job's":   func() (*SignResult, error) { return other.Check(result, stubGateway, signature) },
		"unknown gateway": func() (*SignResult, error) { return sign.Check(result, "gateway9", signature) },
		"no signature":    func() (*SignResult, error) { return sign.Check(result, stubGateway, nil) },
		"a stranger's": func() (*SignResult, error) {
			return sign.Check(result, stubGateway, ed25519.Sign(stranger, wire.ResultSigningInput(s.manifest, stubClient, sign.ID, result)))
		},
		"a changed one": func() (*SignResult, error) { return sign.Check(append(result, ' '), stubGateway, signature) },
	} {
		if got, err := check(); err == nil {
			t.Errorf("%s is taken: %+v", name, got)
		}
	}
	var unproven *ProofError
	result, signature = s.answerTo(t, sign.Kind, sign.Payload, func(r *wire.Result) { r.Sigs[0].Signature[5] ^= 1 })
	if _, err := sign.Check(result, stubGateway, signature); !errors.As(err, &unproven) {
		t.Errorf("a wrong signature that a gateway passes on: %v", err)
	}
	var failed *JobError
	result, signature = s.answerTo(t, sign.Kind, sign.Payload, func(r *wire.Result) {
		r.Status, r.Code, r.Sigs = wire.StatusFailed, wire.CodeFrozen, nil
	})
	if _, err := sign.Check(result, stubGateway, signature); !errors.As(err, &failed) || failed.Code != CodeFrozen {
		t.Errorf("a job that failed: %v", err)
	}
	if _, err := Submit(t.Context(), c, sign); !errors.Is(err, errOtherMaker) {
		t.Errorf("a job of another Maker is submitted: %v", err)
	}
}

// TestMadeAgain: the same request is the same job, byte for byte. It is published once or
// twice, its result is the first one; when it is over it can only be fetched.
func TestMadeAgain(t *testing.T) {
	t.Parallel()
	s, c := start(t)
	keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	req := SignRequest{
		JobID: "01890a5d-ac96-774b-bcce-b302099a8057", Expires: time.Now().Add(time.Minute).Truncate(time.Second),
		Items: []SignItem{{Key: keys.Keys[0].ID, PublicKey: keys.Keys[0].PublicKey, Message: message(1)}},
	}
	first, err := c.Maker().Sign(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(t.Context(), c, first); !errors.Is(err, ErrNoResult) {
		t.Fatalf("before it was published: %v", err)
	}
	h, err := Submit(t.Context(), c, first)
	if err != nil {
		t.Fatal(err)
	}
	want, err := h.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Maker().Sign(req)
	if err != nil || second.Payload != first.Payload || string(second.Signature) != string(first.Signature) {
		t.Fatalf("made again it is %+v, was %+v (%v)", second, first, err)
	}
	got, err := Fetch(t.Context(), c, second)
	if err != nil || string(got.Signatures[0].Signature) != string(want.Signatures[0].Signature) {
		t.Errorf("fetched %+v, %v; want %+v", got, err, want)
	}
	req.Expires = time.Now().Add(-time.Minute).Truncate(time.Second)
	late, err := c.Maker().Sign(req)
	if err != nil {
		t.Fatal(err)
	}
	published := s.published()
	var refused *JobError
	if _, err := Submit(t.Context(), c, late); !errors.As(err, &refused) || refused.Code != CodeExpired {
		t.Errorf("a job that is over is submitted: %v", err)
	}
	if s.published() != published {
		t.Error("a job that is over was published")
	}
	text, err := c.Maker().Message(SignMessageRequest{Signer: Signer{Key: keys.Keys[0]}, Text: "x", Expires: req.Expires})
	if err != nil {
		t.Fatalf("a text whose job is over: %v", err)
	}
	if _, err := Fetch(t.Context(), c, text); !errors.Is(err, ErrNoResult) {
		t.Errorf("it is fetched: %v", err)
	}
}
