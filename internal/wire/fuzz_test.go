package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
)

// fuzzWire checks what every decoder promises: no panic, and whatever it takes
// it encodes to the same bytes.
func fuzzWire(f *testing.F, named string) {
	var w message
	for _, candidate := range messages() {
		if candidate.name == named {
			w = candidate
		}
	}
	data := Encode(w.sample)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add(append(bytes.Clone(data), 0))
	fleet := newFleet(f, 2, 3)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := w.empty()
		if Decode(data, w.limit, v) == nil && !bytes.Equal(Encode(v), data) {
			t.Fatalf("%x is read and encodes to %x", data, Encode(v))
		}
		through(t, fleet, data)
	})
}

// through gives bytes to everything that judges them. Nothing here is signed,
// so nothing may pass but what needs no signature.
func through(t *testing.T, f *fleet, data []byte) {
	o := NewOpener(f.m, f.access)
	if _, err := o.FromNode(0, storedAt("x", t0, data)); err == nil {
		t.Fatal("an envelope that nobody signed was opened as a node's")
	}
	if _, err := o.FromGateway("x", data); err == nil {
		t.Fatal("an envelope that nobody signed was opened as a gateway's")
	}
	if _, err := o.delegation(data); err == nil {
		t.Fatal("a delegation that nobody signed was taken")
	}
	if _, err := DecodeCertificate(data, f.m, 0, 0); err == nil {
		t.Fatal("a certificate that nobody signed was taken")
	}
	if _, err := o.DecodeCommit(data, [32]byte{}, 0); err == nil {
		t.Fatal("a commitment that nobody attested was taken")
	}
	if h, deal, err := DecodeDeal(data); err == nil && !bytes.Equal(EncodeDeal(h, deal), data) {
		t.Fatal("deal is not the same when encoded again")
	}
	if task, err := DecodeTask(data, f.m); err == nil {
		if !bytes.Equal(Encode(task), data) {
			t.Fatal("task is not the same when encoded again")
		}
		if task.Job.Authenticate(f.m, f.access) == nil {
			t.Fatal("a job that nobody signed was taken")
		}
	}
	_, _ = DecodeShare(data, [32]byte{})
	if c, err := DecodeComplaint(data); err == nil && !bytes.Equal(Encode(c), data) {
		t.Fatal("complaint is not the same when encoded again")
	}
	if _, _, err := OpenTaken(f.m, f.access, "x", data); err == nil {
		t.Fatal("a note that nobody signed was taken")
	}
	_ = UnverifiedBody(data)
}

func FuzzEnvelope(f *testing.F)    { fuzzWire(f, "envelope of a node") }
func FuzzDelegation(f *testing.F)  { fuzzWire(f, "delegation") }
func FuzzDeal(f *testing.F)        { fuzzWire(f, "deal") }
func FuzzCertificate(f *testing.F) { fuzzWire(f, "certificate") }
func FuzzCommit(f *testing.F)      { fuzzWire(f, "commitment") }
func FuzzShare(f *testing.F)       { fuzzWire(f, "share") }
func FuzzComplaint(f *testing.F)   { fuzzWire(f, "complaint") }
func FuzzTask(f *testing.F)        { fuzzWire(f, "task") }
func FuzzGiven(f *testing.F)       { fuzzWire(f, "given") }
func FuzzTaken(f *testing.F)       { fuzzWire(f, "note") }

