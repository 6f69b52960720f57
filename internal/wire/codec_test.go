package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// message is a decoder of one message type and a message for it. decode gives
// what was read, for encoding it again.
type message struct {
	name   string
	sample any
	limit  int
	empty  func() any
}

func messages() []message {
	culprit := uint8(2)
	att := &Attestation{Index: 1, Size: 2, Path: [][]byte{bytes.Repeat([]byte{7}, 32)}, Signature: []byte{1, 2, 3}}
	header := BatchHeader{Client: "alice", Digest: [32]byte{1}, Part: 2, Attempt: 3, Suite: 1, K: 4}
	return []message{
		{"envelope of a node", &Envelope{Body: []byte("b"), Signature: []byte("s"), Delegation: []byte("d")}, MaxMessageSize, func() any { return new(Envelope) }},
		{"envelope of a gateway", &Envelope{Body: []byte("b"), Signature: []byte("s"), Gateway: "gw"}, MaxMessageSize, func() any { return new(Envelope) }},
		{"delegation", &delegation{Node: 1, Key: []byte("k"), NotBefore: -1, NotAfter: 2, Attestation: att}, maxDelegation, func() any { return new(delegation) }},
		{"deal", &dealBody{Header: header, Commitments: []byte("c"), Proofs: []byte("p"), Shares: [][]byte{{1}, {2}}}, MaxMessageSize, func() any { return new(dealBody) }},
		{"certificate", &Certificate{Context: [32]byte{1}, Root: [32]byte{2}, Node: 3, Attestation: att}, MaxAttestation, func() any { return new(Certificate) }},
		{"complaint", &Complaint{Code: CodeInternal, Reason: "why", Culprit: &culprit}, 2 * maxReason, func() any { return new(Complaint) }},
		{"complaint of nobody", &Complaint{Code: CodeRestarted, Reason: "why"}, 2 * maxReason, func() any { return new(Complaint) }},
		{"commitment", &CommitBody{Points: []byte("p"), Attestation: att}, MaxMessageSize, func() any { return new(CommitBody) }},
		{
			"heartbeat", &Heartbeat{Version: 1, Boot: [16]byte{1}, After: 2, Build: "b", Host: "h", Pid: 3, Leaving: true},
			maxHeartbeatBody, func() any { return new(Heartbeat) },
		},
		{"note", &Taken{Version: 1, Stored: -1, Boot: [16]byte{1}, Ended: 2}, maxTaken, func() any { return new(Taken) }},
		{
			"freeze", &FreezeStatement{Action: ActionFreeze, Scope: FreezeClient, Name: "a", Reason: "why", Time: 1, Nonce: [16]byte{1}},
			MaxFreeze, func() any { return new(FreezeStatement) },
		},
		{"message of CONTROL", &freezeMessage{1, []byte("s"), []byte("t")}, MaxFreeze, func() any { return new(freezeMessage) }},
		{
			"given", &Given{Version: 1, Client: "alice", Job: "j", Approval: Approval{"dora", []byte("s"), 1}}, MaxGiven,
			func() any { return new(Given) },
		},
		{"share", &ShareBody{Set: [32]byte{2}, Shares: []byte("s")}, MaxMessageSize, func() any { return new(ShareBody) }},
		{"task", &Task{Job: SignedJob{Client: "a", Kind: KindSign, Payload: []byte("{}"), Signature: []byte("s")}, Attempt: 1, Items: []uint32{0, 3}, Exclude: []uint8{1}, Draft: "0.10.0"}, MaxJobSize + 1<<16, func() any { return new(Task) }},
		{
			"approved task", &Task{Job: SignedJob{Client: "a", Kind: KindSign, Payload: []byte("{}"), Signature: []byte("s"),
				Approvals: []Approval{{"dora", []byte("s"), 1}}}, Items: []uint32{0}}, MaxJobSize + 1<<16, func() any { return new(Task) },
		},
	}
}

