package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
)

const someBatch = "0123456789abcdef0123456789abcdef"

func TestAuthenticate(t *testing.T) {
	f := newFleet(t, 2, 3)
	good := f.keygen(1, "alice", "bitcoin", 1)
	if err := good.Authenticate(f.m, f.access); err != nil {
		t.Fatal(err)
	}
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	change := func(c func(*SignedJob)) SignedJob {
		j := good
		c(&j)
		return j
	}
	other := func(change func(*Manifest)) *Manifest {
		m := *f.m
		change(&m)
		must(0, m.Seal())
		if good.Digest(&m) == good.Digest(f.m) {
			t.Error("one digest under two manifests")
		}
		return &m
	}
	for name, test := range map[string]struct {
		job  SignedJob
		code Code
	}{
		"nobody":          {change(func(j *SignedJob) { j.Client = "nobody" }), CodeUnknownClient},
		"another client":  {change(func(j *SignedJob) { j.Client = "bob" }), CodeBadSignature},
		"another kind":    {change(func(j *SignedJob) { j.Kind = KindSign }), CodeBadSignature},
		"another payload": {change(func(j *SignedJob) { j.Payload = append(good.Payload[:len(good.Payload):len(good.Payload)], ' ') }), CodeBadSignature},
		"no signature":    {change(func(j *SignedJob) { j.Signature = nil }), CodeBadSignature},
		"another fleet": {SignJob(f.clients["alice"], other(func(m *Manifest) { m.Fleet = "tess" }), KindKeygen, "alice",
			good.Payload), CodeBadSignature},
		"another network": {SignJob(f.clients["alice"], other(func(m *Manifest) { m.Network = "mainnet" }), KindKeygen,
			"alice", good.Payload), CodeBadSignature},
		"another manifest": {SignJob(f.clients["alice"], other(func(m *Manifest) { m.AttestSigning = false }), KindKeygen,
			"alice", good.Payload), CodeBadSignature},
		"another key":  {SignJob(stranger, f.m, KindKeygen, "alice", good.Payload), CodeBadSignature},
		"not allowed":  {f.keygen(1, "carol", "bitcoin", 1), CodeKindNotAllowed},
		"unknown kind": {f.job("alice", "mint", nil), CodeKindNotAllowed},
	} {
		if err := test.job.Authenticate(f.m, f.access); err == nil || err.Code != test.code {
			t.Errorf("%s: got %v, want %s", name, err, test.code)
		}
	}
	if good.Digest(f.m) == f.keygen(2, "alice", "bitcoin", 1).Digest(f.m) || good.SignatureHeader() != hex.EncodeToString(good.Signature) {
		t.Error("digest or header is wrong")
	}
}

