package chaos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	core "github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/chaos/history"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// watch records what nodes publish and what RESULTS announces. Where the network breaks,
// that is at each server: what one passes on to nobody else is seen there.
func (s *Stand) watch() {
	s.t.Helper()
	watched := 1
	if s.links {
		watched = servers
	}
	for i := range watched {
		conn := s.connect(fmt.Sprintf("tls://127.0.0.1:%d", s.ports.nats+i)).Conn()
		for subject, f := range map[string]func(*nats.Msg){"sign.>": s.sawNode, "result.>": s.sawResult} {
			if _, err := conn.Subscribe(core.FleetSubject(fleettest.Name, subject), f); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// sawNode records a message of a signing session. Bytes that can't be read are a
// flood's, which seals nothing.
func (s *Stand) sawNode(m *nats.Msg) {
	subject, _ := strings.CutPrefix(m.Subject, core.FleetSubject(fleettest.Name, ""))
	s.saw(subject, m.Data)
}

func (s *Stand) saw(subject string, data []byte) {
	slot, err := core.ParseSlot(subject)
	body := core.UnverifiedBody(data)
	if err != nil || body == nil {
		return
	}
	seen := history.Message{Node: slot.Node, Session: slot.ID}
	switch slot.Kind {
	case core.SlotCommit:
		var c core.CommitBody
		if core.Decode(body, core.MaxMessageSize, &c) != nil {
			return
		}
		seen.Points = fingerprint(c.Points)
	case core.SlotShare:
		var c core.ShareBody
		if core.Decode(body, core.MaxMessageSize, &c) != nil {
			return
		}
		seen.Set, seen.Shares = hex.EncodeToString(c.Set[:8]), fingerprint(c.Shares)
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said[seen] = true
}

// sawResult records what RESULTS announced; what NOTICES does is no result.
func (s *Stand) sawResult(m *nats.Msg) {
	if m.Header.Get("Nats-Stream") != streamName("RESULTS") {
		return
	}
	var seq uint64
	if _, err := fmt.Sscan(m.Header.Get("Nats-Sequence"), &seq); err == nil {
		s.store(m.Data, seq)
	}
}

func (s *Stand) store(data []byte, seq uint64) {
	var r core.Result
	if json.Unmarshal(data, &r) != nil {
		return // a gateway's flood
	}
	is := history.Result{Job: r.Job, Client: r.Client, Seq: seq, Answer: answerOf(&r)}
	s.mu.Lock()
	defer s.mu.Unlock()
	is.Stream = fmt.Sprint(s.lives)
	s.stored[is] = true
}

// streamName is a stream's name at the server.
func streamName(stream string) string {
	return "FROST_" + strings.ToUpper(fleettest.Name) + "_" + stream
}

func fingerprint(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// answerOf is what was signed or generated; empty for a job that was given up.
func answerOf(r *core.Result) string {
	var parts [][]byte
	for _, k := range r.Keys {
		parts = append(parts, []byte(k.ID), k.PublicKey)
	}
	for _, g := range r.Sigs {
		parts = append(parts, []byte(g.Key), g.Signature)
	}
	if r.Status != core.StatusDone {
		return ""
	}
	return fingerprint(parts...)
}

// History is all that was seen, read when everything is whole again.
func (s *Stand) History() *history.History {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for from := uint64(1); ; {
		part, more, err := s.admin.Part(ctx, bus.Results, from, "res.>")
		s.must(err)
		for _, m := range part {
			s.store(m.Data, m.Seq)
			from = m.Seq + 1
		}
		if !more {
			break
		}
	}
	entries := s.register()
	s.signRead = 0 // streams may have begun anew
	s.readSign()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.seen
	h.Entries = entries
	for r := range s.stored {
		h.Results = append(h.Results, r)
	}
	for m := range s.said {
		h.Messages = append(h.Messages, m)
	}
	for _, p := range s.procs {
		h.Crashes = append(h.Crashes, p.crashes()...)
	}
	return &h
}

// register reads KEYS. What there is must be whole: an entry that lacks deals is
// waited for, as whichever gateway is left completes it.
func (s *Stand) register() (entries []history.Entry) {
	s.t.Helper()
	s.await("the register is whole", func() error {
		entries = nil
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		defer cancel()
		known, err := register.Lineage(ctx, s.admin, s.manifest)
		if err != nil {
			return err
		}
		sum, err := register.Read(ctx, s.admin, known, func(e *register.Entry) error {
			is := history.Entry{ID: e.ID}
			for i := range e.Keys {
				is.Keys = append(is.Keys, core.KeyID{Batch: e.ID, Index: i}.String())
			}
			entries = append(entries, is)
			return nil
		})
		if err == nil && sum.Partial > 0 {
			err = fmt.Errorf("%d entries lack deals", sum.Partial)
		}
		if sum.Dropped > 0 {
			entries = append(entries, history.Entry{ID: "?", Err: fmt.Sprintf("%d messages prove nothing", sum.Dropped)})
		}
		return err
	})
	return entries
}

// lost records that a stream is gone, until heal; report waits for a program to say so.
func (s *Stand) lost(stream string) (made func()) {
	l := history.Loss{Stream: stream, At: time.Now()}
	s.await("a program reports that "+stream+" is gone", func() error {
		var said string
		for i := range gateways {
			ready, text := s.ready(gatewayName(i))
			if !ready && strings.Contains(text, stream) {
				s.Event("%s reports the loss of %s after %.1f s", gatewayName(i), stream, time.Since(l.At).Seconds())
				return nil
			}
			said += text
		}
		return fmt.Errorf("the gateways say %s", said)
	})
	l.Reported = time.Now()
	return func() {
		l.Until = time.Now()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen.Losses = append(s.seen.Losses, l)
	}
}