func TestEveryMessageRoundTrips(t *testing.T) {
	for _, w := range messages() {
		data, got := Encode(w.sample), w.empty()
		if err := Decode(data, w.limit, got); err != nil {
			t.Errorf("%s: %v", w.name, err)
		} else if !reflect.DeepEqual(got, w.sample) {
			t.Errorf("%s: got %+v, want %+v", w.name, got, w.sample)
		}
		if err := Decode(append(slices.Clone(data), 0), w.limit, w.empty()); err == nil {
			t.Errorf("%s: a trailing byte passes", w.name)
		}
		if err := Decode(data, len(data)-1, w.empty()); err == nil || !strings.Contains(err.Error(), "over the limit") {
			t.Errorf("%s: one byte over the limit: %v", w.name, err)
		}
		for cut := range data {
			if Decode(data[:cut], w.limit, w.empty()) == nil {
				t.Errorf("%s: cut to %d of %d bytes it still passes", w.name, cut, len(data))
			}
		}
	}
}

// The messages are made by hand from RFC 8949: a complaint is a map of
// 1: 32 bytes, 2: text, 3: text, and perhaps 4: a small number.
func TestDecodeTakesOneEncodingOnly(t *testing.T) {
	session := "5820" + strings.Repeat("00", 32)
	for name, test := range map[string]struct {
		hex       string
		canonical bool // refused for its form alone
	}{
		"unknown field":        {hex: "a4" + "01" + session + "0261" + "61" + "0361" + "62" + "0501"},
		"duplicate key":        {hex: "a4" + "01" + session + "0261" + "61" + "0261" + "62" + "0361" + "62"},
		"indefinite map":       {hex: "bf" + "01" + session + "0261" + "61" + "0361" + "62" + "ff"},
		"tag":                  {hex: "c6a3" + "01" + session + "0261" + "61" + "0361" + "62"},
		"bad UTF-8":            {hex: "a3" + "01" + session + "0261" + "ff" + "0361" + "62"},
		"number over 255":      {hex: "a4" + "01" + session + "0261" + "61" + "0361" + "62" + "04190100"},
		"not a map":            {hex: "83010203"},
		"keys out of order":    {hex: "a3" + "0261" + "61" + "01" + session + "0361" + "62", canonical: true},
		"long key":             {hex: "a3" + "1801" + session + "0261" + "61" + "0361" + "62", canonical: true},
		"long length":          {hex: "a3" + "01" + session + "027801" + "61" + "0361" + "62", canonical: true},
		"missing field":        {hex: "a2" + "01" + session + "0261" + "61", canonical: true},
		"session of 31 bytes":  {hex: "a3" + "01581f" + strings.Repeat("00", 31) + "0261" + "61" + "0361" + "62", canonical: true},
		"explicit null for 4":  {hex: "a4" + "01" + session + "0261" + "61" + "0361" + "62" + "04f6", canonical: true},
		"null for text":        {hex: "a3" + "01" + session + "02f6" + "0361" + "62", canonical: true},
		"undefined for number": {hex: "a4" + "01" + session + "0261" + "61" + "0361" + "62" + "04f7", canonical: true},
	} {
		var c Complaint
		err := Decode(must(hex.DecodeString(test.hex)), 2*maxReason, &c)
		if err == nil || test.canonical != errors.Is(err, errNotCanonical) {
			t.Errorf("%s: got %v (want it refused for its form: %v)", name, err, test.canonical)
		}
	}
	var c Complaint
	if err := Decode(must(hex.DecodeString("a3"+"01"+session+"0261"+"61"+"0361"+"62")), 2*maxReason, &c); err != nil {
		t.Errorf("the form that is right: %v", err)
	}
}