func TestParseJob(t *testing.T) {
	base := func(kind Kind) map[string]any {
		j := map[string]any{"job": jobID(1), "kind": kind, "expires": t0.Add(time.Minute)}
		if kind == KindKeygen {
			j["chain"], j["count"] = "bitcoin", 1
		} else {
			j["items"] = []any{map[string]any{"key": someBatch + ".0", "message": strings.Repeat("ab", 32)}}
		}
		return j
	}
	items := func(n int, more ...string) []any {
		it := map[string]any{"key": someBatch + ".0", "message": "ab"}
		for i := 0; i+1 < len(more); i += 2 {
			it[more[i]] = more[i+1]
		}
		list := make([]any, n)
		for i := range list {
			list[i] = it
		}
		return list
	}
	for name, test := range map[string]struct {
		kind  Kind
		key   string
		value any
		code  Code
	}{
		"keygen":               {KindKeygen, "chain", "bitcoin", ""},
		"solana":               {KindKeygen, "chain", "solana", ""},
		"sign":                 {KindSign, "kind", KindSign, ""},
		"most keys":            {KindKeygen, "count", MaxJobKeys, ""},
		"most items":           {KindSign, "items", items(MaxJobItems), ""},
		"script root":          {KindSign, "items", items(1, "script_root", strings.Repeat("00", 32)), ""},
		"longest life":         {KindSign, "expires", t0.Add(MaxJobLife + ClockSkew), ""},
		"unknown chain":        {KindKeygen, "chain", "dogecoin", CodeUnknownChain},
		"no chain":             {KindKeygen, "chain", "", CodeUnknownChain},
		"no keys":              {KindKeygen, "count", 0, CodeEmptyBatch},
		"negative":             {KindKeygen, "count", -1, CodeEmptyBatch},
		"too many keys":        {KindKeygen, "count", MaxJobKeys + 1, CodeTooLarge},
		"items in keygen":      {KindKeygen, "items", items(1), CodeMalformedJob},
		"no items":             {KindSign, "items", items(0), CodeEmptyBatch},
		"too many items":       {KindSign, "items", items(MaxJobItems + 1), CodeTooLarge},
		"chain in sign":        {KindSign, "chain", "bitcoin", CodeMalformedJob},
		"count in sign":        {KindSign, "count", 1, CodeMalformedJob},
		"item that is refused": {KindSign, "items", items(1, "key", "x.0"), ""}, // when it is its turn: TestCheckItem
		"path in capitals":     {KindSign, "items", items(1, "Path", "0/17"), CodeMalformedJob},
		"odd hex":              {KindSign, "items", items(1, "message", "abc"), CodeMalformedJob},
		"unknown item field":   {KindSign, "items", items(1, "tweak", "00"), CodeMalformedJob},
		"expired":              {KindSign, "expires", t0, CodeExpired},
		"long expired":         {KindSign, "expires", t0.Add(-24 * time.Hour), CodeExpired},
		"no expiry":            {KindSign, "expires", "0001-01-01T00:00:00Z", CodeExpired},
		"expiry null":          {KindSign, "expires", nil, CodeMalformedJob},
		"expires too late":     {KindSign, "expires", t0.Add(MaxJobLife + ClockSkew + time.Second), CodeExpiryTooFar},
		"expires in year 9999": {KindSign, "expires", "9999-12-31T23:59:59Z", CodeExpiryTooFar},
		"expiry no time":       {KindSign, "expires", "soon", CodeMalformedJob},
		"expiry no text":       {KindSign, "expires", 1767323045, CodeMalformedJob},
		"another kind":         {KindSign, "kind", KindKeygen, CodeMalformedJob},
		"a kind of no job":     {"cancel", "kind", "cancel", CodeMalformedJob},
		"unknown field":        {KindSign, "priority", 1, CodeMalformedJob},
		"id in upper case":     {KindSign, "job", "00000000-0000-7000-8000-00000000000A", ""},
		"id without dashes":    {KindSign, "job", strings.ReplaceAll(jobID(1), "-", ""), CodeMalformedJob},
		"id in braces":         {KindSign, "job", "{" + jobID(1) + "}", CodeMalformedJob},
		"no id":                {KindSign, "job", "", CodeMalformedJob},
		"id with a line":       {KindSign, "job", jobID(1) + "\n", CodeMalformedJob},
		"id that is a subject": {KindSign, "job", "a.b", CodeMalformedJob},
		"count no number":      {KindKeygen, "count", "1", CodeMalformedJob},
	} {
		fields := base(test.kind)
		fields[test.key] = test.value
		job, err := SignedJob{Client: "alice", Kind: test.kind, Payload: mustJSON(fields)}.Parse(t0)
		switch {
		case test.code == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.code != "" && (err == nil || err.Code != test.code):
			t.Errorf("%s: got %v, want %s", name, err, test.code)
		case err != nil && len(err.Reason) > 300:
			t.Errorf("%s: a sentence of %d bytes", name, len(err.Reason))
		case err == nil && job.Kind != test.kind:
			t.Errorf("%s: got %+v", name, job)
		}
	}
}

