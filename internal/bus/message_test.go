package bus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// FuzzStoredHeader gives the writer a free hand and appends the server's
// headers as the server does. Whatever is then believed is the server's.
func FuzzStoredHeader(f *testing.F) {
	for _, s := range []string{
		"", "A: b\r\n", "Nats-Sequence: 9\r\n", "A: b\r\n\r\nC: d\r\n", "A:   b\r\n", ": x\r\n", "Nats-Sequence: 9\n\n",
		"Nats-Stream: FROST_MAIN_KEYS\r\nNats-Subject: frost.main.x\r\nNats-Sequence: 9\r\nNats-Time-Stamp: 2020-01-01T00:00:00Z\r\n\r\n",
		"Status: 404\r\n\r\n", "A: b", "\r", "Nats-Sequence: 9\r\nA: b\n",
	} {
		f.Add(s)
	}
	names, err := newNaming("main")
	if err != nil {
		f.Fatal(err)
	}
	const stream, subject, seq = "FROST_MAIN_KEYS", "dkg.b.deal.0", uint64(7)
	f.Fuzz(func(t *testing.T, writer string) {
		block := "NATS/1.0\r\n" + writer + fmt.Sprintf(
			"Nats-Stream: %s\r\nNats-Subject: frost.main.%s\r\nNats-Sequence: %d\r\nNats-Time-Stamp: 2026-01-02T03:04:05Z\r\n\r\n",
			stream, subject, seq)
		h, err := nats.DecodeHeadersMsg([]byte(block))
		if err != nil {
			return // no header at all: read through the JSON API
		}
		m, err := names.storedHeader(h, len(block), stream)
		if err == nil && (m.Seq != seq || m.Subject != subject || m.Time.Year() != 2026) {
			t.Errorf("block %q is believed: %+v", block, m)
		}
		if writer == "" && err != nil {
			t.Error("the server's own headers are not believed")
		}
	})
}

// TestLargeHeadersAreNotKept: whoever keeps a message's data keeps what the connection read of it, the
// headers too. Nobody counts them, so there are few.
func TestLargeHeadersAreNotKept(t *testing.T) {
	t.Parallel()
	names, err := newNaming("main")
	if err != nil {
		t.Fatal(err)
	}
	b := &Bus{names: names}
	for header, kept := range map[int]bool{100: true, 2000: false} {
		m := &nats.Msg{Data: []byte("data"), Header: nats.Header{"A": {strings.Repeat("a", header)}}}
		got, _ := b.stored(m, "FROST_MAIN_KEYS")
		if same := &got.Data[0] == &m.Data[0]; same != kept || string(got.Data) != "data" {
			t.Errorf("a header of %d bytes stays: %v", header, same)
		}
	}
}