func TestTaskBounds(t *testing.T) {
	f := newFleet(t, 2, 3)
	for name, test := range map[string]struct {
		change func(*Task)
		ok     bool
	}{
		"as it is":         {func(*Task) {}, true},
		"last attempt":     {func(task *Task) { task.Attempt = MaxAttempts }, true},
		"attempt too high": {func(task *Task) { task.Attempt = MaxAttempts + 1 }, false},
		"part too high":    {func(task *Task) { task.Part = MaxJobKeys + 1 }, false},
		"item twice":       {func(task *Task) { task.Items = []uint32{1, 1} }, false},
		"items descend":    {func(task *Task) { task.Items = []uint32{2, 1} }, false},
		"item too high":    {func(task *Task) { task.Items = []uint32{MaxJobItems} }, false},
		"exclude node n":   {func(task *Task) { task.Exclude = []uint8{3} }, false},
		"longest draft":    {func(task *Task) { task.Draft = strings.Repeat("1", maxDraft) }, true},
		"draft too long":   {func(task *Task) { task.Draft = strings.Repeat("1", maxDraft+1) }, false},
		"exclude twice":    {func(task *Task) { task.Exclude = []uint8{0, 0} }, false},
	} {
		task := &Task{Job: f.signing(1, "alice", item(strings.Repeat("0", 32), 0, "x")), Items: []uint32{0}}
		test.change(task)
		if _, err := DecodeTask(Encode(task), f.m); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The session is what nonces are bound to: everything that a task says of
// signing changes it.
func TestSessionBindsTheTask(t *testing.T) {
	f := newFleet(t, 2, 3)
	base := Task{Job: f.signing(1, "alice"), Attempt: 1, Items: []uint32{0, 1}, Exclude: []uint8{2}}
	seen := map[[32]byte]string{base.Session(f.m): "base"}
	other := newFleet(t, 2, 3)
	seen[base.Session(other.m)] = "another manifest"
	for name, change := range map[string]func(*Task){
		"client":     func(t *Task) { t.Job.Client = "bob" },
		"kind":       func(t *Task) { t.Job.Kind = KindKeygen },
		"payload":    func(t *Task) { t.Job.Payload = append(slices.Clone(t.Job.Payload), ' ') },
		"attempt":    func(t *Task) { t.Attempt = 2 },
		"items":      func(t *Task) { t.Items = []uint32{0} },
		"exclusions": func(t *Task) { t.Exclude = nil },
		"draft":      func(t *Task) { t.Draft = "0.11.0" },
	} {
		task := base
		change(&task)
		if was, ok := seen[task.Session(f.m)]; ok {
			t.Errorf("%s: same session as %s", name, was)
		}
		seen[task.Session(f.m)] = name
	}
}

func TestBatchContextBindsTheHeader(t *testing.T) {
	m, other := newFleet(t, 2, 3).m, newFleet(t, 2, 3).m
	base := BatchHeader{Client: "alice", Digest: [32]byte{1}, Part: 1, Attempt: 1, Suite: 1, K: 1}
	seen := map[[32]byte]bool{base.Context(m): true, base.Context(other): true}
	for _, change := range []func(*BatchHeader){
		func(h *BatchHeader) { h.Client = "bob" }, func(h *BatchHeader) { h.Digest[0]++ }, func(h *BatchHeader) { h.Part++ },
		func(h *BatchHeader) { h.Attempt++ }, func(h *BatchHeader) { h.Suite++ }, func(h *BatchHeader) { h.K++ },
	} {
		h := base
		change(&h)
		seen[h.Context(m)] = true
	}
	equal(t, "contexts", len(seen), 8)
}

func TestClip(t *testing.T) {
	for _, s := range []string{"", "short", strings.Repeat("é", maxReason), strings.Repeat("x", maxReason-1) + "€", strings.Repeat("\xff", 2*maxReason)} {
		c := Complaint{Code: CodeInternal, Reason: Clip(s)}
		if len(c.Reason) > maxReason {
			t.Errorf("%.10q...: clipped to %d bytes", s, len(c.Reason))
		}
		if _, err := DecodeComplaint(Encode(&c)); err != nil {
			t.Errorf("%.10q...: a clipped reason can't be read: %v", s, err)
		}
	}
}

func TestShareBounds(t *testing.T) {
	session := [32]byte{1}
	for name, test := range map[string]struct {
		share ShareBody
		ok    bool
	}{
		"fits":            {ShareBody{Session: session, Shares: make([]byte, MaxJobItems*frost.ScalarSize)}, true},
		"too long":        {ShareBody{Session: session, Shares: make([]byte, MaxJobItems*frost.ScalarSize+1)}, false},
		"another session": {ShareBody{Session: [32]byte{2}}, false},
	} {
		if _, err := DecodeShare(Encode(&test.share), session); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