// A path is a text and nothing else: any other is no job. A text that is no path is its item's fault alone.
func TestParsePaths(t *testing.T) {
	job := `{"job":"` + jobID(1) + `","kind":"sign","expires":"2026-01-02T04:00:00Z","items":[` +
		`{"key":"` + someBatch + `.0","message":"00"},{"key":"` + someBatch + `.1","message":"00"%s}]}`
	for member, want := range map[string]string{
		``:                            "",
		`,"path":null`:                `malformed_job: payload is not a job: field "path" is null: give it a value, or leave`,
		`,"script_root":null`:         `malformed_job: payload is not a job: field "script_root" is null: `,
		`,"path":"0/17"`:              "",
		`,"path":"\u0030/17"`:         "",
		`,"path":17`:                  "malformed_job: ",
		`,"path":[0,17]`:              "malformed_job: ",
		`,"path":"0","path":"1"`:      "malformed_job: ",
		`,"path":"0/1'"`:              `bad_path: path "0/1'": step 2: a hardened step: `,
		`,"path":"1/2/3/4/5/6/7/8/9"`: `bad_path: path "1/2/3/4/5/6/7/8/9": a path of too many steps: want at most 8`,
		`,"path":"2147483648"`:        `bad_path: path "2147483648": step 1: an index out of range: want 0 to 2147483647`,
		`,"path":""`:                  `bad_path: path "": step 1: not a path: `,
		`,"path":"0/\u0000"`:          `bad_path: path "0/\x00": step 2: not a path: `,
	} {
		parsed, err := SignedJob{Kind: KindSign, Payload: fmt.Appendf(nil, job, member)}.Parse(t0)
		if err == nil {
			err = parsed.Items[1].Check()
		}
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", member, err, want)
		case err == nil && (parsed.Items[0].Path != nil || strings.Contains(member, "17") != (parsed.Items[1].Path != nil)):
			t.Errorf("%s: paths %v and %v", member, parsed.Items[0].Path, parsed.Items[1].Path)
		}
	}
}

func TestParseJobBytes(t *testing.T) {
	good := `{"job":"` + jobID(1) + `","kind":"keygen","expires":"2026-01-02T04:00:00Z","chain":"bitcoin","count":1}`
	for name, test := range map[string]struct {
		payload string
		code    Code
	}{
		"as it is":         {good, ""},
		"space around":     {" " + good + "\n", ""},
		"nothing":          {"", CodeMalformedJob},
		"null":             {"null", CodeMalformedJob},
		"array":            {"[" + good + "]", CodeMalformedJob},
		"two jobs":         {good + good, CodeMalformedJob},
		"trailing brace":   {good + "}", CodeMalformedJob},
		"trailing junk":    {good + "]x", CodeMalformedJob},
		"deep":             {strings.Repeat("[", 20000), CodeMalformedJob},
		"over the limit":   {good + strings.Repeat(" ", MaxJobSize), CodeTooLarge},
		"count with a dot": {strings.Replace(good, `"count":1`, `"count":1.5`, 1), CodeMalformedJob},
		"key twice":        {strings.Replace(good, `"count":1`, `"count":1,"count":2`, 1), CodeMalformedJob},
		"key in capitals":  {strings.Replace(good, `"count":1`, `"COUNT":1`, 1), CodeMalformedJob},
	} {
		_, err := SignedJob{Kind: KindKeygen, Payload: []byte(test.payload)}.Parse(t0)
		if test.code == "" && err != nil || test.code != "" && (err == nil || err.Code != test.code) {
			t.Errorf("%s: got %v, want %q", name, err, test.code)
		}
	}
	for payload, want := range map[string]string{good: jobID(1), `{"job":"` + jobID(7) + `","x":[]}`: jobID(7), "{": "", `{"job":"../x"}`: "", `{"job":1}`: ""} {
		equal(t, "peeked id of "+payload, PeekJobID([]byte(payload)), want)
	}
}

