package directory

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

var someTime = time.Unix(1_800_000_000, 5).UTC()

func TestRemarks(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("0", 32) + ".999"
	good := Remark{Client: "alice", Key: key, Label: "Kälte ❄", Metadata: map[string]string{"a": "<&\u200d>", "b": ""}, By: "x", Time: someTime}
	data, err := good.encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeRemark(good.subject(), data); err != nil || !reflect.DeepEqual(got, good) {
		t.Errorf("%+v, %v", got, err)
	}
	many := map[string]string{}
	for i := range MaxMetadata + 1 {
		many[strings.Repeat("n", i+1)] = "v"
	}
	for name, r := range map[string]Remark{
		"a client of two words": {Client: "a.b", Key: key},
		"nothing":               {Client: "a"},
		"both":                  {Client: "a", Key: key, Job: jobID(1)},
		"a job that is none":    {Client: "a", Job: "x"},
		"a key that is none":    {Client: "a", Key: "x.1"},
		"a long label":          {Client: "a", Key: key, Label: strings.Repeat("l", MaxLabel+1)},
		"a bell":                {Client: "a", Key: key, Label: "\a"},
		"a change of direction": {Client: "a", Key: key, Label: "\u202e"},
		"a line's end":          {Client: "a", Key: key, Label: "\u2028"},
		"no UTF-8":              {Client: "a", Key: key, Label: "\xff"},
		"a name of nothing":     {Client: "a", Key: key, Metadata: map[string]string{"": "v"}},
		"a long name":           {Client: "a", Key: key, Metadata: map[string]string{strings.Repeat("n", MaxName+1): "v"}},
		"a long value":          {Client: "a", Key: key, Metadata: map[string]string{"n": strings.Repeat("v", MaxValue+1)}},
		"many pairs":            {Client: "a", Key: key, Metadata: many},
		"a long name of who":    {Client: "a", Key: key, By: strings.Repeat("b", MaxBy+1)},
	} {
		if err := r.check(); !errors.Is(err, ErrRemark) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	good := Request{
		Client: "alice", Job: jobID(1), Kind: wire.KindSign, Digest: [32]byte{1}, Count: wire.MaxJobItems, Expires: someTime,
		By: "token", Time: someTime,
	}
	data, err := good.encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeRequest(good.subject(), data); err != nil || got != good {
		t.Errorf("%+v, %v", got, err)
	}
	for name, change := range map[string]func(*Request){
		"client": func(r *Request) { r.Client = "" }, "job": func(r *Request) { r.Job = "x" },
		"kind": func(r *Request) { r.Kind = "x" }, "count": func(r *Request) { r.Count = -1 },
		"many": func(r *Request) { r.Count = 5001 }, "by": func(r *Request) { r.By = "\n" },
	} {
		bad := good
		if change(&bad); !errors.Is(bad.check(), ErrRequest) {
			t.Errorf("%s: %v", name, bad.check())
		}
	}
}

func FuzzDecodeRemark(f *testing.F) {
	r := Remark{Client: "alice", Job: jobID(1), Label: "l", Metadata: map[string]string{"a": "b"}, By: "x", Time: someTime}
	data, _ := r.encode()
	f.Add(r.subject(), data)
	f.Add("label.a.key."+strings.Repeat("0", 32)+"-1", data)
	f.Add("label.a.key.x", []byte(`{"v":1}}`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		got, err := decodeRemark(subject, data)
		if err != nil {
			return
		}
		if err := got.check(); err != nil || got.subject() != subject {
			t.Fatalf("%+v of %s: %v", got, subject, err)
		}
		again, err := got.encode()
		if err != nil {
			return // its time has no year that JSON writes, or it is as large only in this form
		}
		if same, err := decodeRemark(subject, again); err != nil || same.Label != got.Label ||
			len(same.Metadata) != len(got.Metadata) {
			t.Fatalf("%s: %+v, %v", again, same, err)
		}
	})
}

func FuzzDecodeRequest(f *testing.F) {
	r := Request{Client: "alice", Job: jobID(1), Kind: wire.KindKeygen, Count: 3, Expires: someTime, By: "x", Time: someTime}
	data, _ := r.encode()
	f.Add(r.subject(), data)
	f.Add(r.subject(), []byte(`{"v":1,"digest":"00"}`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		got, err := decodeRequest(subject, data)
		if err != nil {
			return
		}
		if err := got.check(); err != nil || got.subject() != subject {
			t.Fatalf("%+v of %s: %v", got, subject, err)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"job":"j","client":"c","kind":"keygen","digest":"00","status":"done","keys":[{"id":"x"}]}`))
	f.Add([]byte(`{"kind":"sign","status":"partial","signatures":[{"code":"x"},{}]}`))
	f.Add([]byte(`{"error":",\"keys\":[","status":"failed"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := parseAnswer(data); err == nil && (a.state() == "" || a.done > a.count) {
			t.Fatalf("%+v", a)
		}
	})
}

// FuzzRecords reads what may stand in the file: nothing that is no record makes trouble.
func FuzzRecords(f *testing.F) {
	b := &batch{Client: "alice", Suite: suiteOf(wire.Solana), Keys: make([]byte, 64), Job: jobID(1)}
	f.Add(b.encode())
	f.Add(wire.Encode(&line{State: Done}))
	f.Add(join("alice", "label", "k1"))
	f.Add(place{seq: 300, index: 7}.append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := decodeBatch(1, data); err == nil && !bytes.Equal(b.encode(), data) {
			t.Fatalf("%x is read as %x", data, b.encode())
		}
		if l, err := decodeLine(data); err == nil && !bytes.Equal(wire.Encode(l), data) {
			t.Fatalf("%x is read as %x", data, wire.Encode(l))
		}
		_, _ = splitLabel(data)
		_, _, _ = splitPair(data)
		_, _ = readCursor(string(data), false)
		for rest := data; ; {
			_, next, ok := nextPlace([]byte{0, 0}, rest)
			if !ok {
				break
			}
			if len(next) >= len(rest) {
				t.Fatal("a place of nothing")
			}
			rest = next
		}
	})
}
