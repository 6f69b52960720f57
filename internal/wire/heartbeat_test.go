package wire

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

func heartbeat(f *fleet) *Heartbeat {
	return &Heartbeat{
		Version: HeartbeatVersion, Boot: [16]byte{1}, After: 7, Manifest: f.m.Hash(), Build: "v1", Host: "host", Pid: 3,
		InFlight: 2, Backlog: 1, Device: DeviceUse{Kind: "aws-kms", Calls: 12, Cost: 36, Month: 2_000_036},
	}
}

// open reads a heartbeat of node 0 as a gateway would.
func (f *fleet) open(subject string, at time.Time, data []byte) error {
	o := NewOpener(f.m, f.access)
	o.SetTime(at)
	_, _, err := o.Heartbeat(LogMessage{Subject: subject, Seq: 8, Time: at, Data: data})
	return err
}

// TestHeartbeatIsItsSenders: a heartbeat counts under its sender's subject and manifest,
// while the session key counts, and nowhere else.
func TestHeartbeatIsItsSenders(t *testing.T) {
	f := newFleet(t, 2, 3)
	body := Encode(heartbeat(f))
	seal := func(i int, subject string) []byte { return f.sessions[i].Seal(f.m, subject, body) }
	gateway := func(subject string) []byte { return SealGateway(f.gateway, "gw", f.m, subject, body) }
	other := newFleet(t, 2, 3)
	foreign := *heartbeat(f)
	ended := t0.Add(DelegationLife + ClockSkew + time.Second)
	foreign.Manifest = [32]byte{1}
	later := *heartbeat(f)
	later.After = 8
	for name, c := range map[string]struct {
		subject string
		data    []byte
		at      time.Time
		ok      bool
	}{
		"a node's":                   {"presence.node.0", seal(0, "presence.node.0"), t0, true},
		"a twin's":                   {"presence.twin.0", seal(0, "presence.twin.0"), t0, true},
		"a gateway's":                {"presence.gateway.gw", gateway("presence.gateway.gw"), t0, true},
		"of another node":            {"presence.node.0", seal(1, "presence.node.0"), t0, false},
		"sealed for another subject": {"presence.node.0", seal(0, "presence.twin.0"), t0, false},
		"of a node that is not":      {"presence.node.3", seal(0, "presence.node.3"), t0, false},
		"of another gateway":         {"presence.gateway.other", gateway("presence.gateway.other"), t0, false},
		"a gateway's as a node's":    {"presence.node.0", gateway("presence.node.0"), t0, false},
		"after its session key":      {"presence.node.0", seal(0, "presence.node.0"), ended, false},
		"after what was not there yet": {
			"presence.node.0", f.sessions[0].Seal(f.m, "presence.node.0", Encode(&later)), t0, false},
		"of another fleet": {
			"presence.node.0", other.sessions[0].Seal(other.m, "presence.node.0", body), t0, false},
		"that claims another manifest": {
			"presence.node.0", f.sessions[0].Seal(f.m, "presence.node.0", Encode(&foreign)), t0, false},
		"too long": {
			"presence.node.0", f.sessions[0].Seal(f.m, "presence.node.0", make([]byte, MaxHeartbeat)), t0, false},
	} {
		if err := f.open(c.subject, c.at, c.data); (err == nil) != c.ok {
			t.Errorf("heartbeat %s: %v", name, err)
		}
	}
}

// TestHeartbeatGrows: what a later version adds hides nothing of what this one knows.
// This version's own have one form.
func TestHeartbeatGrows(t *testing.T) {
	f := newFleet(t, 2, 3)
	fields := map[int]any{}
	if err := cbor.Unmarshal(Encode(heartbeat(f)), &fields); err != nil {
		t.Fatal(err)
	}
	fields[20] = []byte("holdings")
	if _, err := DecodeHeartbeat(Encode(fields)); err == nil {
		t.Error("this version with a key that it does not have passes")
	}
	fields[1] = HeartbeatVersion + 1
	h, err := DecodeHeartbeat(Encode(fields))
	if err != nil || h.After != 7 || h.Version != HeartbeatVersion+1 {
		t.Errorf("the next version: %+v, %v", h, err)
	}
	fields[1] = 0
	if _, err := DecodeHeartbeat(Encode(fields)); err == nil {
		t.Error("version 0 passes")
	}
}

// TestHeartbeatOfVersion1: a program from before audit logs and policies is heard, and one
// that has neither says what it said then.
func TestHeartbeatOfVersion1(t *testing.T) {
	f := newFleet(t, 2, 3)
	h := heartbeat(f)
	h.Version, h.Device = 1, DeviceUse{}
	got, err := DecodeHeartbeat(Encode(h))
	if err != nil || *got != *h {
		t.Errorf("%+v, %v", got, err)
	}
	fields := map[int]any{}
	if err := cbor.Unmarshal(Encode(h), &fields); err != nil || len(fields) != 10 { // Leaving is not said either
		t.Errorf("%d keys, %v", len(fields), err)
	}
	h = heartbeat(f)
	h.Audit, h.Policy = AuditHead{Seq: 7, Hash: [32]byte{1}}, [32]byte{2}
	if got, err := DecodeHeartbeat(Encode(h)); err != nil || *got != *h {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHeartbeatText(t *testing.T) {
	f := newFleet(t, 2, 3)
	for _, text := range []string{strings.Repeat("x", 65), "a\nb", "\x1b[2J"} {
		h := heartbeat(f)
		h.Host = text
		if _, err := DecodeHeartbeat(Encode(h)); err == nil {
			t.Errorf("host %q passes", text)
		}
		h.Host = ClipHeartbeat(text)
		if _, err := DecodeHeartbeat(Encode(h)); err != nil {
			t.Errorf("host %q, clipped: %v", text, err)
		}
	}
}

func TestPresenceSubjects(t *testing.T) {
	var founding Manifest
	later := Manifest{Epoch: 3, Previous: make(HexBytes, 32)}
	for subject, ok := range map[string]bool{
		founding.NodePresence(7): true, founding.TwinPresence(127): true, GatewayPresence("gw"): true,
		later.NodePresence(7): true, later.TwinPresence(7): true, "presence.node.7.0": false, "presence.node.7.03": false,
		"presence.node.7.x": false, "presence.node.7.3.1": false, "presence.node.128": false, "presence.node.-1": false, "presence.node.07": false, "presence.node": false,
		"presence.client.0": false, "presence.gateway.a.b": false, "sign.node.0": false,
	} {
		if _, err := ParsePresence(subject); (err == nil) != ok {
			t.Errorf("%s: %v", subject, err)
		}
	}
}

func FuzzHeartbeat(f *testing.F) {
	fleet := newFleet(f, 2, 3)
	data := Encode(heartbeat(fleet))
	f.Add(data)
	f.Add(append(bytes.Clone(data), 0))
	f.Add(Encode(map[int]any{1: HeartbeatVersion + 1, 3: 4, 99: "later"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := DecodeHeartbeat(data)
		if err == nil && h.Version == HeartbeatVersion && !bytes.Equal(Encode(h), data) {
			t.Fatalf("%x is read and encodes to %x", data, Encode(h))
		}
		if err == nil && (len(h.Host) > maxHeartbeatText || len(h.Build) > maxHeartbeatText) {
			t.Fatal("a long text passes")
		}
		if fleet.open("presence.node.0", t0, data) == nil || fleet.open("presence.gateway.gw", t0, data) == nil {
			t.Fatal("a heartbeat that nobody signed was taken")
		}
		_, _ = ClaimedManifest(data)
	})
}