func TestTweak(t *testing.T) {
	root := make(HexBytes, 32)
	for _, test := range []struct {
		suite frost.Suite
		root  HexBytes
		want  frost.TweakMode
	}{
		{frost.Ed25519, nil, frost.TweakNone},
		{frost.Ed25519, root, frost.TweakScriptRoot}, // refused by checkItem
		{frost.Secp256k1TR, nil, frost.TweakBIP86},
		{frost.Secp256k1TR, root, frost.TweakScriptRoot},
	} {
		equal(t, fmt.Sprintf("%s with a root of %d bytes", test.suite, len(test.root)), JobItem{ScriptRoot: test.root}.Tweak(test.suite).Mode, test.want)
	}
}

// checkCut checks that a job's parts cover its keys, each once.
func checkCut(t testing.TB, job *Job, m *Manifest) {
	t.Helper()
	sum, parts := 0, job.Parts(m)
	seen := map[[32]byte]bool{}
	for part := range parts {
		h := job.PartHeader(m, "alice", [32]byte{}, part, 0)
		if h.K < 1 || h.K > frost.MaxBatch || int(h.K) > BatchSize(frost.Suite(h.Suite), m.N, m.T) {
			t.Fatalf("part %d of %d has %d keys", part, parts, h.K)
		}
		if err := h.Params(m).Validate(); err != nil {
			t.Fatal(err)
		}
		sum += int(h.K)
		seen[h.Context(m)] = true
	}
	if sum != job.Count || len(seen) != parts {
		t.Fatalf("%d keys for %d in %d parts with %d contexts", sum, job.Count, parts, len(seen))
	}
}

func TestCuts(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 3}, {16, 24}} {
		m := newFleet(t, size[0], size[1]).m
		for _, chain := range []string{"bitcoin", "solana"} {
			batch := BatchSize((&Job{Chain: chain}).Suite(), m.N, m.T)
			for _, count := range []int{1, 2, batch - 1, batch, batch + 1, 2*batch - 1, 2 * batch, 999, 1000, 1001, 4999, MaxJobKeys} {
				if count > 0 && count <= MaxJobKeys {
					checkCut(t, &Job{Kind: KindKeygen, Chain: chain, Count: count}, m)
				}
			}
		}
	}
	equal(t, "batch of 16-of-24", BatchSize(frost.Secp256k1TR, 24, 16), 277)
}

// A deal of the largest batch fits 512 KiB and a little, for fleets of every
// size: each key takes its t commitments, a proof, and a share for each node.
func TestDealSize(t *testing.T) {
	const slack = 16 << 10
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		for _, n := range []int{1, 2, 3, 5, 16, 24, 63, 64, 100, MaxNodes} {
			for _, threshold := range []int{1, (n + 1) / 2, n} {
				k := BatchSize(suite, n, threshold)
				if k < 1 || k > frost.MaxBatch {
					t.Fatalf("%s, %d-of-%d: batch of %d", suite, threshold, n, k)
				}
				deal := frost.Deal{
					Commitments: make([]byte, k*threshold*suite.PointSize()),
					Proofs:      make([]byte, k*(suite.PointSize()+frost.ScalarSize)),
				}
				for range n {
					deal.Shares = append(deal.Shares, make([]byte, k*frost.ScalarSize+16))
				}
				size := len(EncodeDeal(BatchHeader{Client: strings.Repeat("c", 64)}, &deal))
				if size > 512<<10+slack {
					t.Fatalf("%s, %d-of-%d: deal of %d keys has %d bytes", suite, threshold, n, k, size)
				}
			}
		}
	}
}

func TestTaskSubject(t *testing.T) {
	task := &Task{Job: SignedJob{Client: "alice", Kind: KindSign}, Attempt: 2, Items: make([]uint32, InteractiveItems)}
	equal(t, "small", TaskSubject(task, jobID(1)), "work.interactive.alice."+jobID(1)+".0.2")
	task.Items = append(task.Items, 0)
	equal(t, "large", TaskSubject(task, jobID(1)), "work.bulk.alice."+jobID(1)+".0.2")
	equal(t, "keygen", TaskSubject(&Task{Job: SignedJob{Client: "a", Kind: KindKeygen}, Part: 3}, jobID(1)), "work.bulk.a."+jobID(1)+".3.0")
}

