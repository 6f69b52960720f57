package fleet_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

var discard = slog.New(slog.DiscardHandler)

func asBusy(err error, target **bus.BusyError) bool { return errors.As(err, target) }

// Every bad job ends in an answer with a stable code and a sentence, and in a
// dead letter, and the fleet goes on working.
func TestBadJobs(t *testing.T) {
	otherPublic, otherKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ownerPublic, ownerKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := fleettest.Start(t, fleettest.Options{BeforeStart: func(dir string) {
		access := filepath.Join(dir, "access.toml")
		text, err := os.ReadFile(access)
		if err != nil {
			t.Fatal(err)
		}
		text = fmt.Appendf(
			text,
			"\n[[client]]\nname = \"other\"\npublic_key = \"%x\"\nkinds = [\"sign\"]\n"+
				"\n[[client]]\nname = \"owner\"\npublic_key = \"%x\"\nkinds = [\"keygen\"]\n",
			[]byte(otherPublic), []byte(ownerPublic),
		)
		if err := os.WriteFile(access, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}})
	r := newRaw(t, f)
	other := &raw{t: t, bus: r.bus, name: "other", fleet: r.fleet, key: otherKey, results: r.results}
	owner := &raw{t: t, bus: r.bus, name: "owner", fleet: r.fleet, key: ownerKey, results: r.results}
	r.listen("other")
	r.listen("owner")
	r.listen("nobody")
	taproot, solana := r.keygen(f, "bitcoin", 2), r.keygen(f, "solana", 1)

	keygen := func(change func(*wire.Job)) wire.SignedJob {
		j := job(wire.KindKeygen)
		change(&j)
		return r.sign(j.Kind, payload(t, j))
	}
	sign := func(keys []string, change func(*wire.Job)) wire.SignedJob {
		j := signJob(keys...)
		change(&j)
		return r.sign(j.Kind, payload(t, j))
	}
	none := func(*wire.Job) {}
	unknown := strings.Repeat("0", 32) + ".0"

	for _, c := range []struct {
		name string
		job  wire.SignedJob
		code wire.Code
	}{
		{
			"unknown client", func() wire.SignedJob { s := keygen(none); s.Client = "nobody"; return s }(),
			wire.CodeUnknownClient,
		},
		{
			"bad signature", func() wire.SignedJob { s := keygen(none); s.Signature[3] ^= 1; return s }(),
			wire.CodeBadSignature,
		},
		{
			"signature of another payload",
			func() wire.SignedJob { s := keygen(none); s.Payload = keygen(none).Payload; return s }(), wire.CodeBadSignature,
		},
		{
			"signature for another kind", func() wire.SignedJob { s := keygen(none); s.Kind = wire.KindSign; return s }(),
			wire.CodeBadSignature,
		},
		{"kind not allowed", other.sign(wire.KindKeygen, payload(t, job(wire.KindKeygen))), wire.CodeKindNotAllowed},
		{"expired", keygen(func(j *wire.Job) { j.Expires = time.Now().Add(-time.Minute) }), wire.CodeExpired},
		{"expires too late", keygen(func(j *wire.Job) { j.Expires = time.Now().Add(3 * time.Hour) }), wire.CodeExpiryTooFar},
		{"empty batch", keygen(func(j *wire.Job) { j.Count = 0 }), wire.CodeEmptyBatch},
		{"negative batch", keygen(func(j *wire.Job) { j.Count = -1 }), wire.CodeEmptyBatch},
		{"oversized batch", keygen(func(j *wire.Job) { j.Count = wire.MaxJobKeys + 1 }), wire.CodeTooLarge},
		{"unknown chain", keygen(func(j *wire.Job) { j.Chain = "dogecoin" }), wire.CodeUnknownChain},
		{"no items", sign(nil, none), wire.CodeEmptyBatch},
		{"too many items", sign(many(taproot[0].ID, wire.MaxJobItems+1), none), wire.CodeTooLarge},
		{"unknown key", sign([]string{unknown}, none), wire.CodeUnknownKey},
		{"index past the batch", sign([]string{strings.Split(taproot[0].ID, ".")[0] + ".99"}, none), wire.CodeUnknownKey},
		{"no key id", sign([]string{"x"}, none), wire.CodeUnknownKey},
		{
			"another client's key",
			func() wire.SignedJob { j := signJob(taproot[0].ID); return other.sign(j.Kind, payload(t, j)) }(),
			wire.CodeNotOwner,
		},
		{
			"short message", sign([]string{taproot[0].ID}, func(j *wire.Job) { j.Items[0].Message = j.Items[0].Message[:31] }),
			wire.CodeBadMessage,
		},
		{
			"empty ed25519 message", sign([]string{solana[0].ID}, func(j *wire.Job) { j.Items[0].Message = nil }),
			wire.CodeBadMessage,
		},
		{
			"long ed25519 message",
			sign([]string{solana[0].ID}, func(j *wire.Job) { j.Items[0].Message = make([]byte, 4097) }), wire.CodeBadMessage,
		},
		{
			"script root with ed25519",
			sign([]string{solana[0].ID}, func(j *wire.Job) { j.Items[0].ScriptRoot = make([]byte, 32) }), wire.CodeBadTweak,
		},
		{
			"short script root", sign([]string{taproot[0].ID}, func(j *wire.Job) { j.Items[0].ScriptRoot = make([]byte, 31) }),
			wire.CodeBadTweak,
		},
		{"hardened path", sign([]string{taproot[0].ID}, path("0'/17")), wire.CodeBadPath},
		{"hardened path with an h", sign([]string{solana[0].ID}, path("44h/501h")), wire.CodeBadPath},
		{"path of nine steps", sign([]string{taproot[0].ID}, path("0/1/2/3/4/5/6/7/8")), wire.CodeBadPath},
		{"index out of range", sign([]string{solana[0].ID}, path("0/2147483648")), wire.CodeBadPath},
		{"path that is none", sign([]string{taproot[0].ID}, path("m/0/17")), wire.CodeBadPath},
		{"empty path", sign([]string{taproot[0].ID}, path("")), wire.CodeBadPath},
		{
			"child of another client's key", func() wire.SignedJob {
				j := signJob(taproot[0].ID)
				path("0/17")(&j)
				return other.sign(j.Kind, payload(t, j))
			}(), wire.CodeNotOwner,
		},
		{"child of an unknown key", sign([]string{unknown}, path("0/17")), wire.CodeUnknownKey},
		{
			"unknown field",
			r.sign(wire.KindKeygen, bytes.Replace(payload(t, job(wire.KindKeygen)), []byte(`{`), []byte(`{"colour":"red",`), 1)),
			wire.CodeMalformedJob,
		},
		{
			"kind that contradicts the subject", r.sign(wire.KindKeygen, payload(t, signJob(taproot[0].ID))),
			wire.CodeMalformedJob,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := r.do(c.job)
			if result.Status != wire.StatusFailed || result.Code != c.code || result.Error == "" {
				t.Fatalf("status %s, code %s (%s), want code %s", result.Status, result.Code, result.Error, c.code)
			}
			expectDeadLetter(t, r.bus, c.job, result.Job, c.code)
		})
	}

	t.Run("malformed JSON", func(t *testing.T) {
		s := r.sign(wire.KindSign, []byte(`{"job":`))
		if err := r.publish(s); err != nil {
			t.Fatal(err)
		}
		expectDeadLetter(t, r.bus, s, "", wire.CodeMalformedJob)
	})
	t.Run("items one by one", func(t *testing.T) {
		j := signJob(unknown, taproot[0].ID, solana[0].ID, taproot[1].ID)
		result := r.do(r.sign(j.Kind, payload(t, j)))
		if result.Status != wire.StatusPartial || result.Code != wire.CodeUnknownKey || len(result.Sigs) != 4 {
			t.Fatalf("%s, %s: %s", result.Status, result.Code, result.Error)
		}
		for i, code := range []wire.Code{wire.CodeUnknownKey, "", wire.CodeBadMessage, ""} {
			if s := result.Sigs[i]; s.Code != code {
				t.Errorf("item %d: %s: %s, want code %q", i, s.Code, s.Error, code)
			}
		}
		verify(t, taproot[0].PublicKey, j.Items[1].Message, result.Sigs[1])
		verify(t, taproot[1].PublicKey, j.Items[3].Message, result.Sigs[3])
	})
	t.Run("children one by one", func(t *testing.T) {
		j := signJob(taproot[0].ID, taproot[1].ID, owner.keygen(f, "bitcoin", 1)[0].ID)
		j.Items[0].Path, j.Items[1].Path, j.Items[2].Path = new("0/17"), new("0'/17"), new("0/17")
		result := r.do(r.sign(j.Kind, payload(t, j)))
		if result.Status != wire.StatusPartial || result.Code != wire.CodeBadPath || len(result.Sigs) != 3 {
			t.Fatalf("%s, %s: %s", result.Status, result.Code, result.Error)
		}
		for i, code := range []wire.Code{"", wire.CodeBadPath, wire.CodeNotOwner} {
			if s := result.Sigs[i]; s.Code != code || (s.Signature == nil) != (code != "") {
				t.Errorf("item %d: %s: %s, want code %q", i, s.Code, s.Error, code)
			}
		}
		it := client.SignItem{Path: "0/17", Message: j.Items[0].Message, PublicKey: taproot[0].PublicKey,
			ChainCode: taproot[0].ChainCode}
		if err := verifyChild(it, result.Sigs[0].Signature); err != nil {
			t.Error(err)
		}
	})
	// An unsigned copy of a job, and text that names its id, are turned away in words that
	// nobody who made the job can take for its end.
	t.Run("junk under a job's id", func(t *testing.T) {
		j := job(wire.KindKeygen)
		s := r.sign(j.Kind, payload(t, j))
		copied, text := s, r.sign(j.Kind, []byte(`{"job":"`+j.ID+`","count":NaN}`))
		copied.Signature = nil
		for _, junk := range []wire.SignedJob{copied, text} {
			if err := r.publish(junk); err != nil {
				t.Fatal(err)
			}
		}
		digest := s.Digest(f.Manifest)
		rejected, result := 0, r.do(s)
		for ; len(result.Rejected) > 0; result = r.answer(j.ID) {
			rejected++
			if bytes.Equal(result.Rejected, s.Signature) && bytes.Equal(result.Digest, digest[:]) {
				t.Fatalf("the job itself is turned away: %s: %s", result.Code, result.Error)
			}
		}
		if result.Status != wire.StatusDone || !bytes.Equal(result.Digest, digest[:]) {
			t.Fatalf("%s, %s: %s", result.Status, result.Code, result.Error)
		}
		for ; rejected < 2; rejected++ {
			if late := r.answer(j.ID); len(late.Rejected) == 0 {
				t.Fatalf("%s, not a rejection", late.Status)
			}
		}
	})
	t.Run("id in upper case", func(t *testing.T) {
		j := job(wire.KindKeygen)
		j.ID = strings.ToUpper(j.ID)
		if result := r.do(r.sign(j.Kind, payload(t, j))); result.Status != wire.StatusDone || result.Job != j.ID {
			t.Fatalf("%s, %s: %s", result.Status, result.Code, result.Error)
		}
	})
	// Java's client spells headers so; others write names in lower case.
	t.Run("headers in another spelling", func(t *testing.T) {
		j := job(wire.KindKeygen)
		s := r.sign(j.Kind, payload(t, j))
		publishRaw(t, f.URL, wire.FleetSubject(fleettest.Name, wire.JobSubject(s.Kind, s.Client)),
			fmt.Sprintf("NATS/1.0\r\nfrost-client:%s\r\nFROST-SIGNATURE:  %X \r\n\r\n", s.Client, s.Signature), s.Payload)
		if result := r.answer(j.ID); result.Status != wire.StatusDone {
			t.Fatalf("%s, %s: %s", result.Status, result.Code, result.Error)
		}
	})
	t.Run("id used again", func(t *testing.T) {
		j := job(wire.KindKeygen)
		first := r.do(r.sign(j.Kind, payload(t, j)))
		again := r.do(r.sign(j.Kind, payload(t, j)))
		if again.Status != wire.StatusDone || again.Keys[0].ID != first.Keys[0].ID {
			t.Fatalf("the same job again: %s, key %s, want the first result", again.Status, again.Keys[0].ID)
		}
		j.Count = 2
		if reused := r.do(r.sign(j.Kind, payload(t, j))); reused.Code != wire.CodeJobIDReused {
			t.Fatalf("the id with other content: %s %s", reused.Status, reused.Code)
		}
	})
	// A small sign job is begun before anybody looks for a stored result. What
	// comes of it must be the same.
	t.Run("id of a sign job used again", func(t *testing.T) {
		j := signJob(taproot[0].ID)
		first := r.do(r.sign(j.Kind, payload(t, j)))
		again := r.do(r.sign(j.Kind, payload(t, j)))
		if again.Status != wire.StatusDone || !bytes.Equal(again.Sigs[0].Signature, first.Sigs[0].Signature) {
			t.Fatalf("the same job again: %s, want the first signature", again.Status)
		}
		j.Items[0].Key = taproot[1].ID
		if reused := r.do(r.sign(j.Kind, payload(t, j))); reused.Code != wire.CodeJobIDReused {
			t.Fatalf("the id with other content: %s %s", reused.Status, reused.Code)
		}
	})
	r.mustSign(taproot)
}