func FuzzManifest(f *testing.F) {
	data := mustJSON(newFleet(f, 2, 3).m)
	f.Add(data)
	f.Add(append(bytes.Clone(data), '}'))
	f.Add([]byte(`{"n":1,"t":1,"nodes":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		again, err := ParseManifest(mustJSON(m))
		if err != nil || again.Hash() != m.Hash() {
			t.Fatalf("written and read again it is another manifest: %v", err)
		}
		for i := range m.N {
			if m.Identity(i) == nil || len(m.HostKeys()) != m.N {
				t.Fatalf("a manifest without the keys of node %d passes", i)
			}
		}
	})
}

func FuzzJob(f *testing.F) {
	fleet := newFleet(f, 2, 3)
	for _, text := range []string{`{"job":"x"`, "\xef\xbb\xbf" + `{"job":"` + jobID(1) + `"}`, `[{"job":"A_-9","x":NaN}]`} {
		f.Add(string(KindSign), []byte(text))
	}
	for _, kind := range []Kind{KindKeygen, KindSign} {
		f.Add(string(kind), fleet.keygen(1, "alice", "bitcoin", 3).Payload)
		f.Add(string(kind), fleet.signing(1, "alice", item("00000000000000000000000000000000", 0, "x")).Payload)
		for _, path := range []string{"0/17", "0'", ""} {
			it := item("00000000000000000000000000000000", 0, "x")
			it.Path = &path
			f.Add(string(kind), fleet.signing(1, "alice", it).Payload)
		}
	}
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		signed := SignedJob{Client: "alice", Kind: Kind(kind), Payload: payload}
		job, err := signed.Parse(t0)
		id, answered := PeekJobID(payload), AnswerID(payload)
		if !IsToken(answered) || id != "" && answered != id {
			t.Fatalf("job %q is answered under %q", id, answered)
		}
		if err != nil {
			return
		}
		for i, it := range job.Items {
			if _, err := ParseKeyID(it.Key); err != nil && it.Check() == nil {
				t.Fatalf("item %d of key %q passes", i, it.Key)
			}
			if it.Path == nil || it.Check() != nil {
				continue
			}
			if path, err := derive.ParsePath(*it.Path); err != nil || path.String() != *it.Path {
				t.Fatalf("path %q passes and is %v, %v", *it.Path, path, err)
			}
		}
		if job.ID != id {
			t.Fatalf("job %q peeked as %q", job.ID, id)
		}
		again := SignedJob{Client: "alice", Kind: job.Kind, Payload: mustJSON(job)}
		if _, err := again.Parse(t0); err != nil {
			t.Fatalf("a job that passes does not pass when written anew: %v", err)
		}
		if job.Kind == KindKeygen {
			checkCut(t, job, fleet.m)
		}
	})
}

func FuzzSlot(f *testing.F) {
	for kind := range slotFamily {
		f.Add(Slot{kind, "0123456789abcdef0123456789abcdef", 7}.String())
	}
	f.Add(".0123456789abcdef0123456789abcdef.x.0")
	f.Add("dkg.0123456789abcdef0123456789abcdef.deal.+1")
	f.Fuzz(func(t *testing.T, subject string) {
		slot, err := ParseSlot(subject)
		if err != nil {
			return
		}
		if slot.String() != subject || slotFamily[slot.Kind] == "" || slot.Node < 0 || slot.Node >= MaxNodes || !isBatchID(slot.ID) {
			t.Fatalf("%q is read as %+v", subject, slot)
		}
	})
}

func FuzzKeyID(f *testing.F) {
	for _, s := range []string{"0123456789abcdef0123456789abcdef.0", "0123456789abcdef0123456789abcdef.999", "x.00", ".", "0123456789ABCDEF0123456789abcdef.-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseKeyID(s)
		if err == nil && (id.String() != s || id.Index < 0 || id.Index >= 1000 || !isBatchID(id.Batch)) {
			t.Fatalf("%q is read as %+v", s, id)
		}
	})
}

// FuzzReadJob gives the writer of a job's headers a free hand: no job is signed but by
// the one value of its signature's header.
func FuzzReadJob(f *testing.F) {
	sig := strings.Repeat("ab", 64)
	f.Add(HeaderClient, "alice", HeaderSignature, sig, "traceparent", "")
	f.Add("frost-client", " alice ", "FROST-SIGNATURE", sig, "Frost-signature", "")
	f.Add("", "alice", "Froſt-Signature", sig, "\x00", "\xff")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2, name3, value3 string) {
		headers := map[string][]string{}
		for _, h := range [][2]string{{name1, value1}, {name2, value2}, {name3, value3}} {
			headers[h[0]] = append(headers[h[0]], h[1])
		}
		job := ReadJob(KindSign, "alice", nil, headers)
		if (job.Signature == nil) == (job.fault == "") || job.Signature != nil && len(job.Signature) != 64 {
			t.Fatalf("signature %x, fault %q", job.Signature, job.fault)
		}
		signed := 0
		for _, h := range [][2]string{{name1, value1}, {name2, value2}, {name3, value3}} {
			if strings.EqualFold(h[0], HeaderSignature) && len(h[0]) == len(HeaderSignature) {
				signed++
			}
		}
		if job.Signature != nil && signed != 1 {
			t.Fatalf("signed by %d headers", signed)
		}
	})
}