func TestHexBytes(t *testing.T) {
	var v struct{ B HexBytes }
	if json.Unmarshal([]byte(`{"B":"0g"}`), &v) == nil || json.Unmarshal([]byte(`{"B":1}`), &v) == nil {
		t.Error("what is not hexadecimal passes")
	}
	must(0, json.Unmarshal([]byte(`{"B":"0aFF"}`), &v))
	equal(t, "hex", string(mustJSON(v)), `{"B":"0aff"}`)
}

func TestCheckItem(t *testing.T) {
	key := someBatch + ".0"
	for name, test := range map[string]struct {
		item JobItem
		code Code
	}{
		"right":                {JobItem{Key: key}, ""},
		"with a root":          {JobItem{Key: key, ScriptRoot: make([]byte, 32)}, ""},
		"no key":               {JobItem{}, CodeUnknownKey},
		"key id":               {JobItem{Key: "x.0"}, CodeUnknownKey},
		"key index":            {JobItem{Key: someBatch + ".1000"}, CodeUnknownKey},
		"key index zeros":      {JobItem{Key: someBatch + ".00"}, CodeUnknownKey},
		"key upper case":       {JobItem{Key: strings.ToUpper(someBatch) + ".0"}, CodeUnknownKey},
		"short script root":    {JobItem{Key: key, ScriptRoot: make([]byte, 31)}, CodeBadTweak},
		"path":                 {JobItem{Key: key, Path: new("0/17")}, ""},
		"one step":             {JobItem{Key: key, Path: new("2147483647")}, ""},
		"deepest path":         {JobItem{Key: key, Path: new("1/2/3/4/5/6/7/8")}, ""},
		"path too deep":        {JobItem{Key: key, Path: new("1/2/3/4/5/6/7/8/9")}, CodeBadPath},
		"hardened path":        {JobItem{Key: key, Path: new("0'/17")}, CodeBadPath},
		"hardened with an h":   {JobItem{Key: key, Path: new("0/17h")}, CodeBadPath},
		"index out of range":   {JobItem{Key: key, Path: new("0/2147483648")}, CodeBadPath},
		"path with an m":       {JobItem{Key: key, Path: new("m/0/17")}, CodeBadPath},
		"path with a zero":     {JobItem{Key: key, Path: new("0/017")}, CodeBadPath},
		"path with a sign":     {JobItem{Key: key, Path: new("0/-1")}, CodeBadPath},
		"path with no step":    {JobItem{Key: key, Path: new("0//1")}, CodeBadPath},
		"empty path":           {JobItem{Key: key, Path: new("")}, CodeBadPath},
		"long path":            {JobItem{Key: key, Path: new(strings.Repeat("9", 1<<19))}, CodeBadPath},
		"path and script root": {JobItem{Key: key, Path: new("0/17"), ScriptRoot: make([]byte, 32)}, ""},
	} {
		err := test.item.Check()
		if test.code == "" && err != nil || test.code != "" && (err == nil || err.Code != test.code) {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
		if err != nil && len(err.Reason) > 300 {
			t.Errorf("%s: a sentence of %d bytes", name, len(err.Reason))
		}
	}
}

// A job counts as signed only if its headers are there once, in whatever spelling, and
// agree with its subject. Who is refused for them is told what is wrong with them, and
// not that the key is.
func TestReadJob(t *testing.T) {
	fleet := newFleet(t, 2, 3)
	job := fleet.signing(1, "alice", item(someBatch, 0, "x"))
	sig := hex.EncodeToString(job.Signature)
	for name, test := range map[string]struct {
		header map[string][]string
		says   string
	}{
		"right":                {map[string][]string{HeaderClient: {"alice"}, HeaderSignature: {sig}}, ""},
		"lower case":           {map[string][]string{"frost-client": {"alice"}, "frost-signature": {sig}}, ""},
		"upper case":           {map[string][]string{"FROST-CLIENT": {"alice"}, "FROST-SIGNATURE": {strings.ToUpper(sig)}}, ""},
		"space around":         {map[string][]string{HeaderClient: {" alice\t"}, HeaderSignature: {sig + " "}}, ""},
		"none":                 {nil, "Frost-Client is missing"},
		"no client":            {map[string][]string{HeaderSignature: {sig}}, "Frost-Client is missing"},
		"another client":       {map[string][]string{HeaderClient: {"bob"}, HeaderSignature: {sig}}, `Frost-Client is "bob"`},
		"another case of name": {map[string][]string{HeaderClient: {"Alice"}, HeaderSignature: {sig}}, `Frost-Client is "Alice"`},
		"two clients":          {map[string][]string{HeaderClient: {"alice", "alice"}, HeaderSignature: {sig}}, "there 2 times"},
		"two cases": {
			map[string][]string{HeaderClient: {"alice"}, HeaderSignature: {sig}, "frost-signature": {sig}},
			"Frost-Signature is there 2 times",
		},
		"no signature":    {map[string][]string{HeaderClient: {"alice"}}, "Frost-Signature is missing"},
		"another letter":  {map[string][]string{HeaderClient: {"alice"}, "Froſt-Signature": {sig}}, "Frost-Signature is missing"},
		"no hexadecimal":  {map[string][]string{HeaderClient: {"alice"}, HeaderSignature: {"zz"}}, "128 hexadecimal digits"},
		"base64":          {map[string][]string{HeaderClient: {"alice"}, HeaderSignature: {sig[:88]}}, "128 hexadecimal digits"},
		"another payload": {map[string][]string{HeaderClient: {"alice"}, HeaderSignature: {strings.Repeat("ab", 64)}}, "not this client's"},
	} {
		got := ReadJob(KindSign, "alice", job.Payload, test.header)
		switch err := got.Authenticate(fleet.m, fleet.access); {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.says != "" && (err == nil || err.Code != CodeBadSignature || !strings.Contains(err.Reason, test.says)):
			t.Errorf("%s: %v, want %s", name, err, test.says)
		}
	}
}

// A job is answered under the id that its payload names, however wrong it is otherwise.
func TestAnswerID(t *testing.T) {
	upper := strings.ToUpper(jobID(10))
	for payload, want := range map[string]string{
		`{"job":"` + jobID(1) + `"}`:                    jobID(1),
		`{"job":"` + upper + `"}`:                       upper,
		`{"job":"order-17"}`:                            "order-17",
		"\xef\xbb\xbf" + `{"job" : "` + jobID(2) + `"}`: jobID(2), // a byte-order mark
		`{"job":"` + jobID(3) + `","rate":NaN}`:         jobID(3),
		`{"items":[{"x":NaN}],"job":"` + jobID(4) + `"`: jobID(4),
		`[{"job":"` + jobID(5) + `"}]`:                  jobID(5),
		`{"\u006aob":"\u0078"}`:                         "x",
		`{"job":"a.b"}`:                                 "",
		`{"job":">"}`:                                   "",
		`{"job":"` + strings.Repeat("x", 65) + `"}`:     "",
		`{"job":7}`: "",
		`{"job":`:   "",
		"":          "",
	} {
		equal(t, "id named by "+payload, NamedID([]byte(payload)), want)
		if got := AnswerID([]byte(payload)); want == "" && (!strings.HasPrefix(got, "unnamed-") || !IsToken(got)) ||
			want != "" && got != want {
			t.Errorf("%s is answered under %q", payload, got)
		}
	}
	large := `{"job":"` + jobID(6) + `","x":"` + strings.Repeat("x", MaxJobSize) + `"}`
	equal(t, "id of a large payload", AnswerID([]byte(large)), jobID(6))
}