// path gives the last item of a job a path.
func path(text string) func(*wire.Job) {
	return func(j *wire.Job) { j.Items[len(j.Items)-1].Path = &text }
}

// publishRaw publishes a message with headers that nats.go would not write.
func publishRaw(t *testing.T, url, subject, headers string, data []byte) {
	t.Helper()
	server, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", server.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprintf(c, "CONNECT {\"headers\":true,\"verbose\":false}\r\nHPUB %s %d %d\r\n%s%s\r\nPING\r\n",
		subject, len(headers), len(headers)+len(data), headers, data); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if text := lines.Text(); text == "PONG" {
			return
		} else if strings.HasPrefix(text, "-ERR") {
			t.Fatal(text)
		}
	}
	t.Fatal("the server did not take the message")
}

func many(key string, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = key
	}
	return keys
}

// expectDeadLetter waits for the dead letter of a job.
func expectDeadLetter(t *testing.T, b *bus.Bus, s wire.SignedJob, id string, code wire.Code) {
	t.Helper()
	want := wire.DeadLetter{Payload: s.Payload}
	want.Cut()
	for deadline := time.Now().Add(jobTime); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		filter := fmt.Sprintf("dead.%s.%s.>", s.Kind, s.Client)
		letters, err := b.Slots(t.Context(), bus.DeadLetter, filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range letters {
			var letter wire.DeadLetter
			if err := json.Unmarshal(m.Data, &letter); err != nil {
				t.Fatal(err)
			}
			if letter.Job == id && letter.Code == code && bytes.Equal(letter.Payload, want.Payload) &&
				letter.Size == want.Size && letter.SHA256 == want.SHA256 {
				return
			}
		}
	}
	t.Fatalf("no dead letter with code %s", code)
}
